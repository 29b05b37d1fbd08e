/**
 * Tags of anything, changed in place: add, change, remove.
 *
 * Always holds: a change shows at once and is taken back with a notice if the server refuses it,
 * the editor open again with what was typed; removing can be undone from its notice; tags of the clients' own (`mlflow.`) stand apart, folded,
 * and are only read here.
 * Leaves to others: sending the change (`onChange`).
 */
import {
  Button,
  Field,
  Input,
  makeStyles,
  Text,
  tokens,
  Tooltip,
} from "@fluentui/react-components";
import { AddRegular, CheckmarkRegular, DismissRegular, EditRegular } from "@fluentui/react-icons";
import { type KeyboardEvent, type SyntheticEvent, useRef, useState } from "react";
import { fluentRef } from "@/lib/fluentRef.ts";
import { refusalOfKey } from "@/lib/names.ts";
import { notify, notifyFailure } from "./notices.ts";

export interface TagChanges {
  readonly set?: Record<string, string>;
  readonly delete?: string[];
}

export interface TagListProps {
  readonly tags: Readonly<Record<string, string>>;
  /** Sends a change; only shown when left out. */
  readonly onChange?: ((changes: TagChanges) => Promise<unknown>) | undefined;
}

const OWN = "mlflow.";
const SHOWN_MAX = 300;

const useStyles = makeStyles({
  list: {
    display: "grid",
    gridTemplateColumns: "minmax(72px, auto) minmax(0, 1fr) auto",
    alignItems: "center",
    columnGap: tokens.spacingHorizontalM,
    margin: 0,
    maxHeight: "360px",
    overflowY: "auto",
  },
  row: { display: "contents" },
  key: {
    maxWidth: "180px",
    overflowWrap: "anywhere",
    color: tokens.colorNeutralForeground2,
    paddingBlock: tokens.spacingVerticalXS,
  },
  value: {
    margin: 0,
    minWidth: 0,
    overflowWrap: "anywhere",
    maxHeight: "120px",
    overflowY: "auto",
    whiteSpace: "pre-wrap",
    paddingBlock: tokens.spacingVerticalXS,
  },
  tools: { display: "flex", margin: 0 },
  edit: {
    gridColumn: "1 / -1",
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) minmax(0, 1fr) auto auto",
    alignItems: "start",
    gap: tokens.spacingHorizontalXS,
    marginBlock: tokens.spacingVerticalXS,
  },
  input: { minWidth: 0, width: "100%" },
  own: { marginTop: tokens.spacingVerticalS, color: tokens.colorNeutralForeground2 },
  none: { color: tokens.colorNeutralForeground3 },
  add: { marginTop: tokens.spacingVerticalXS },
});

