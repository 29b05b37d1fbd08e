/**
 * The table: rows and columns of a source, only those in sight drawn and fetched.
 *
 * `source` answers; `columns` are already placed (`placeColumns`), the first and pinned ones stand
 * still; layout, orders and selection belong to the caller (they are in the address) and change
 * through `onLayout`, `onOrders`, `onSelection`. `renderCell` may draw a cell itself (links,
 * badges); what it gives nothing for is drawn as text. `onOpen` is Enter on a row.
 *
 * Keys: arrows, Page Up and Down, Home, End, j, k move; Space or x selects, Shift extends; Enter
 * opens, on a header sorts; Alt with arrows moves a header's column, Alt+Down opens its menu;
 * Ctrl+C copies the selected rows as CSV. Always holds: the grid is one stop of the Tab key.
 */
import { makeStyles, mergeClasses, tokens, useId } from "@fluentui/react-components";
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  type KeyboardEvent,
  type ReactNode,
  useCallback,
  useEffect,
  useMemo,
  useRef,
  useState,
} from "react";
import { useNow } from "@/parts/TimeText.tsx";
import { useHovered } from "../chart/hover.ts";
import { assignSlots, colourOfSlot } from "../chart/palette.ts";
import { type Layout, moveColumn, type PlacedColumn, resizeColumn } from "./columns.ts";
import { GridRow, GUTTER, type RenderCell, ROW_HEIGHT } from "./GridRow.tsx";
import { HeaderCell } from "./HeaderCell.tsx";
import { HeaderMenu } from "./HeaderMenu.tsx";
import { nextOrders, type Order, orderTexts } from "./orders.ts";
import { applyRange, SELECTED_MAX, toggleKey } from "./selection.ts";
import type { Summary, TableSource } from "./source.ts";
import { useRows } from "./useRows.ts";

const OVERSCAN_ROWS = 10;
const NARROW = 560;

