/** The status of a run or a job: an icon, which by itself carries the word as its name, and the word. */
import { makeStyles, mergeClasses, Spinner, tokens } from "@fluentui/react-components";
import {
  CheckmarkCircleFilled,
  ClockRegular,
  DismissCircleFilled,
  ErrorCircleFilled,
} from "@fluentui/react-icons";

const WORDS: Readonly<Record<string, string>> = {
  RUNNING: "Running",
  SCHEDULED: "Scheduled",
  FINISHED: "Finished",
  FAILED: "Failed",
  KILLED: "Stopped",
  queued: "Waiting",
  claimed: "Starting",
  running: "Running",
  done: "Done",
  failed: "Failed",
  cancelled: "Cancelled",
};

const useStyles = makeStyles({
  status: {
    display: "inline-flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    whiteSpace: "nowrap",
    verticalAlign: "middle",
  },
  icon: { display: "inline-flex", fontSize: "16px", flexShrink: 0 },
  good: { color: tokens.colorStatusSuccessForeground1 },
  bad: { color: tokens.colorStatusDangerForeground1 },
  ended: { color: tokens.colorStatusWarningForeground1 },
  waiting: { color: tokens.colorNeutralForeground3 },
});

export function statusWord(status: string): string {
  return WORDS[status] ?? status;
}

/** Whether a run may still log. */
export function isLiveStatus(status: string): boolean {
  return status === "RUNNING" || status === "SCHEDULED";
}

export interface RunStatusProps {
  readonly status: string;
  /** The icon alone. */
  readonly isBare?: boolean;
}

export function RunStatus({ status, isBare = false }: RunStatusProps) {
  const styles = useStyles();
  const word = statusWord(status);
  const named = isBare ? { role: "img", "aria-label": word, title: word } : { "aria-hidden": true };
  const [icon, colour] = look(status);
  return (
    <span className={styles.status}>
      <span className={mergeClasses(styles.icon, styles[colour])} {...named}>
        {icon}
      </span>
      {!isBare && word}
    </span>
  );
}

function look(status: string) {
  switch (status) {
    case "FINISHED":
    case "done":
      return [<CheckmarkCircleFilled key="icon" />, "good"] as const;
    case "FAILED":
    case "failed":
      return [<ErrorCircleFilled key="icon" />, "bad"] as const;
    case "KILLED":
    case "cancelled":
      return [<DismissCircleFilled key="icon" />, "ended"] as const;
    case "RUNNING":
    case "claimed":
    case "running":
      return [<Spinner key="icon" size="extra-tiny" />, "waiting"] as const;
    default:
      return [<ClockRegular key="icon" />, "waiting"] as const;
  }
}
