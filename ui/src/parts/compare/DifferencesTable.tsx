/**
 * Rows side by side: what is known of each, group by group, differences from a baseline coloured.
 *
 * Items are columns; a click on a header makes it the baseline. Equal rows are left out unless
 * `withEqual`. Which way a metric is better is guessed and can be changed in its row.
 */
import {
  Button,
  makeStyles,
  mergeClasses,
  Switch,
  tokens,
  Tooltip,
} from "@fluentui/react-components";
import {
  ArrowDownRegular,
  ArrowUpRegular,
  FlagFilled,
  SubtractRegular,
} from "@fluentui/react-icons";
import { propertyTitle } from "../table/columns.ts";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { type CSSProperties, useMemo, useRef } from "react";
import { api, ask, type Shapes } from "@/api/client.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { useNow } from "@/parts/TimeText.tsx";
import { assignSlots, colourOfSlot } from "../chart/palette.ts";
import { shortText, wholeText } from "../table/cellText.ts";
import type { Cell, Column, ItemRef, Kind } from "../table/source.ts";
import { type Delta, deltasOf } from "./deltas.ts";
import { type Direction, setDirection, useDirections } from "./direction.ts";

const ROW = 32;
const HEAD = 40;
const FIRST = 220;
const WIDTH = 180;
const NEXT: Readonly<Record<Direction, Direction>> = {
  lower: "higher",
  higher: "none",
  none: "lower",
};
const GROUPS: Readonly<Record<Shapes["ComparedRows"]["group"], string>> = {
  properties: "Properties",
  metrics: "Metrics",
  params: "Hyperparameters",
  tags: "Tags",
  schema: "Schema",
  environment: "Environment",
  files: "Files",
};

