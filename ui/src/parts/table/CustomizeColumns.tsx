/**
 * The pane that chooses columns: four groups, each searched on the server, however many there are.
 *
 * Changes show at once through `onLayout`. The chosen ones stand in a list of their own, ordered
 * by dragging, or with Alt and the arrows on a focused one.
 */
import {
  Button,
  Checkbox,
  DrawerBody,
  DrawerHeader,
  DrawerHeaderTitle,
  makeStyles,
  mergeClasses,
  OverlayDrawer,
  SearchBox,
  Switch,
  Tab,
  TabList,
  Text,
  tokens,
} from "@fluentui/react-components";
import { DismissRegular, ReOrderDotsVerticalRegular } from "@fluentui/react-icons";
import { keepPreviousData, useInfiniteQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type KeyboardEvent, useDeferredValue, useEffect, useRef, useState } from "react";
import { countText } from "@/lib/format.ts";
import {
  columnOf,
  columnTitle,
  hideColumn,
  type Layout,
  moveColumn,
  NOTHING_CHOSEN,
  showColumn,
  shownIds,
} from "./columns.ts";
import type { Group, KnownColumn, TableSource } from "./source.ts";

const PAGE = 500;
const HEIGHT = 32;
const TABS: readonly (readonly [Group | "shown", string])[] = [
  ["shown", "Shown"],
  ["property", "Properties"],
  ["metric", "Metrics"],
  ["tag", "Tags"],
  ["param", "Params"],
];

const useStyles = makeStyles({
  drawer: { width: "min(480px, 100vw)" },
  body: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalS,
    paddingBottom: tokens.spacingVerticalL,
    overflow: "hidden",
  },
  tabs: { flexWrap: "wrap", marginInline: `calc(-1 * ${tokens.spacingHorizontalS})` },
  list: {
    position: "relative",
    flexGrow: 1,
    minHeight: 0,
    overflow: "auto",
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
  },
  entry: {
    position: "absolute",
    left: 0,
    right: 0,
    height: `${HEIGHT}px`,
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    paddingInline: tokens.spacingHorizontalS,
    boxSizing: "border-box",
  },
  movable: {
    cursor: "grab",
    ":focus-visible": { outline: `2px solid ${tokens.colorStrokeFocus2}`, outlineOffset: "-2px" },
  },
  over: { boxShadow: `inset 0 2px 0 ${tokens.colorBrandStroke1}` },
  name: {
    flexGrow: 1,
    minWidth: 0,
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
  },
  faint: { flexShrink: 0, color: tokens.colorNeutralForeground3 },
  foot: {
    display: "flex",
    justifyContent: "space-between",
    flexWrap: "wrap",
    gap: tokens.spacingHorizontalS,
  },
});

export interface CustomizeColumnsProps {
  readonly source: TableSource;
  readonly known: ReadonlyMap<string, KnownColumn>;
  readonly usual: readonly string[];
  readonly groups: Readonly<Record<string, number>>;
  readonly layout: Layout;
  readonly onLayout: (layout: Layout) => void;
  readonly onClose: () => void;
}

export function CustomizeColumns(props: CustomizeColumnsProps) {
  const { layout, usual, groups, onLayout, onClose } = props;
  const styles = useStyles();
  const [tab, setTab] = useState<Group | "shown">("shown");
  const [text, setText] = useState("");
  const shown = shownIds(layout, usual);
  return (
    <OverlayDrawer
      open
      position="end"
      modalType="modal"
      className={styles.drawer}
      aria-label="Customize columns"
      onOpenChange={(_event, data) => {
        if (!data.open) onClose();
      }}
    >
      <DrawerHeader>
        <DrawerHeaderTitle
          action={
            <Button
              appearance="subtle"
              icon={<DismissRegular />}
              aria-label="Close"
              onClick={onClose}
            />
          }
        >
          Customize columns
        </DrawerHeaderTitle>
      </DrawerHeader>
      <DrawerBody className={styles.body}>
        <TabList
          size="small"
          className={styles.tabs}
          selectedValue={tab}
          onTabSelect={(_event, data) => {
            setTab(data.value as Group | "shown");
            setText("");
          }}
        >
          {TABS.map(([value, label]) => (
            <Tab key={value} value={value}>
              {label} {countText(value === "shown" ? shown.length : (groups[value] ?? 0))}
            </Tab>
          ))}
        </TabList>
        <SearchBox
          aria-label="Search columns"
          placeholder="Search"
          value={text}
          onChange={(_event, data) => setText(data.value)}
        />
        {tab === "shown" ? (
          <ShownList {...props} text={text} />
        ) : (
          <GroupList key={tab} {...props} group={tab} text={text} />
        )}
        <div className={styles.foot}>
          <Switch
            label="Hide columns with one value only"
            checked={layout.hideConstant}
            onChange={(_event, data) => onLayout({ ...layout, hideConstant: data.checked })}
          />
          <Button
            onClick={() => onLayout({ ...NOTHING_CHOSEN, widths: layout.widths })}
            disabled={layout.shown === null && layout.hidden.length === 0}
          >
            Reset columns
          </Button>
        </div>
      </DrawerBody>
    </OverlayDrawer>
  );
}

