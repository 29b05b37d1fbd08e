/** Many pairs of a name and a text, such as hyperparameters: found by typing, only those in sight drawn. */
import { Input, makeStyles, Text, tokens } from "@fluentui/react-components";
import { SearchRegular } from "@fluentui/react-icons";
import { useMemo, useState } from "react";
import { type ListColumn, ListTable } from "./ListTable.tsx";

/** From so many on they can be searched. */
const SEARCHED_FROM = 8;

const useStyles = makeStyles({
  frame: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalS,
    maxHeight: "400px",
    minHeight: 0,
  },
  none: { color: tokens.colorNeutralForeground3 },
  value: { fontFamily: tokens.fontFamilyMonospace, fontSize: tokens.fontSizeBase200 },
});

export interface KeyValueTableProps {
  readonly label: string;
  readonly pairs: Readonly<Record<string, string>>;
  /** Said where there are none. */
  readonly none: string;
}

export function KeyValueTable({ label, pairs, none }: KeyValueTableProps) {
  const styles = useStyles();
  const [text, setText] = useState("");
  const all = useMemo(() => Object.entries(pairs), [pairs]);
  const rows = useMemo(() => {
    const wanted = text.toLowerCase();
    return all.filter((pair) => pair.some((part) => part.toLowerCase().includes(wanted)));
  }, [all, text]);
  const columns = useMemo<ListColumn<readonly [string, string]>[]>(
    () => [
      {
        id: "name",
        title: "Name",
        track: "minmax(96px, 1fr)",
        render: ([key]) => (
          <span title={key} dir="auto">
            {key}
          </span>
        ),
      },
      {
        id: "value",
        title: "Value",
        track: "minmax(96px, 1.4fr)",
        render: ([, value]) => (
          <span className={styles.value} title={value.slice(0, 2000)} dir="auto">
            {value.slice(0, 400)}
          </span>
        ),
      },
    ],
    [styles],
  );
  if (all.length === 0) return <Text className={styles.none}>{none}</Text>;
  return (
    <div className={styles.frame}>
      {all.length >= SEARCHED_FROM && (
        <Input
          size="small"
          aria-label={`Search ${label.toLowerCase()}`}
          placeholder="Search"
          contentBefore={<SearchRegular />}
          value={text}
          onChange={(_event, data) => setText(data.value)}
        />
      )}
      <ListTable label={label} columns={columns} rows={rows} keyOf={([key]) => key} />
    </div>
  );
}
