/** Tags that something is to be made with: rows of a name and a value. */
import { Button, Field, Input, makeStyles, tokens, Tooltip } from "@fluentui/react-components";
import { AddRegular, DismissRegular } from "@fluentui/react-icons";
import { refusalOfKey } from "@/lib/names.ts";

export interface NewTag {
  readonly key: string;
  readonly value: string;
}

const useStyles = makeStyles({
  row: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 1fr) minmax(0, 1fr) auto",
    gap: tokens.spacingHorizontalS,
    alignItems: "start",
    marginBottom: tokens.spacingVerticalXS,
  },
  input: { minWidth: 0 },
});

/** Why these cannot be tags; undefined where they can. */
export function refusalOfTags(tags: readonly NewTag[]): string | undefined {
  return tags.map((_, n) => refusalAt(tags, n)).find((refusal) => refusal !== undefined);
}

function refusalAt(tags: readonly NewTag[], at: number): string | undefined {
  const before = tags.slice(0, at).map((tag) => tag.key);
  return refusalOfKey(tags[at]?.key ?? "", before);
}

export interface NewTagsProps {
  readonly tags: readonly NewTag[];
  readonly onChange: (tags: readonly NewTag[]) => void;
}

export function NewTags({ tags, onChange }: NewTagsProps) {
  const styles = useStyles();
  const change = (at: number, more: Partial<NewTag>) => {
    onChange(tags.map((tag, n) => (n === at ? { ...tag, ...more } : tag)));
  };
  return (
    <fieldset style={{ border: "none", margin: 0, padding: 0, minWidth: 0 }}>
      <legend style={{ paddingBottom: tokens.spacingVerticalXXS }}>Tags</legend>
      {tags.map((tag, n) => (
        <div key={n} className={styles.row}>
          <Field validationMessage={tag.key === "" ? null : (refusalAt(tags, n) ?? null)}>
            <Input
              className={styles.input}
              aria-label={`Name of tag ${n + 1}`}
              placeholder="name"
              value={tag.key}
              autoFocus={n === tags.length - 1}
              onChange={(_event, data) => change(n, { key: data.value })}
            />
          </Field>
          <Input
            className={styles.input}
            aria-label={`Value of tag ${n + 1}`}
            placeholder="value"
            value={tag.value}
            onChange={(_event, data) => change(n, { value: data.value })}
          />
          <Tooltip content={`Remove tag ${n + 1}`} relationship="label">
            <Button
              appearance="subtle"
              icon={<DismissRegular />}
              onClick={() => onChange(tags.filter((_, at) => at !== n))}
            />
          </Tooltip>
        </div>
      ))}
      <Button
        size="small"
        icon={<AddRegular />}
        onClick={() => onChange([...tags, { key: "", value: "" }])}
      >
        Add tag
      </Button>
    </fieldset>
  );
}
