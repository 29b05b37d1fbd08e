/**
 * A plain table of many rows: only those in sight are drawn, headers sort, the head stays.
 *
 * For versions and runs with columns of people's choice there is `parts/table`.
 */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import { ArrowDownRegular, ArrowUpRegular } from "@fluentui/react-icons";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type ReactNode, useRef } from "react";

export interface ListColumn<Row> {
  readonly id: string;
  readonly title: string;
  /** A track of a CSS grid, such as `minmax(120px, 1fr)`. */
  readonly track: string;
  readonly render: (row: Row) => ReactNode;
  readonly isSortable?: boolean;
  readonly isNumber?: boolean;
  /** Left out on narrow screens. */
  readonly isExtra?: boolean;
}

export interface ListOrder {
  readonly id: string;
  readonly isFalling: boolean;
}

export interface ListTableProps<Row> {
  readonly label: string;
  readonly columns: readonly ListColumn<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly order?: ListOrder;
  readonly onOrder?: (order: ListOrder) => void;
}

const ROW_PX = 32;
const NARROW = "@media (max-width: 640px)";

const useStyles = makeStyles({
  frame: {
    overflow: "auto",
    minHeight: 0,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground1,
  },
  row: {
    display: "grid",
    gridTemplateColumns: "var(--tracks)",
    alignItems: "center",
    height: `${ROW_PX}px`,
    boxSizing: "border-box",
    borderBottom: `1px solid ${tokens.colorNeutralStroke3}`,
    [NARROW]: { gridTemplateColumns: "var(--narrow-tracks)" },
  },
  body: { position: "relative" },
  placed: {
    position: "absolute",
    insetInline: 0,
    top: 0,
    ":hover": { backgroundColor: tokens.colorNeutralBackground1Hover },
  },
  head: {
    position: "sticky",
    top: 0,
    zIndex: 1,
    height: "32px",
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke1}`,
  },
  cell: {
    minWidth: 0,
    paddingInline: tokens.spacingHorizontalM,
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
  },
  number: { textAlign: "end", fontVariantNumeric: "tabular-nums" },
  extra: { [NARROW]: { display: "none" } },
  title: {
    display: "inline-flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    minHeight: "28px",
    maxWidth: "100%",
    padding: 0,
    border: "none",
    backgroundColor: "transparent",
    color: "inherit",
    fontFamily: tokens.fontFamilyBase,
    fontSize: tokens.fontSizeBase200,
    fontWeight: tokens.fontWeightSemibold,
  },
  sortable: {
    cursor: "pointer",
    borderRadius: tokens.borderRadiusSmall,
    ":hover": { color: tokens.colorBrandForeground1 },
  },
});

export function ListTable<Row>(props: ListTableProps<Row>) {
  const { label, columns, rows, keyOf } = props;
  const styles = useStyles();
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => frame.current,
    estimateSize: () => ROW_PX,
    overscan: 12,
    initialRect: { width: 1000, height: 800 },
  });
  const tracks = {
    "--tracks": columns.map((column) => column.track).join(" "),
    "--narrow-tracks": columns
      .filter((column) => !column.isExtra)
      .map((column) => column.track)
      .join(" "),
  };
  return (
    <div
      ref={frame}
      className={styles.frame}
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      tabIndex={0}
      style={tracks as object}
    >
      <div role="rowgroup">
        <div role="row" className={mergeClasses(styles.row, styles.head)} aria-rowindex={1}>
          {columns.map((column) => (
            <Head key={column.id} column={column} {...props} />
          ))}
        </div>
      </div>
      <div role="rowgroup" className={styles.body} style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const row = rows[index];
          if (row === undefined) return null;
          return (
            <div
              key={keyOf(row)}
              role="row"
              aria-rowindex={index + 2}
              className={mergeClasses(styles.row, styles.placed)}
              style={{ transform: `translateY(${start}px)` }}
            >
              {columns.map((column) => (
                <div key={column.id} role="cell" className={cellClass(styles, column)}>
                  {column.render(row)}
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function cellClass<Row>(styles: ReturnType<typeof useStyles>, column: ListColumn<Row>) {
  return mergeClasses(
    styles.cell,
    column.isNumber && styles.number,
    column.isExtra && styles.extra,
  );
}

function Head<Row>({ column, order, onOrder }: { column: ListColumn<Row> } & ListTableProps<Row>) {
  const styles = useStyles();
  const isFalling = order?.id === column.id ? order.isFalling : undefined;
  const sorted = isFalling === undefined ? "none" : isFalling ? "descending" : "ascending";
  return (
    <div
      role="columnheader"
      className={cellClass(styles, column)}
      aria-sort={column.isSortable ? sorted : undefined}
    >
      {column.isSortable && onOrder ? (
        <button
          type="button"
          className={mergeClasses(styles.title, styles.sortable)}
          onClick={() => onOrder({ id: column.id, isFalling: isFalling === false })}
        >
          {column.title}
          {isFalling === true && <ArrowDownRegular />}
          {isFalling === false && <ArrowUpRegular />}
        </button>
      ) : (
        <span className={styles.title}>{column.title}</span>
      )}
    </div>
  );
}
