/** Chooses one or several columns out of any number, by typing a part of their names. */
import {
  Button,
  Combobox,
  Field,
  makeStyles,
  Option,
  OptionGroup,
  tokens,
} from "@fluentui/react-components";
import { DismissRegular } from "@fluentui/react-icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { titleOfId } from "./columns.ts";
import type { Group, KnownColumn, TableSource } from "./source.ts";

const OFFERED = 60;
const GROUPS: readonly (readonly [Group, string])[] = [
  ["metric", "Metrics"],
  ["param", "Hyperparameters"],
  ["tag", "Tags"],
  ["property", "Properties"],
];

const useStyles = makeStyles({
  picker: { minWidth: 0, width: "100%" },
  list: { maxHeight: "320px" },
  chosen: {
    display: "flex",
    flexWrap: "wrap",
    gap: tokens.spacingHorizontalXS,
    paddingTop: tokens.spacingVerticalXS,
  },
  chip: { maxWidth: "100%", minWidth: 0 },
});

export interface ColumnPickerProps {
  readonly source: TableSource;
  readonly label: string;
  readonly hint?: string;
  readonly chosen: readonly string[];
  readonly isMany?: boolean;
  /** Choices that are no columns, such as `step`; they come first. */
  readonly extra?: readonly (readonly [string, string])[];
  readonly onChange: (chosen: readonly string[]) => void;
}

export function ColumnPicker(props: ColumnPickerProps) {
  const { source, label, hint, chosen, isMany = false, extra = [], onChange } = props;
  const styles = useStyles();
  const [text, setText] = useState<string | null>(null);
  const wanted = useDeferredValue(text ?? "");
  const { data } = useQuery({
    queryKey: [...source.id, "pick", wanted],
    queryFn: ({ signal }) => pick(source, wanted, signal),
    placeholderData: keepPreviousData,
    enabled: text !== null,
  });
  const nameOf = (id: string) => extra.find(([value]) => value === id)?.[1] ?? titleOfId(id);
  const first = chosen[0];
  const single = first === undefined ? "" : nameOf(first);
  const shownExtra = extra.filter(([, name]) => name.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <Field label={label} {...(hint !== undefined && { hint })}>
      <Combobox
        className={styles.picker}
        listbox={{ className: styles.list }}
        multiselect={isMany}
        selectedOptions={[...chosen]}
        value={text ?? (isMany ? "" : single)}
        placeholder={isMany ? "Add …" : "None"}
        onOpenChange={(_event, event) => setText(event.open ? "" : null)}
        onChange={(event) => setText(event.target.value)}
        onOptionSelect={(_event, option) => {
          onChange(option.selectedOptions);
          if (isMany) setText("");
        }}
      >
        {shownExtra.map(([value, name]) => (
          <Option key={value} value={value}>
            {name}
          </Option>
        ))}
        {GROUPS.map(([group, title]) => {
          const columns = data?.filter((column) => column.group === group) ?? [];
          return (
            columns.length > 0 && (
              <OptionGroup key={group} label={title}>
                {columns.map((column) => (
                  <Option key={column.id} value={column.id} text={nameOf(column.id)}>
                    {nameOf(column.id)}
                  </Option>
                ))}
              </OptionGroup>
            )
          );
        })}
      </Combobox>
      {isMany && chosen.length > 0 && (
        <div className={styles.chosen}>
          {chosen.map((id) => (
            <Button
              key={id}
              size="small"
              shape="circular"
              className={styles.chip}
              icon={<DismissRegular />}
              iconPosition="after"
              aria-label={`Remove ${nameOf(id)}`}
              onClick={() => onChange(chosen.filter((each) => each !== id))}
            >
              {nameOf(id)}
            </Button>
          ))}
        </div>
      )}
    </Field>
  );
}

async function pick(
  source: TableSource,
  text: string,
  signal: AbortSignal,
): Promise<KnownColumn[]> {
  const found = await Promise.all(
    GROUPS.map(([group]) => source.columns({ group, text, limit: OFFERED, offset: 0 }, signal)),
  );
  return found.flatMap((each) => [...each.columns]);
}
