/** Who changed which label when, newest first. */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { TimeText } from "@/parts/TimeText.tsx";
import type { LabelChange } from "./queries.ts";

const useStyles = makeStyles({
  list: { listStyleType: "none", margin: 0, padding: 0 },
  entry: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) auto",
    gap: tokens.spacingHorizontalM,
    paddingBlock: tokens.spacingVerticalXS,
    borderBottom: `1px solid ${tokens.colorNeutralStroke3}`,
  },
  what: { overflowWrap: "anywhere" },
  muted: { color: tokens.colorNeutralForeground3 },
});

export function HistoryList({ changes }: { readonly changes: readonly LabelChange[] }) {
  const styles = useStyles();
  return (
    <ul className={styles.list}>
      {changes.map((change) => (
        <li key={change.id} className={styles.entry}>
          <Text className={styles.what} dir="auto">
            {said(change)}
          </Text>
          <Text size={200} className={styles.muted}>
            {change.actor}, <TimeText ms={change.time_ms} />
          </Text>
        </li>
      ))}
    </ul>
  );
}

function said({ kind, key, before, after }: LabelChange): string {
  if (kind === "created") return "Registered";
  if (kind === "deleted") return "Deleted";
  if (kind === "description") return "Description changed";
  if (kind === "alias") {
    if (after === null) return `@${key} removed`;
    return before === null ? `@${key} set` : `@${key} moved from version ${before} to ${after}`;
  }
  if (kind === "stage") return `Stage ${before ?? "None"} → ${after ?? "None"}`;
  if (kind !== "tag") return `${kind}: ${before ?? "–"} → ${after ?? "–"}`;
  if (before === null) return `Tag ${key} set to ${after ?? ""}`;
  return after === null ? `Tag ${key} removed` : `Tag ${key}: ${before} → ${after}`;
}
