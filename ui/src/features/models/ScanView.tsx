/** What was found in a version's files without loading them: a label, and the findings. */
import { Badge, Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import { ShieldRegular } from "@fluentui/react-icons";
import type { Shapes } from "@/api/client.ts";
import { notifyFailure } from "@/parts/notices.ts";
import { TimeText } from "@/parts/TimeText.tsx";
import { scanAgain, useSettled, type Version } from "./queries.ts";

type Scan = Shapes["Scan"];

const COLOURS: Readonly<Record<string, "success" | "informative" | "danger">> = {
  "data-only": "success",
  "code-bearing": "informative",
  suspicious: "danger",
};
const MEANINGS: Readonly<Record<string, string>> = {
  "data-only": "The files hold numbers and words alone.",
  "code-bearing":
    "The files bring objects or code along, as most models do. They are loaded in locked-down processes only.",
  suspicious:
    "A file would call the system, hides something, or cannot be looked through. The version is not applied unless a plan allows it.",
};

const useStyles = makeStyles({
  view: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM },
  head: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
  },
  faint: { color: tokens.colorNeutralForeground3 },
  list: {
    margin: 0,
    paddingInlineStart: tokens.spacingHorizontalXL,
    maxHeight: "320px",
    overflow: "auto",
  },
  finding: { overflowWrap: "anywhere", marginBlockEnd: tokens.spacingVerticalXS },
});

interface ScanProps {
  readonly workspace: string;
  readonly version: Version;
}

export function ScanLabel({ scan }: { readonly scan: Scan }) {
  const styles = useStyles();
  if (scan.label !== "") {
    return (
      <Badge
        appearance="tint"
        color={COLOURS[scan.label] ?? "informative"}
        title={MEANINGS[scan.label]}
      >
        {scan.label}
      </Badge>
    );
  }
  const words = {
    waiting: "waits for a worker",
    failed: "could not be done",
    none: "no files",
    done: "",
  };
  return <span className={styles.faint}>{words[scan.state]}</span>;
}

export function ScanView({ workspace, version }: ScanProps) {
  const styles = useStyles();
  const settled = useSettled(workspace, version.model);
  const data = version.scan;

  async function again() {
    try {
      await settled(scanAgain(workspace, version));
    } catch (failure) {
      notifyFailure("The files are not scanned again", failure);
    }
  }

  return (
    <div className={styles.view}>
      <div className={styles.head}>
        <ScanLabel scan={data} />
        {data.scanned_ms !== null && (
          <Text size={200} className={styles.faint}>
            {data.scanner} <TimeText ms={data.scanned_ms} />
          </Text>
        )}
        {data.state !== "none" && (
          <Button
            size="small"
            icon={<ShieldRegular />}
            disabledFocusable={data.state === "waiting"}
            onClick={() => void again()}
          >
            Scan again
          </Button>
        )}
      </div>
      {MEANINGS[data.label] !== undefined && <Text>{MEANINGS[data.label]}</Text>}
      {data.error !== "" && <Text>{data.error}</Text>}
      {data.findings.length > 0 && (
        <ul className={styles.list} aria-label="Findings" tabIndex={0}>
          {data.findings.map((finding, at) => (
            <li key={at} className={styles.finding}>
              <code>{finding.path}</code> {finding.what}{" "}
              <Text size={200} className={styles.faint}>
                ({finding.label})
              </Text>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
