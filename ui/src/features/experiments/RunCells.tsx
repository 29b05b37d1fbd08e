/** Cells of the list of runs that are more than text: the name in its tree, status, links. */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import { ChevronDownRegular, ChevronRightRegular } from "@fluentui/react-icons";
import type { ReactNode } from "react";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { RunStatus } from "@/parts/RunStatus.tsx";
import type { PlacedColumn } from "@/parts/table/columns.ts";
import type { LoadedRow } from "@/parts/table/useRows.ts";

const INDENT_PX = 18;
/** Deeper ones stand no further in, so that names stay readable. */
const DEEPEST = 8;

const useStyles = makeStyles({
  name: { display: "flex", alignItems: "center", minWidth: 0, width: "100%" },
  fold: {
    display: "inline-flex",
    alignItems: "center",
    justifyContent: "center",
    flexShrink: 0,
    width: "24px",
    height: "24px",
    padding: 0,
    border: "none",
    background: "none",
    color: tokens.colorNeutralForeground2,
    cursor: "pointer",
    borderRadius: tokens.borderRadiusSmall,
    ":hover": { backgroundColor: tokens.colorSubtleBackgroundHover },
  },
  room: { width: "24px", flexShrink: 0 },
  link: { minWidth: 0, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  faint: { color: tokens.colorNeutralForeground3, fontStyle: "italic" },
  count: {
    flexShrink: 0,
    paddingInlineStart: tokens.spacingHorizontalXS,
    color: tokens.colorNeutralForeground3,
  },
  versions: {
    display: "flex",
    gap: tokens.spacingHorizontalS,
    minWidth: 0,
    overflow: "hidden",
    whiteSpace: "nowrap",
  },
});

/** A cell drawn, or nothing where its text will do. */
export function drawRunCell(
  workspace: string,
  column: PlacedColumn,
  row: LoadedRow,
  toggle: ((run: string) => void) | undefined,
): ReactNode {
  const cell = row.cells[column.id];
  if (column.group !== "property" || cell === undefined) return undefined;
  switch (column.id) {
    case "run_name":
      return <Name workspace={workspace} row={row} name={String(cell ?? "")} toggle={toggle} />;
    case "status":
      return typeof cell === "string" ? <RunStatus status={cell} /> : undefined;
    case "versions":
      return Array.isArray(cell) ? <Versions workspace={workspace} refs={cell} /> : undefined;
    case "parent":
      return typeof cell === "string" && cell !== "" ? (
        <RouteLink to="/w/$workspace/runs/$run" params={{ workspace, run: cell }} tabIndex={-1}>
          {cell.slice(-8)}
        </RouteLink>
      ) : undefined;
    default:
      return undefined;
  }
}

interface NameProps {
  readonly workspace: string;
  readonly row: LoadedRow;
  readonly name: string;
  readonly toggle: ((run: string) => void) | undefined;
}

function Name({ workspace, row, name, toggle }: NameProps) {
  const styles = useStyles();
  const { branch } = row;
  const indent = Math.min(branch?.depth ?? 0, DEEPEST) * INDENT_PX;
  const isFaint = branch !== undefined && !branch.found;
  return (
    <span className={styles.name} style={{ paddingInlineStart: indent }}>
      {branch &&
        (branch.children > 0 ? (
          <button
            type="button"
            className={styles.fold}
            tabIndex={-1}
            aria-expanded={branch.open}
            aria-label={`${branch.open ? "Fold" : "Open"} the runs nested in ${name.slice(0, 80)}`}
            onClick={(event) => {
              event.stopPropagation();
              toggle?.(row.key);
            }}
          >
            {branch.open ? <ChevronDownRegular /> : <ChevronRightRegular />}
          </button>
        ) : (
          <span className={styles.room} />
        ))}
      <RouteLink
        to="/w/$workspace/runs/$run"
        params={{ workspace, run: row.key }}
        className={mergeClasses(styles.link, isFaint && styles.faint)}
        title={isFaint ? `${name} (the filter does not find it, but runs in it)` : name}
        tabIndex={-1}
        dir="auto"
      >
        {name}
      </RouteLink>
      {branch !== undefined && branch.children > 0 && (
        <span className={styles.count} title={`${branch.children} runs stand below it`}>
          {branch.children}
        </span>
      )}
    </span>
  );
}

/** `forest v3` as the server says it: the model's name may hold anything but a slash. */
function Versions({
  workspace,
  refs,
}: {
  readonly workspace: string;
  readonly refs: readonly string[];
}) {
  const styles = useStyles();
  return (
    <span className={styles.versions}>
      {refs.map((ref) => {
        const at = ref.lastIndexOf(" v");
        return (
          <RouteLink
            key={ref}
            to="/w/$workspace/models/$model/versions/$version"
            params={{ workspace, model: ref.slice(0, at), version: ref.slice(at + 2) }}
            tabIndex={-1}
          >
            {ref}
          </RouteLink>
        );
      })}
    </span>
  );
}
