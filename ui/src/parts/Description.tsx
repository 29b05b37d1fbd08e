/**
 * A description in Markdown, edited in place.
 *
 * Always holds: what was typed stays until it is saved or given up, also when saving fails.
 */
import { Button, makeStyles, Text, Textarea, tokens } from "@fluentui/react-components";
import { EditRegular } from "@fluentui/react-icons";
import { lazy, Suspense, useState } from "react";
import { useShortcuts } from "@/lib/keyboard.ts";
import { notifyFailure } from "./notices.ts";

const Markdown = lazy(async () => ({ default: (await import("./Markdown.tsx")).Markdown }));

const useStyles = makeStyles({
  shown: {
    display: "flex",
    alignItems: "flex-start",
    gap: tokens.spacingHorizontalS,
    minWidth: 0,
  },
  text: { minWidth: 0, maxHeight: "240px", overflow: "auto" },
  none: { color: tokens.colorNeutralForeground3, paddingBlock: tokens.spacingVerticalXS },
  edit: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalS,
    maxWidth: "840px",
  },
  add: { alignSelf: "flex-start", justifySelf: "start" },
  actions: { display: "flex", alignItems: "center", gap: tokens.spacingHorizontalS },
});

export interface DescriptionProps {
  readonly text: string;
  /** Saves it; only shown when left out. */
  readonly onSave?: ((text: string) => Promise<unknown>) | undefined;
  /** The key that begins editing, if any. */
  readonly keys?: string;
}

export function Description({ text, onSave, keys }: DescriptionProps) {
  const styles = useStyles();
  const [draft, setDraft] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const edit = () => setDraft(text);
  useShortcuts(keys && onSave ? [{ keys, label: "Edit the description", run: edit }] : []);

  async function save() {
    if (draft === null || !onSave || isBusy) return;
    setBusy(true);
    try {
      await onSave(draft);
      setDraft(null);
    } catch (error) {
      notifyFailure("The description was not saved", error);
    } finally {
      setBusy(false);
    }
  }

  if (draft !== null) {
    return (
      <form
        className={styles.edit}
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
        onKeyDown={(event) => {
          if (event.key === "Escape" && draft === text) setDraft(null);
          if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void save();
        }}
      >
        <Textarea
          autoFocus
          aria-label="Description"
          placeholder="Markdown"
          value={draft}
          rows={6}
          resize="vertical"
          onChange={(_event, data) => setDraft(data.value)}
        />
        <div className={styles.actions}>
          <Button type="submit" appearance="primary" size="small" disabledFocusable={isBusy}>
            Save
          </Button>
          <Button size="small" onClick={() => setDraft(null)}>
            Cancel
          </Button>
          <Text size={200}>Markdown; Ctrl+Enter saves</Text>
        </div>
      </form>
    );
  }
  if (text === "") {
    if (!onSave) return null;
    return (
      <Button
        appearance="subtle"
        size="small"
        className={styles.add}
        icon={<EditRegular />}
        onClick={edit}
      >
        Add a description
      </Button>
    );
  }
  return (
    <div className={styles.shown}>
      <div className={styles.text} tabIndex={0} role="region" aria-label="Description">
        <Suspense fallback={text}>
          <Markdown text={text} />
        </Suspense>
      </div>
      {onSave && (
        <Button
          appearance="subtle"
          size="small"
          icon={<EditRegular />}
          aria-label="Edit the description"
          title="Edit the description"
          onClick={edit}
        />
      )}
    </div>
  );
}
