/** Aliases of a version, changed in place: shown at once, taken back with a notice if refused. */
import { Button, Input, makeStyles, tokens, Tooltip } from "@fluentui/react-components";
import { AddRegular, CheckmarkRegular, DismissRegular } from "@fluentui/react-icons";
import { type SyntheticEvent, useState } from "react";
import { AliasBadge } from "@/parts/AliasBadge.tsx";
import { notify, notifyFailure } from "@/parts/notices.ts";
import { deleteAlias, setAlias, useSettled, type Version } from "./queries.ts";

const useStyles = makeStyles({
  row: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
  },
  one: { display: "inline-flex", alignItems: "center" },
  box: { width: "160px" },
});

export interface AliasEditorProps {
  readonly workspace: string;
  readonly version: Version;
  /** Where every alias of the model points now. */
  readonly taken: Readonly<Record<string, number>>;
}

export function AliasEditor({ workspace, version, taken }: AliasEditorProps) {
  const styles = useStyles();
  const { model, version: number } = version;
  const settled = useSettled(workspace, model);
  const [pending, setPending] = useState<Readonly<Record<string, boolean>>>({});
  const [draft, setDraft] = useState<string | null>(null);
  const all = new Set(version.aliases);
  for (const [alias, isThere] of Object.entries(pending)) {
    if (isThere) all.add(alias);
    else all.delete(alias);
  }
  const name = draft?.trim().replace(/^@/, "") ?? "";
  const refusal = refusalOf(name);

  /** Whether the change was taken. */
  async function change(alias: string, isThere: boolean, send: () => Promise<unknown>) {
    setPending((before) => ({ ...before, [alias]: isThere }));
    try {
      await settled(send());
      return true;
    } catch (error) {
      notifyFailure(`@${alias} was not changed`, error);
      return false;
    } finally {
      setPending((before) =>
        Object.fromEntries(Object.entries(before).filter(([each]) => each !== alias)),
      );
    }
  }

  async function add(event: SyntheticEvent) {
    event.preventDefault();
    if (refusal !== undefined) return;
    setDraft(null);
    const before = taken[name];
    const isTaken = await change(name, true, async () => {
      await setAlias(workspace, model, name, number);
      notify({
        title: `@${name} is version ${number}`,
        body: before === undefined || before === number ? undefined : `It was version ${before}.`,
        undo: () =>
          settled<unknown>(
            before === undefined
              ? deleteAlias(workspace, model, name)
              : setAlias(workspace, model, name, before),
          ),
      });
    });
    if (!isTaken) setDraft(name);
  }

  function remove(alias: string) {
    void change(alias, false, async () => {
      await deleteAlias(workspace, model, alias);
      notify({
        title: `@${alias} removed`,
        undo: () => settled(setAlias(workspace, model, alias, number)),
      });
    });
  }

  return (
    <div className={styles.row}>
      {[...all].sort().map((alias) => (
        <span key={alias} className={styles.one}>
          <AliasBadge name={alias} />
          <Tooltip content={`Remove @${alias}`} relationship="label">
            <Button
              size="small"
              appearance="transparent"
              icon={<DismissRegular />}
              onClick={() => remove(alias)}
            />
          </Tooltip>
        </span>
      ))}
      {draft === null ? (
        <Button size="small" appearance="subtle" icon={<AddRegular />} onClick={() => setDraft("")}>
          Add alias
        </Button>
      ) : (
        <form className={styles.one} onSubmit={(event) => void add(event)}>
          <Input
            autoFocus
            size="small"
            className={styles.box}
            aria-label="Alias"
            title={refusal ?? "Letters, digits, _ and -"}
            placeholder="champion"
            value={draft}
            onChange={(_event, data) => setDraft(data.value)}
            onKeyDown={(event) => event.key === "Escape" && setDraft(null)}
          />
          <Tooltip content="Save alias" relationship="label">
            <Button
              type="submit"
              size="small"
              appearance="subtle"
              disabledFocusable={refusal !== undefined}
              icon={<CheckmarkRegular />}
            />
          </Tooltip>
        </form>
      )}
    </div>
  );
}

/** What is wrong with an alias; undefined for nothing. The server has the last word. */
function refusalOf(name: string): string | undefined {
  if (!/^[\w-]+$/.test(name)) return "Letters, digits, _ and - only";
  if (/^(?:v\d+|latest)$/i.test(name)) return "This always means a version of its own.";
  return undefined;
}
