/** The head of a table file; only rows in sight are drawn, columns up to a number. */
import { makeStyles, mergeClasses, Text, tokens } from "@fluentui/react-components";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { plural } from "@/lib/format.ts";

const ROW_PX = 28;
const COLUMNS_MAX = 100;
/** Rows that are looked at to tell columns of numbers. */
const LOOKED_AT = 100;

const useStyles = makeStyles({
  frame: {
    overflow: "auto",
    maxHeight: "440px",
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
  },
  table: { borderCollapse: "collapse", fontSize: tokens.fontSizeBase200, minWidth: "100%" },
  head: {
    position: "sticky",
    top: 0,
    backgroundColor: tokens.colorNeutralBackground3,
    textAlign: "start",
    fontWeight: tokens.fontWeightSemibold,
    paddingInline: tokens.spacingHorizontalS,
    height: `${ROW_PX}px`,
    whiteSpace: "nowrap",
  },
  cell: {
    height: `${ROW_PX}px`,
    boxSizing: "border-box",
    paddingBlock: 0,
    paddingInline: tokens.spacingHorizontalS,
    maxWidth: "320px",
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    fontVariantNumeric: "tabular-nums",
    borderTop: `1px solid ${tokens.colorNeutralStroke3}`,
  },
  number: { textAlign: "end" },
  note: { display: "block", marginBottom: "8px", color: tokens.colorNeutralForeground3 },
});

export interface PreviewTableProps {
  readonly label: string;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
  /** What the file holds in all, where it is known. */
  readonly total?: number;
}

export function PreviewTable({ label, columns, rows, total }: PreviewTableProps) {
  const styles = useStyles();
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_PX,
    overscan: 20,
    initialRect: { width: 800, height: 440 },
  });
  const shown = columns.slice(0, COLUMNS_MAX);
  const areNumbers = useMemo(
    () => columns.slice(0, COLUMNS_MAX).map((_, at) => isOfNumbers(rows, at)),
    [columns, rows],
  );
  const items = virtual.getVirtualItems();
  const before = items[0]?.start ?? 0;
  const after = virtual.getTotalSize() - (items.at(-1)?.end ?? 0);
  return (
    <>
      <Text size={200} className={styles.note}>
        {total === undefined
          ? `The first ${plural(rows.length, "row")}`
          : `${plural(rows.length, "row")} of ${plural(total, "row")}`}
        , {plural(columns.length, "column")}
        {columns.length > COLUMNS_MAX && `, ${COLUMNS_MAX} shown`}
      </Text>
      <div ref={frame} className={styles.frame} tabIndex={0} role="region" aria-label={label}>
        <table className={styles.table}>
          <thead>
            <tr>
              {shown.map((column, at) => (
                <th
                  key={at}
                  className={mergeClasses(styles.head, areNumbers[at] && styles.number)}
                  scope="col"
                  dir="auto"
                >
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {before > 0 && <tr style={{ height: before }} />}
            {items.map(({ index }) => (
              <tr key={index}>
                {shown.map((_, at) => (
                  <td
                    key={at}
                    className={mergeClasses(styles.cell, areNumbers[at] && styles.number)}
                    dir="auto"
                    title={rows[index]?.[at]}
                  >
                    {rows[index]?.[at]}
                  </td>
                ))}
              </tr>
            ))}
            {after > 0 && <tr style={{ height: after }} />}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** Whether a column holds numbers, as far as its first rows tell. */
function isOfNumbers(rows: PreviewTableProps["rows"], at: number): boolean {
  const texts = rows.slice(0, LOOKED_AT).flatMap((row) => (row[at] ? [row[at]] : []));
  return texts.length > 0 && texts.every((text) => !Number.isNaN(Number(text)));
}
