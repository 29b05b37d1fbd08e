/** A failure: what happened, what to do, details folded, another try. */
import {
  Button,
  makeStyles,
  MessageBar,
  MessageBarActions,
  MessageBarBody,
  MessageBarTitle,
  tokens,
} from "@fluentui/react-components";
import { asFailure } from "@/api/client.ts";

const ADVICE: Readonly<Record<string, string>> = {
  away: "It is asked again by itself; look whether it is running.",
  not_found: "It may have been renamed or deleted.",
  page: "Load the page again; if it stays so, report it with the details.",
};

const useStyles = makeStyles({
  bar: { flexShrink: 0 },
  body: {
    whiteSpace: "normal",
    overflowWrap: "anywhere",
    paddingBlock: tokens.spacingVerticalS,
  },
  details: { whiteSpace: "pre-wrap", overflowWrap: "anywhere" },
});

export interface ErrorViewProps {
  readonly error: unknown;
  /** What could not be done. */
  readonly what?: string;
  readonly onRetry?: (() => void) | undefined;
}

export function ErrorView({ error, what = "This could not be loaded", onRetry }: ErrorViewProps) {
  const styles = useStyles();
  const failure = asFailure(error);
  return (
    <MessageBar intent="error" layout="multiline" role="alert" className={styles.bar}>
      <MessageBarBody className={styles.body}>
        <MessageBarTitle>{what}.</MessageBarTitle>
        {sentence(failure.message)} {ADVICE[failure.code]}
        <details>
          <summary>Details</summary>
          <code className={styles.details}>
            {failure.code} {failure.status > 0 ? failure.status : ""}{" "}
            {failure.code === "page" && error instanceof Error ? error.stack : ""}
          </code>
        </details>
      </MessageBarBody>
      {onRetry && (
        <MessageBarActions>
          <Button size="small" onClick={onRetry}>
            Try again
          </Button>
        </MessageBarActions>
      )}
    </MessageBar>
  );
}

/** A message that came without a full stop, with one, since advice follows it. */
function sentence(message: string): string {
  return /[\p{L}\p{N})'"]$/u.test(message) ? `${message}.` : message;
}
