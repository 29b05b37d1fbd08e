/**
 * A dialog that asks for something and does it: fields, one action, and what went wrong.
 *
 * Always holds: while it works nothing can be sent twice; what was typed is kept by a failure, by a
 * click beside the dialog, and by the Escape that closes a list in it.
 */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  makeStyles,
  MessageBar,
  MessageBarBody,
  tokens,
} from "@fluentui/react-components";
import { type ReactNode, useState } from "react";
import { asFailure } from "@/api/client.ts";

const useStyles = makeStyles({
  surface: { maxWidth: "min(560px, 94vw)" },
  content: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalM,
    paddingBlock: tokens.spacingVerticalXS,
  },
  // Where they stand above each other, the one that acts comes first.
  actions: { "@media screen and (max-width: 480px)": { flexDirection: "column-reverse" } },
  error: { whiteSpace: "normal", overflowWrap: "anywhere" },
  danger: {
    backgroundColor: tokens.colorStatusDangerBackground3,
    ":hover": { backgroundColor: tokens.colorStatusDangerBackground3Hover },
    ":hover:active": { backgroundColor: tokens.colorStatusDangerBackground3Pressed },
  },
});

export interface FormDialogProps {
  readonly title: string;
  readonly action: string;
  /** Does it; the dialog closes when it is done, and stays with the reason when it fails. */
  readonly onSubmit: () => Promise<unknown>;
  readonly onClose: () => void;
  readonly isRefused?: boolean;
  readonly isDangerous?: boolean;
  readonly children?: ReactNode;
}

export function FormDialog(props: FormDialogProps) {
  const { title, action, onSubmit, onClose, isRefused = false, isDangerous = false } = props;
  const styles = useStyles();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [isTouched, setTouched] = useState(false);

  function dismiss(how: string) {
    const isListOpen = document.activeElement?.getAttribute("aria-expanded") === "true";
    if (isBusy || (how === "escapeKeyDown" && isListOpen)) return;
    if (how === "backdropClick" && isTouched) return;
    onClose();
  }

  async function submit() {
    if (isBusy || isRefused) return;
    setBusy(true);
    setError(null);
    try {
      await onSubmit();
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  }

  return (
    <Dialog open onOpenChange={(_event, data) => dismiss(data.type)}>
      <DialogSurface className={styles.surface}>
        <form
          onInput={() => setTouched(true)}
          onSubmit={(event) => {
            event.preventDefault();
            void submit();
          }}
        >
          <DialogBody>
            <DialogTitle>{title}</DialogTitle>
            <DialogContent className={styles.content}>
              {props.children}
              {error !== null && (
                <MessageBar intent="error" layout="multiline">
                  <MessageBarBody className={styles.error}>
                    {asFailure(error).message}
                  </MessageBarBody>
                </MessageBar>
              )}
            </DialogContent>
            <DialogActions className={styles.actions}>
              <Button onClick={onClose} disabled={isBusy}>
                Cancel
              </Button>
              <Button
                type="submit"
                appearance="primary"
                disabledFocusable={isBusy || isRefused}
                {...(isDangerous && !isBusy && !isRefused && { className: styles.danger })}
              >
                {isBusy ? "Working…" : action}
              </Button>
            </DialogActions>
          </DialogBody>
        </form>
      </DialogSurface>
    </Dialog>
  );
}