const useStyles = makeStyles({
  grid: {
    position: "relative",
    flexGrow: 1,
    minHeight: 0,
    overflow: "auto",
    outlineStyle: "none",
    backgroundColor: tokens.colorNeutralBackground1,
    fontSize: tokens.fontSizeBase200,
    // Overlapping sticky cells are painted in a layer of their own.
    isolation: "isolate",
    ":focus-visible": { boxShadow: `inset 0 0 0 2px ${tokens.colorStrokeFocus2}` },
  },
  head: {
    position: "sticky",
    top: 0,
    zIndex: 3,
    display: "flex",
    height: `${ROW_HEIGHT}px`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke1}`,
  },
  still: { position: "sticky", zIndex: 2 },
  gutter: {
    left: 0,
    width: `${GUTTER}px`,
    flexShrink: 0,
    boxSizing: "border-box",
    backgroundColor: tokens.colorNeutralBackground3,
  },
  body: { position: "relative" },
  state: {
    position: "sticky",
    left: 0,
    boxSizing: "border-box",
    padding: tokens.spacingHorizontalL,
  },
});

export interface DataGridProps {
  readonly source: TableSource;
  readonly label: string;
  readonly columns: readonly PlacedColumn[];
  readonly layout: Layout;
  readonly usual: readonly string[];
  readonly filter: string;
  readonly orders: readonly Order[];
  readonly selection: readonly string[];
  /** Selected rows that no chart draws. */
  readonly hidden: ReadonlySet<string>;
  readonly isDark: boolean;
  readonly best: (key: string) => Summary | undefined;
  readonly renderCell?: RenderCell | undefined;
  readonly onLayout: (layout: Layout) => void;
  readonly onOrders: (orders: readonly Order[]) => void;
  readonly onSelection: (keys: readonly string[]) => void;
  readonly onEye: (key: string) => void;
  readonly onOpen?: ((key: string) => void) | undefined;
  readonly onCopy: () => void;
  /** What is shown when there are no rows, or when the rows could not be had. */
  readonly empty: ReactNode;
  readonly failed: (error: unknown, retry: () => void) => ReactNode;
}

export function DataGrid(props: DataGridProps) {
  const {
    source,
    columns,
    layout,
    usual,
    filter,
    orders,
    selection,
    onLayout,
    onOrders,
    onSelection,
  } = props;
  const styles = useStyles();
  const id = useId("grid");
  const now = useNow();
  const hovered = useHovered();
  const scroll = useRef<HTMLDivElement>(null);
  const anchor = useRef(0);
  const [active, setActive] = useState<{ row: number; column: number } | null>(null);
  const [menu, setMenu] = useState<{ id: string; target: HTMLElement } | null>(null);
  const [width, setWidth] = useState(1000);
  useEffect(() => {
    const element = scroll.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const { pinned, loose, offset } = useMemo(() => splitColumns(columns, width), [columns, width]);
  const looseIds = useMemo(() => loose.map((column) => column.id), [loose]);
  // The run is asked for whether it is shown or not: cells may link to it.
  const pinnedIds = useMemo(
    () => [...new Set([...pinned.map((column) => column.id), source.runColumn])],
    [pinned, source],
  );

  // What it returns is only called here and in event handlers, never handed to memoised parts.

  const across = useVirtualizer({
    horizontal: true,
    count: loose.length,
    getScrollElement: () => scroll.current,
    estimateSize: (n) => loose[n]?.width ?? 100,
    scrollMargin: offset,
    scrollPaddingStart: offset,
    overscan: 3,
    useFlushSync: false,
  });
  const [count, setCount] = useState(0);
  const down = useVirtualizer({
    count,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    scrollPaddingStart: ROW_HEIGHT,
    overscan: OVERSCAN_ROWS,
    useFlushSync: false,
  });
  useEffect(() => across.measure(), [across, loose]);
  const shownRows = down.getVirtualItems();
  const shownColumns = across.getVirtualItems();
  const first = shownColumns[0];
  const last = shownColumns[shownColumns.length - 1];
  const before = (first?.start ?? offset) - offset;
  const after = across.getTotalSize() - ((last?.end ?? offset) - offset);
  const inSight = useMemo(
    () => loose.slice(first?.index ?? 0, (last?.index ?? -1) + 1),
    [loose, first?.index, last?.index],
  );
  const rows = useRows({
    source,
    pinned: pinnedIds,
    loose: looseIds,
    filter,
    orders,
    window: {
      firstRow: shownRows[0]?.index ?? 0,
      lastRow: shownRows[shownRows.length - 1]?.index ?? 0,
      firstColumn: first?.index ?? 0,
      lastColumn: last?.index ?? 0,
    },
  });
  const total = rows.total ?? 0;
  if (count !== total) setCount(total);
  useEffect(() => {
    scroll.current?.scrollTo({ top: 0 });
  }, [filter, orders]);

  const selected = useMemo(() => new Set(selection), [selection]);
  const slots = useMemo(() => assignSlots(selection), [selection]);
  const latest = useRef({ selection, filter, orders, source, onSelection });
  useEffect(() => {
    latest.current = { selection, filter, orders, source, onSelection };
  });
  const select = useCallback((key: string, place: number, range: boolean) => {
    const now = latest.current;
    const from = anchor.current;
    anchor.current = place;
    if (!range || from === place) {
      now.onSelection(toggleKey(now.selection, key));
      return;
    }
    const offset = Math.min(from, place);
    const limit = Math.min(Math.abs(place - from) + 1, SELECTED_MAX);
    const asked = {
      columns: [now.source.keyColumn],
      filter: now.filter,
      orderBy: orderTexts(now.orders),
      offset,
      limit,
    };
    void now.source.search(asked).then((table) => {
      const keys = table.rows.map((row) => row.key);
      const { selection: chosen, onSelection: choose } = latest.current;
      choose(applyRange(chosen, place < from ? keys.reverse() : keys, key));
    });
  }, []);
  const point = useCallback((row: number, column: number) => setActive({ row, column }), []);
  const sort = useCallback(
    (column: string, add: boolean) => onOrders(nextOrders(orders, column, add)),
    [orders, onOrders],
  );
  const openMenu = useCallback(
    (column: string, target: HTMLElement) => setMenu({ id: column, target }),
    [],
  );
  const drop = useCallback(
    (column: string, place: number) => onLayout(moveColumn(layout, usual, column, place)),
    [layout, usual, onLayout],
  );
  const resize = useCallback(
    (column: string, size: number) => onLayout(resizeColumn(layout, column, size)),
    [layout, onLayout],
  );

  const goTo = (row: number, column: number) => {
    const next = {
      row: Math.max(-1, Math.min(row, total - 1)),
      column: Math.max(0, Math.min(column, columns.length - 1)),
    };
    setActive(next);
    if (next.row >= 0) down.scrollToIndex(next.row);
    const place = next.column - pinned.length;
    if (place >= 0) across.scrollToIndex(place);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const at = active ?? { row: 0, column: 0 };
    const done = onGridKey(event, at, {
      page: Math.max(1, Math.floor((scroll.current?.clientHeight ?? 400) / ROW_HEIGHT) - 2),
      rows: total,
      columns: columns.length,
      goTo: active === null ? () => goTo(0, 0) : goTo,
      select: (range) => {
        const row = rows.rows.get(at.row);
        if (row) select(row.key, at.row, range);
      },
      open: () => {
        const row = rows.rows.get(at.row);
        if (row) props.onOpen?.(row.key);
      },
      sort: (add) => {
        const column = columns[at.column];
        if (column?.sortable) sort(column.id, add);
      },
      move: (by) => {
        const column = columns[at.column];
        if (!column || at.column === 0) return;
        drop(column.id, at.column + by);
        goTo(at.row, Math.max(1, at.column + by));
      },
      menu: () => {
        const column = columns[at.column];
        const target = document.getElementById(`${id}-h-${at.column}`);
        if (column && target) openMenu(column.id, target);
      },
      copy: props.onCopy,
    });
    if (done) event.preventDefault();
  };

  const menuColumn = columns.find((column) => column.id === menu?.id);
  const fullWidth = offset + across.getTotalSize();
  const header = (column: PlacedColumn & { place: number }, left?: number) => (
    <HeaderCell
      key={column.id}
      id={`${id}-h-${column.place}`}
      column={column}
      place={column.place}
      style={
        left === undefined
          ? { width: column.width }
          : { width: column.width, left, position: "sticky", zIndex: 2 }
      }
      orders={orders}
      isActive={active?.row === -1 && active.column === column.place}
      onSort={sort}
      onMenu={openMenu}
      onDrop={drop}
      onResize={resize}
    />
  );
  return (
    <div
      ref={scroll}
      role="grid"
      aria-label={props.label}
      aria-rowcount={total + 1}
      aria-colcount={columns.length + 1}
      aria-multiselectable
      aria-busy={rows.isFetching}
      aria-activedescendant={
        active === null
          ? undefined
          : active.row < 0
            ? `${id}-h-${active.column}`
            : `${id}-${active.row}-${active.column}`
      }
      tabIndex={0}
      className={styles.grid}
      onKeyDown={onKeyDown}
      onCopy={(event) => {
        if (document.getSelection()?.isCollapsed === false) return;
        event.preventDefault();
        props.onCopy();
      }}
    >
      <div role="rowgroup" style={{ width: fullWidth }} className={styles.head}>
        <div role="row" aria-rowindex={1} style={{ display: "flex", width: fullWidth }}>
          <div
            role="columnheader"
            aria-colindex={1}
            aria-label="Selection"
            className={mergeClasses(styles.still, styles.gutter)}
          />
          {pinned.map((column) => header(column, column.left))}
          <div role="presentation" style={{ width: before, flexShrink: 0 }} />
          {inSight.map((column) => header(column))}
        </div>
      </div>
      {rows.error !== undefined ? (
        <div className={styles.state} style={{ width }}>
          {props.failed(rows.error, rows.retry)}
        </div>
      ) : rows.total === 0 ? (
        <div className={styles.state} style={{ width }}>
          {props.empty}
        </div>
      ) : (
        <div
          role="rowgroup"
          className={styles.body}
          style={{ height: down.getTotalSize(), width: fullWidth }}
        >
          {shownRows.map(({ index }) => {
            const row = rows.rows.get(index);
            const isSelected = row !== undefined && selected.has(row.key);
            return (
              <GridRow
                key={index}
                idPrefix={id}
                place={index}
                row={row}
                pinned={pinned}
                loose={inSight}
                before={before}
                after={Math.max(0, after)}
                width={fullWidth}
                isSelected={isSelected}
                isHovered={hovered !== "" && row?.key === hovered}
                isVisible={isSelected && !props.hidden.has(row.key)}
                colour={isSelected ? colourOfSlot(slots.get(row.key) ?? 0, props.isDark) : ""}
                activeColumn={active?.row === index ? active.column : -1}
                now={now}
                renderCell={props.renderCell}
                onSelect={select}
                onEye={props.onEye}
                onPoint={point}
              />
            );
          })}
        </div>
      )}
      {menu && menuColumn && (
        <HeaderMenu
          column={menuColumn}
          target={menu.target}
          isFirst={columns[0]?.id === menu.id}
          layout={layout}
          usual={usual}
          orders={orders}
          summaries={source.summaries}
          best={props.best}
          onLayout={onLayout}
          onOrders={onOrders}
          onClose={() => {
            setMenu(null);
            scroll.current?.focus();
          }}
        />
      )}
    </div>
  );
}

function splitColumns(columns: readonly PlacedColumn[], width: number) {
  const placed = columns.map((column, place) => ({ ...column, place }));
  // On a narrow screen only the first column stands still, and not all of it.
  const still = placed.filter((column) => (width < NARROW ? column.place === 0 : column.pinned));
  let left = GUTTER;
  const pinned = still.map((column) => {
    const size =
      width < NARROW
        ? Math.min(column.width, Math.max(96, Math.round(width * 0.38)))
        : column.width;
    const made = { ...column, width: size, left };
    left += size;
    return made;
  });
  const apart = new Set(still.map((column) => column.id));
  return { pinned, loose: placed.filter((column) => !apart.has(column.id)), offset: left };
}

interface GridActions {
  readonly page: number;
  readonly rows: number;
  readonly columns: number;
  readonly goTo: (row: number, column: number) => void;
  readonly select: (range: boolean) => void;
  readonly open: () => void;
  readonly sort: (add: boolean) => void;
  readonly move: (by: 1 | -1) => void;
  readonly menu: () => void;
  readonly copy: () => void;
}

/** Does what a key means in the grid; whether it means anything. */
function onGridKey(
  event: KeyboardEvent,
  at: { row: number; column: number },
  does: GridActions,
): boolean {
  const { row, column } = at;
  const isHeader = row < 0;
  if (event.altKey) {
    if (!isHeader) return false;
    if (event.key === "ArrowLeft") does.move(-1);
    else if (event.key === "ArrowRight") does.move(1);
    else if (event.key === "ArrowDown") does.menu();
    else return false;
    return true;
  }
  if (event.ctrlKey || event.metaKey) {
    if (event.key === "Home") does.goTo(0, 0);
    else if (event.key === "End") does.goTo(does.rows - 1, does.columns - 1);
    else if (event.key === "c") does.copy();
    else return false;
    return true;
  }
  switch (event.key) {
    case "ArrowDown":
    case "j":
    case "ArrowUp":
    case "k": {
      const by = event.key === "ArrowDown" || event.key === "j" ? 1 : -1;
      does.goTo(row + by, column);
      return true;
    }
    case "ArrowRight":
      does.goTo(row, column + 1);
      return true;
    case "ArrowLeft":
      does.goTo(row, column - 1);
      return true;
    case "PageDown":
      does.goTo(row + does.page, column);
      return true;
    case "PageUp":
      does.goTo(Math.max(0, row - does.page), column);
      return true;
    case "Home":
      does.goTo(row, 0);
      return true;
    case "End":
      does.goTo(row, does.columns - 1);
      return true;
    case "Enter":
      if (isHeader) does.sort(event.shiftKey);
      else does.open();
      return true;
    case " ":
    case "x":
    case "X":
      if (isHeader) does.sort(event.shiftKey);
      else does.select(event.shiftKey);
      return true;
    case "ContextMenu":
      does.menu();
      return true;
    default:
      return false;
  }
}