const useStyles = makeStyles({
  pane: { display: "flex", flexDirection: "column", flexGrow: 1, minHeight: 0 },
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    paddingInline: tokens.spacingHorizontalM,
    flexShrink: 0,
  },
  faint: { color: tokens.colorNeutralForeground3, fontSize: tokens.fontSizeBase200 },
  table: {
    position: "relative",
    flexGrow: 1,
    minHeight: 0,
    overflow: "auto",
    isolation: "isolate",
    fontSize: tokens.fontSizeBase200,
    backgroundColor: tokens.colorNeutralBackground1,
    ":focus-visible": { outline: `2px solid ${tokens.colorStrokeFocus2}`, outlineOffset: "-2px" },
  },
  head: { position: "sticky", top: 0, zIndex: 2, display: "flex", height: `${HEAD}px` },
  row: { position: "absolute", left: 0, display: "flex", height: `${ROW}px` },
  cell: {
    boxSizing: "border-box",
    flexShrink: 0,
    width: `${WIDTH}px`,
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    paddingInline: tokens.spacingHorizontalS,
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke3}`,
  },
  headCell: {
    height: "100%",
    backgroundColor: tokens.colorNeutralBackground3,
    fontWeight: tokens.fontWeightSemibold,
  },
  first: {
    position: "sticky",
    left: 0,
    zIndex: 1,
    width: `min(${FIRST}px, 40vw)`,
    borderRight: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  group: {
    position: "sticky",
    left: 0,
    zIndex: 1,
    width: `min(${FIRST}px, 40vw)`,
    fontWeight: tokens.fontWeightSemibold,
    backgroundColor: tokens.colorNeutralBackground2,
    whiteSpace: "nowrap",
    overflow: "visible",
  },
  filler: {
    flexGrow: 1,
    backgroundColor: tokens.colorNeutralBackground2,
    borderBottom: `1px solid ${tokens.colorNeutralStroke3}`,
  },
  text: { minWidth: 0, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "pre" },
  number: { justifyContent: "flex-end", fontVariantNumeric: "tabular-nums" },
  grow: { flexGrow: 1 },
  baseline: {
    minWidth: 0,
    height: "100%",
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    flexGrow: 1,
    padding: 0,
    border: "none",
    background: "none",
    color: "inherit",
    font: "inherit",
    cursor: "pointer",
  },
  mark: { width: "10px", height: "10px", borderRadius: "2px", flexShrink: 0 },
  delta: { flexShrink: 0, fontSize: tokens.fontSizeBase100 },
  better: { color: tokens.colorStatusSuccessForeground1 },
  worse: { color: tokens.colorStatusDangerForeground1 },
  betterGround: { backgroundColor: tokens.colorStatusSuccessBackground1 },
  worseGround: { backgroundColor: tokens.colorStatusDangerBackground1 },
  absent: { color: tokens.colorNeutralForeground3 },
});

export interface DifferencesTableProps {
  readonly workspace: string;
  readonly items: readonly ItemRef[];
  /** The rows' keys, in the order of the items, for their colours. */
  readonly keys: readonly string[];
  /** What a row is called, from its key and its run's name. */
  readonly labelOf: (key: string, name: Cell) => string;
  readonly baseline: string;
  readonly withEqual: boolean;
  readonly isDark: boolean;
  readonly onBaseline: (key: string) => void;
  readonly onWithEqual: (withEqual: boolean) => void;
  /** Show this file's contents beside each other. */
  readonly onFile: (path: string) => void;
}

type Line =
  | { readonly kind: "group"; readonly group: Shapes["ComparedRows"] }
  | {
      readonly kind: "row";
      readonly group: Shapes["ComparedRows"];
      readonly row: Shapes["ComparedRow"];
    };

export function DifferencesTable(props: DifferencesTableProps) {
  const { workspace, items, keys, withEqual } = props;
  const styles = useStyles();
  const table = useRef<HTMLDivElement>(null);
  const { data, error, refetch } = useComparison(workspace, items, !withEqual);
  const lines = useMemo(() => linesOf(data), [data]);
  // What it returns is only called while drawing, never handed to memoised parts.

  const down = useVirtualizer({
    count: lines.length,
    getScrollElement: () => table.current,
    estimateSize: () => ROW,
    scrollMargin: HEAD,
    overscan: 12,
    useFlushSync: false,
  });
  const count = data?.items.length ?? 0;
  const across = useVirtualizer({
    horizontal: true,
    count,
    getScrollElement: () => table.current,
    estimateSize: () => WIDTH,
    scrollMargin: FIRST,
    overscan: 3,
    useFlushSync: false,
  });
  const slots = useMemo(() => assignSlots(keys), [keys]);
  const directionOf = useDirections();
  const now = useNow();
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />;
  if (!data) return null;
  const base = Math.max(0, keys.indexOf(props.baseline));
  const columns = across.getVirtualItems();
  const before = (columns[0]?.start ?? FIRST) - FIRST;
  const style: CSSProperties = { width: FIRST + across.getTotalSize() };
  const hidden = data.groups.reduce((sum, group) => sum + group.total - group.differing, 0);
  return (
    <div className={styles.pane}>
      <div className={styles.bar}>
        <Switch
          label="Equal rows too"
          checked={withEqual}
          onChange={(_event, event) => props.onWithEqual(event.checked)}
        />
        <span className={styles.faint}>
          {withEqual ? "" : `${hidden} equal rows hidden. `}A click on a header makes it the
          baseline.
        </span>
      </div>
      {lines.length === 0 ? (
        <EmptyState title="No differences">What is known of these is the same.</EmptyState>
      ) : (
        <div
          ref={table}
          className={styles.table}
          role="table"
          aria-label="Differences"
          aria-rowcount={lines.length + 1}
          aria-colcount={count + 1}
          tabIndex={0}
        >
          <div role="row" aria-rowindex={1} className={styles.head} style={style}>
            <div
              role="columnheader"
              aria-colindex={1}
              className={mergeClasses(styles.cell, styles.headCell, styles.first)}
            >
              {count} compared
            </div>
            <div role="presentation" style={{ width: before, flexShrink: 0 }} />
            {columns.map(({ index }) => {
              const item = data.items[index];
              const key = keys[index] ?? "";
              return (
                <div
                  key={key}
                  role="columnheader"
                  aria-colindex={index + 2}
                  className={mergeClasses(styles.cell, styles.headCell)}
                >
                  <button
                    type="button"
                    aria-pressed={index === base}
                    className={styles.baseline}
                    title={`${item?.name ?? ""} ${item?.run_name ?? ""}\n${index === base ? "Baseline" : "Make this the baseline"}`}
                    onClick={() => props.onBaseline(key)}
                  >
                    <span
                      className={styles.mark}
                      style={{ backgroundColor: colourOfSlot(slots.get(key) ?? 0, props.isDark) }}
                    />
                    <span className={styles.text}>
                      {props.labelOf(key, item?.run_name ?? null)}
                    </span>
                    {index === base && <FlagFilled aria-label="Baseline" />}
                  </button>
                </div>
              );
            })}
          </div>
          <div role="rowgroup" style={{ ...style, height: down.getTotalSize() }}>
            {down.getVirtualItems().map(({ index, start }) => {
              const line = lines[index];
              if (!line) return null;
              const place = { ...style, top: start };
              if (line.kind === "group") {
                return (
                  <div
                    key={line.group.group}
                    role="row"
                    aria-rowindex={index + 2}
                    className={styles.row}
                    style={place}
                  >
                    <div role="rowheader" className={mergeClasses(styles.cell, styles.group)}>
                      {GROUPS[line.group.group]}
                      <span className={styles.faint}>
                        {line.group.differing} of {line.group.total} differ
                      </span>
                    </div>
                    <div role="presentation" className={styles.filler} />
                  </div>
                );
              }
              const { row, group } = line;
              const isMetric = group.group === "metrics";
              const direction = isMetric ? directionOf(row.key) : "none";
              const deltas = isMetric ? deltasOf(row.values, base, direction) : [];
              const column: Column = {
                id: row.key,
                key: row.key,
                kind: row.kind,
                group: "property",
                sortable: false,
              };
              return (
                <div
                  key={`${group.group} ${row.key}`}
                  role="row"
                  aria-rowindex={index + 2}
                  className={styles.row}
                  style={place}
                >
                  <div role="rowheader" className={mergeClasses(styles.cell, styles.first)}>
                    <span
                      className={mergeClasses(styles.text, styles.grow)}
                      title={row.key}
                      dir="auto"
                    >
                      {group.group === "properties" ? propertyTitle(row.key) : row.key}
                    </span>
                    {isMetric && <DirectionButton metric={row.key} direction={direction} />}
                    {group.group === "files" && (
                      <Button
                        size="small"
                        appearance="transparent"
                        onClick={() => props.onFile(row.key)}
                      >
                        Compare
                      </Button>
                    )}
                  </div>
                  <div role="presentation" style={{ width: before, flexShrink: 0 }} />
                  {columns.map(({ index: n }) => (
                    <ValueCell
                      key={n}
                      cell={row.values[n] ?? null}
                      base={row.values[base] ?? null}
                      column={column}
                      isFile={group.group === "files"}
                      delta={deltas[n] ?? null}
                      now={now}
                    />
                  ))}
                </div>
              );
            })}
          </div>
        </div>
      )}
    </div>
  );
}

function useComparison(workspace: string, items: readonly ItemRef[], differing: boolean) {
  return useQuery({
    queryKey: ["compare", workspace, items, differing],
    queryFn: ({ signal }) => {
      const body = { items: items.map((item) => ({ ...item })), differing };
      const path = { workspace };
      return ask(
        api.POST("/api/v1/workspaces/{workspace}/compare", { params: { path }, body, signal }),
      );
    },
    enabled: items.length > 0,
    placeholderData: keepPreviousData,
    meta: { watch: [{ kind: "version" }, { kind: "run" }] },
  });
}

function linesOf(data: Shapes["Comparison"] | undefined): Line[] {
  return (data?.groups ?? []).flatMap((group): Line[] =>
    group.rows.length === 0
      ? []
      : [{ kind: "group", group }, ...group.rows.map((row): Line => ({ kind: "row", group, row }))],
  );
}

interface ValueCellProps {
  readonly cell: Cell;
  readonly base: Cell;
  readonly column: Column & { readonly kind: Kind };
  readonly isFile: boolean;
  readonly delta: Delta | null;
  readonly now: number;
}

function ValueCell({ cell, base, column, isFile, delta, now }: ValueCellProps) {
  const styles = useStyles();
  const isStrong = delta !== null && delta.strength > 0.5;
  const isSame = JSON.stringify(cell) === JSON.stringify(base);
  return (
    <div
      role="cell"
      className={mergeClasses(
        styles.cell,
        column.kind === "number" && styles.number,
        isStrong && delta.verdict === "better" && styles.betterGround,
        isStrong && delta.verdict === "worse" && styles.worseGround,
      )}
      title={wholeText(cell, column)}
    >
      {cell === null ? (
        <span className={styles.absent}>–</span>
      ) : (
        <span className={styles.text} dir="auto">
          {isFile
            ? isSame
              ? "same"
              : "other contents"
            : shortText(cell, column, now).slice(0, 300)}
        </span>
      )}
      {delta && (
        <span
          className={mergeClasses(
            styles.delta,
            delta.verdict === "better" && styles.better,
            delta.verdict === "worse" && styles.worse,
          )}
        >
          {delta.text}
        </span>
      )}
    </div>
  );
}

function DirectionButton({ metric, direction }: { metric: string; direction: Direction }) {
  const words = { lower: "Lower is better", higher: "Higher is better", none: "Neither is better" };
  const icons = {
    lower: <ArrowDownRegular />,
    higher: <ArrowUpRegular />,
    none: <SubtractRegular />,
  };
  return (
    <Tooltip content={`${words[direction]}; click to change`} relationship="description">
      <Button
        size="small"
        appearance="transparent"
        icon={icons[direction]}
        aria-label={`${metric}: ${words[direction].toLowerCase()}`}
        onClick={() => setDirection(metric, NEXT[direction])}
      />
    </Tooltip>
  );
}
