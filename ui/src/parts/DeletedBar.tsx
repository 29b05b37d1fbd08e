/** Says that what is shown is deleted, and brings it back. */
import {
  Button,
  makeStyles,
  MessageBar,
  MessageBarActions,
  MessageBarBody,
  tokens,
} from "@fluentui/react-components";

const useStyles = makeStyles({
  bar: { flexShrink: 0, marginBottom: tokens.spacingVerticalM },
  words: { whiteSpace: "normal" },
});

export interface DeletedBarProps {
  readonly children: string;
  readonly onRestore: () => void;
}

export function DeletedBar({ children, onRestore }: DeletedBarProps) {
  const styles = useStyles();
  // In one line it would be wider than a telephone until it has been measured.
  return (
    <MessageBar intent="warning" layout="multiline" className={styles.bar}>
      <MessageBarBody className={styles.words}>{children}</MessageBarBody>
      <MessageBarActions>
        <Button size="small" onClick={onRestore}>
          Restore
        </Button>
      </MessageBarActions>
    </MessageBar>
  );
}