export function TagList({ tags, onChange }: TagListProps) {
  const styles = useStyles();
  const [pending, setPending] = useState<Readonly<Record<string, string | null>>>({});
  const [edited, setEdited] = useState<string | null>(null);
  const [isAdding, setAdding] = useState(false);
  const [unsent, setUnsent] = useState<{ key: string; value: string } | null>(null);
  const adder = useRef<HTMLButtonElement>(null);
  const shown = new Map(Object.entries(tags));
  for (const [key, value] of Object.entries(pending)) {
    if (value === null) shown.delete(key);
    else shown.set(key, value);
  }
  const all = [...shown].sort(([a], [b]) => a.localeCompare(b));
  const free = all.filter(([key]) => !key.startsWith(OWN));
  const own = all.filter(([key]) => key.startsWith(OWN));

  /** Whether the change was taken. */
  async function send(key: string, value: string | null): Promise<boolean> {
    if (!onChange) return false;
    setPending((before) => ({ ...before, [key]: value }));
    try {
      await onChange(value === null ? { delete: [key] } : { set: { [key]: value } });
      return true;
    } catch (error) {
      notifyFailure(`Tag ${key} was not changed`, error);
      return false;
    } finally {
      setPending((before) =>
        Object.fromEntries(Object.entries(before).filter(([each]) => each !== key)),
      );
    }
  }

  /** Sends what an editor holds, and opens it again if it was not taken. */
  async function save(key: string, value: string, isNew: boolean): Promise<void> {
    setUnsent(null);
    if (isNew) setAdding(false);
    else setEdited(null);
    if (await send(key, value)) return;
    setUnsent({ key, value });
    if (isNew) setAdding(true);
    else setEdited(key);
  }

  function cancel() {
    setUnsent(null);
    setAdding(false);
    setEdited(null);
  }

  async function remove(key: string, value: string): Promise<void> {
    if (await send(key, null)) {
      notify({ title: `Tag ${key} removed`, undo: () => send(key, value) });
    }
  }

  return (
    <>
      {free.length === 0 && !isAdding && <Text className={styles.none}>No tags</Text>}
      <dl className={styles.list}>
        {free.slice(0, SHOWN_MAX).map(([key, value]) =>
          edited === key && onChange ? (
            <TagEditor
              key={key}
              name={key}
              value={unsent?.key === key ? unsent.value : value}
              onSave={(_key, next) => {
                if (next === value) cancel();
                else void save(key, next, false);
              }}
              onCancel={cancel}
            />
          ) : (
            <div key={key} className={styles.row}>
              <dt className={styles.key} dir="auto">
                {key}
              </dt>
              <dd className={styles.value} dir="auto">
                {value}
              </dd>
              <dd className={styles.tools}>
                {onChange && (
                  <>
                    <Tooltip content={`Change tag ${key}`} relationship="label">
                      <Button
                        size="small"
                        appearance="subtle"
                        icon={<EditRegular />}
                        onClick={() => setEdited(key)}
                      />
                    </Tooltip>
                    <Tooltip content={`Remove tag ${key}`} relationship="label">
                      <Button
                        size="small"
                        appearance="subtle"
                        icon={<DismissRegular />}
                        onClick={() => void remove(key, value)}
                      />
                    </Tooltip>
                  </>
                )}
              </dd>
            </div>
          ),
        )}
      </dl>
      {free.length > SHOWN_MAX && <Text>and {free.length - SHOWN_MAX} more</Text>}
      {onChange && isAdding && (
        <TagEditor
          taken={all.map(([key]) => key)}
          begun={unsent?.key ?? ""}
          value={unsent?.value ?? ""}
          onSave={(key, value) => {
            void save(key, value, true);
            adder.current?.focus();
          }}
          onCancel={cancel}
        />
      )}
      {onChange && !isAdding && (
        <Button
          ref={fluentRef(adder)}
          size="small"
          appearance="subtle"
          className={styles.add}
          icon={<AddRegular />}
          onClick={() => setAdding(true)}
        >
          Add tag
        </Button>
      )}
      {own.length > 0 && (
        <details className={styles.own}>
          <summary>{own.length} set by the client</summary>
          <dl className={styles.list}>
            {own.map(([key, value]) => (
              <div key={key} className={styles.row}>
                <dt className={styles.key}>{key}</dt>
                <dd className={styles.value} dir="auto">
                  {value}
                </dd>
                <dd />
              </div>
            ))}
          </dl>
        </details>
      )}
    </>
  );
}

interface TagEditorProps {
  /** The tag that is changed; a new one when left out. */
  readonly name?: string;
  readonly value?: string;
  /** What a new tag's name begins with. */
  readonly begun?: string;
  readonly taken?: readonly string[];
  readonly onSave: (key: string, value: string) => void;
  readonly onCancel: () => void;
}

function TagEditor(props: TagEditorProps) {
  const { name, value = "", begun = "", taken = [], onSave, onCancel } = props;
  const styles = useStyles();
  const [key, setKey] = useState(name ?? begun);
  const [text, setText] = useState(value);
  const refusal = name === undefined ? refusalOf(key, taken) : undefined;

  function submit(event: SyntheticEvent) {
    event.preventDefault();
    if (refusal === undefined) onSave(key, text);
  }

  function onKeyDown(event: KeyboardEvent) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    onCancel();
  }

  return (
    <form className={styles.edit} onSubmit={submit} onKeyDown={onKeyDown}>
      <Field validationMessage={key === "" ? null : (refusal ?? null)}>
        <Input
          autoFocus={name === undefined}
          className={styles.input}
          size="small"
          aria-label="Tag name"
          placeholder="name"
          value={key}
          readOnly={name !== undefined}
          onChange={(_event, data) => setKey(data.value)}
        />
      </Field>
      <Input
        autoFocus={name !== undefined}
        className={styles.input}
        size="small"
        aria-label="Tag value"
        placeholder="value"
        value={text}
        onChange={(_event, data) => setText(data.value)}
      />
      <Tooltip content="Save tag" relationship="label">
        <Button
          type="submit"
          size="small"
          appearance="primary"
          disabledFocusable={refusal !== undefined}
          icon={<CheckmarkRegular />}
        />
      </Tooltip>
      <Tooltip content="Cancel" relationship="label">
        <Button size="small" appearance="subtle" icon={<DismissRegular />} onClick={onCancel} />
      </Tooltip>
    </form>
  );
}

function refusalOf(key: string, taken: readonly string[]): string | undefined {
  if (key.startsWith(OWN)) return `Names with ${OWN} belong to the client.`;
  return refusalOfKey(key, taken);
}