function ShownList({
  known,
  usual,
  layout,
  onLayout,
  text,
}: CustomizeColumnsProps & { text: string }) {
  const styles = useStyles();
  const list = useRef<HTMLDivElement>(null);
  const [over, setOver] = useState("");
  const [moved, setMoved] = useState("");
  const all = shownIds(layout, usual);
  const ids = all.filter((id) => id.toLowerCase().includes(text.toLowerCase()));
  const virtual = useList(list, ids.length);
  useEffect(() => {
    if (moved !== "") document.getElementById(`shown ${moved}`)?.focus();
  }, [moved, layout]);
  const onKey = (event: KeyboardEvent, id: string) => {
    const down = event.key === "ArrowDown";
    if (!down && event.key !== "ArrowUp") return;
    event.preventDefault();
    const place = all.indexOf(id) + (down ? 1 : -1);
    if (event.altKey) {
      if (place < 1) return;
      onLayout(moveColumn(layout, usual, id, place));
      setMoved(id);
    } else {
      const next = ids[ids.indexOf(id) + (down ? 1 : -1)];
      if (next !== undefined) document.getElementById(`shown ${next}`)?.focus();
    }
  };
  return (
    <div ref={list} className={styles.list} role="list" aria-label="Columns in their order">
      <div style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const id = ids[index] ?? "";
          const column = columnOf(id, known);
          const isFirst = all[0] === id;
          return (
            <div
              key={id}
              role="listitem"
              className={mergeClasses(
                styles.entry,
                !isFirst && styles.movable,
                over === id && styles.over,
              )}
              style={{ top: start }}
              id={`shown ${id}`}
              tabIndex={0}
              aria-label={`${columnTitle(column)}, ${all.indexOf(id) + 1} of ${all.length}. Alt and arrows move it`}
              draggable={!isFirst}
              onDragStart={(event) => event.dataTransfer.setData("text/x-column", id)}
              onDragOver={(event) => {
                if (isFirst) return;
                event.preventDefault();
                setOver(id);
              }}
              onDragEnd={() => setOver("")}
              onDrop={(event) => {
                setOver("");
                onLayout(
                  moveColumn(
                    layout,
                    usual,
                    event.dataTransfer.getData("text/x-column"),
                    all.indexOf(id),
                  ),
                );
              }}
              onKeyDown={(event) => onKey(event, id)}
            >
              <ReOrderDotsVerticalRegular aria-hidden className={styles.faint} />
              <span className={styles.name} title={id} dir="auto">
                {columnTitle(column)}
              </span>
              <Text size={100} className={styles.faint}>
                {column.group}
              </Text>
              <Button
                size="small"
                appearance="subtle"
                icon={<DismissRegular />}
                disabled={isFirst}
                aria-label={`Hide ${columnTitle(column)}`}
                onClick={() => onLayout(hideColumn(layout, id))}
              />
            </div>
          );
        })}
      </div>
    </div>
  );
}

function GroupList(props: CustomizeColumnsProps & { group: Group; text: string }) {
  const { source, usual, layout, onLayout, group } = props;
  const styles = useStyles();
  const text = useDeferredValue(props.text);
  const list = useRef<HTMLDivElement>(null);
  const found = useInfiniteQuery({
    queryKey: [...source.id, "catalogue", group, text],
    queryFn: ({ signal, pageParam }) =>
      source.columns({ group, text, limit: PAGE, offset: pageParam }, signal),
    initialPageParam: 0,
    getNextPageParam: (_last, pages) => pages.length * PAGE,
    placeholderData: keepPreviousData,
    meta: { watch: source.watch },
  });
  const columns = found.data?.pages.flatMap((page) => page.columns) ?? [];
  const total = found.data?.pages[0]?.total ?? 0;
  const virtual = useList(list, total);
  const items = virtual.getVirtualItems();
  const last = items[items.length - 1]?.index ?? 0;
  const { fetchNextPage, isFetchingNextPage } = found;
  useEffect(() => {
    if (last >= columns.length && columns.length < total && !isFetchingNextPage)
      void fetchNextPage();
  }, [last, columns.length, total, isFetchingNextPage, fetchNextPage]);
  const shown = new Set(shownIds(layout, usual));
  return (
    <div ref={list} className={styles.list} role="group" aria-label="Columns to show">
      <div style={{ height: virtual.getTotalSize() }}>
        {items.map(({ index, start }) => {
          const column = columns[index];
          return (
            <div key={index} className={styles.entry} style={{ top: start }}>
              {column && (
                <>
                  <Checkbox
                    className={styles.name}
                    checked={shown.has(column.id)}
                    label={<span dir="auto">{columnTitle(column)}</span>}
                    title={column.id}
                    onChange={(_event, data) =>
                      onLayout(
                        data.checked === true
                          ? showColumn(layout, usual, column.id)
                          : hideColumn(layout, column.id),
                      )
                    }
                  />
                  {column.count > 0 && (
                    <Text size={100} className={styles.faint}>
                      {countText(column.count)}
                      {column.count >= 1000 ? "+" : ""}
                    </Text>
                  )}
                </>
              )}
            </div>
          );
        })}
        {found.data && total === 0 && <Text className={styles.entry}>Nothing has this name.</Text>}
      </div>
    </div>
  );
}

function useList(list: React.RefObject<HTMLDivElement | null>, count: number) {
  // What it returns is only called while drawing, never handed to memoised parts.

  return useVirtualizer({
    count,
    getScrollElement: () => list.current,
    estimateSize: () => HEIGHT,
    overscan: 8,
    useFlushSync: false,
  });
}
