/** One header: its name, its place in the order, a menu, and an edge to drag. */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import { ArrowDownFilled, ArrowUpFilled, ChevronDownRegular } from "@fluentui/react-icons";
import { type CSSProperties, memo, useRef, useState } from "react";
import { columnTitle, type PlacedColumn } from "./columns.ts";
import type { Order } from "./orders.ts";

const useStyles = makeStyles({
  cell: {
    position: "relative",
    boxSizing: "border-box",
    display: "flex",
    alignItems: "center",
    flexShrink: 0,
    height: "100%",
    backgroundColor: tokens.colorNeutralBackground3,
    borderRight: `1px solid ${tokens.colorNeutralStroke3}`,
    fontWeight: tokens.fontWeightSemibold,
    ":hover > [data-menu]": { opacity: 1 },
    ":focus-within > [data-menu]": { opacity: 1 },
  },
  active: { outline: `2px solid ${tokens.colorStrokeFocus2}`, outlineOffset: "-2px" },
  over: { boxShadow: `inset 2px 0 0 ${tokens.colorBrandStroke1}` },
  name: {
    flexGrow: 1,
    minWidth: 0,
    height: "100%",
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXXS,
    paddingInline: tokens.spacingHorizontalS,
    cursor: "pointer",
    userSelect: "none",
  },
  // The menu lies over what is left of a number's header, so that headers end where numbers end.
  right: { flexDirection: "row-reverse" },
  leftMenu: {
    position: "absolute",
    left: "2px",
    backgroundColor: tokens.colorNeutralBackground3,
  },
  text: { minWidth: 0, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  order: { display: "inline-flex", alignItems: "center", fontSize: tokens.fontSizeBase100 },
  menu: {
    flexShrink: 0,
    width: "24px",
    height: "24px",
    padding: 0,
    border: "none",
    borderRadius: tokens.borderRadiusMedium,
    background: "none",
    color: tokens.colorNeutralForeground2,
    cursor: "pointer",
    opacity: 0,
    ":hover": { backgroundColor: tokens.colorNeutralBackground3Hover },
    "@media (hover: none)": { opacity: 1 },
  },
  edge: {
    position: "absolute",
    top: 0,
    right: "-4px",
    width: "8px",
    height: "100%",
    cursor: "col-resize",
    touchAction: "none",
    zIndex: 1,
    ":hover": { backgroundColor: tokens.colorNeutralStroke1 },
  },
});

export interface HeaderCellProps {
  readonly id: string;
  readonly column: PlacedColumn;
  readonly place: number;
  readonly style: CSSProperties;
  readonly orders: readonly Order[];
  readonly isActive: boolean;
  readonly onSort: (id: string, add: boolean) => void;
  readonly onMenu: (id: string, target: HTMLElement) => void;
  readonly onDrop: (id: string, place: number) => void;
  readonly onResize: (id: string, width: number) => void;
}

export const HeaderCell = memo(function HeaderCell(props: HeaderCellProps) {
  const { column, place, style, orders, isActive, onSort, onMenu, onDrop, onResize } = props;
  const styles = useStyles();
  const [isOver, setOver] = useState(false);
  const cell = useRef<HTMLDivElement>(null);
  const at = orders.findIndex((order) => order.id === column.id);
  const order = orders[at];
  const title = columnTitle(column);
  const isRight = place > 0 && (column.kind === "number" || column.kind === "duration");
  return (
    <div
      ref={cell}
      id={props.id}
      role="columnheader"
      aria-colindex={place + 2}
      aria-sort={order ? (order.falling ? "descending" : "ascending") : "none"}
      className={mergeClasses(styles.cell, isActive && styles.active, isOver && styles.over)}
      style={style}
      onDragOver={(event) => {
        if (place === 0 || !event.dataTransfer.types.includes("text/x-column")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        onDrop(event.dataTransfer.getData("text/x-column"), place);
      }}
    >
      <div
        className={mergeClasses(styles.name, isRight && styles.right)}
        title={`${title}${column.sortable ? "\nClick sorts, with Shift in addition" : ""}`}
        draggable={place > 0}
        onDragStart={(event) => {
          event.dataTransfer.setData("text/x-column", column.id);
          event.dataTransfer.effectAllowed = "move";
        }}
        onClick={(event) => {
          if (column.sortable) onSort(column.id, event.shiftKey);
        }}
      >
        <span className={styles.text}>{title}</span>
        {order && (
          <span className={styles.order} aria-hidden>
            {order.falling ? <ArrowDownFilled /> : <ArrowUpFilled />}
            {orders.length > 1 ? at + 1 : ""}
          </span>
        )}
      </div>
      <button
        type="button"
        data-menu
        tabIndex={-1}
        className={mergeClasses(styles.menu, isRight && styles.leftMenu)}
        aria-label={`Options of ${title}`}
        aria-haspopup="menu"
        onClick={(event) => onMenu(column.id, event.currentTarget)}
      >
        <ChevronDownRegular />
      </button>
      <div
        className={styles.edge}
        aria-hidden
        onPointerDown={(event) => {
          event.preventDefault();
          const start = event.clientX;
          const edge = event.currentTarget;
          edge.setPointerCapture(event.pointerId);
          const resize = (move: PointerEvent) =>
            onResize(column.id, column.width + move.clientX - start);
          edge.addEventListener("pointermove", resize);
          edge.addEventListener(
            "lostpointercapture",
            () => edge.removeEventListener("pointermove", resize),
            {
              once: true,
            },
          );
        }}
      />
    </div>
  );
});
