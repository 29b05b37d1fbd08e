/**
 * Fetches what a chart is drawn from: cells of the chosen rows, and series of their runs.
 *
 * Always holds: only the columns and metrics that the chart draws are asked for; a zoomed line is
 * asked for again in the stretch that is seen; what was there stays until the new is.
 */
import {
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useQueries,
  useQuery,
  type UseQueryResult,
} from "@tanstack/react-query";
import { useMemo, useState } from "react";
import type { Watch } from "@/api/events.ts";
import { filterOfKeys, type Series, type Table, type TableSource } from "../table/source.ts";
import type { Frame, Item } from "./frame.ts";
import { assignSlots } from "./palette.ts";
import { type ChartSpec, columnsOf, type Course, drawsSeries, seriesKeys } from "./spec.ts";

/** Buckets of all lines together; a bucket has a lowest, a highest and a last value. */
const POINTS_MAX = 20_000;
const BUCKETS_MAX = 800;
const BUCKETS_MIN = 30;
const SERIES_MAX = 5000;
/** Series asked for at once: the server reads several portions side by side. */
const PORTION = 25;

export interface Rows {
  readonly source: TableSource;
  readonly keys: readonly string[];
  readonly hidden: ReadonlySet<string>;
}

export interface Framed {
  readonly frame: Frame | undefined;
  readonly error: unknown;
  readonly isFetching: boolean;
  /** Items before hidden ones were left out, for the legend. */
  readonly all: readonly Item[];
}

/** `isWanted` is false while the chart is out of sight. */
export function useFrame(rows: Rows, spec: ChartSpec, isWanted: boolean): Framed {
  const { source, keys, hidden } = rows;
  const asked = cellsQuery(rows, spec);
  const cells = useQuery({
    ...asked,
    enabled: isWanted && keys.length > 0,
    placeholderData: keepPreviousData,
  });
  const all = useMemo(() => itemsOf(source, keys, cells.data), [cells.data, keys, source]);
  const items = useMemo(() => all.filter((item) => !hidden.has(item.key)), [all, hidden]);
  const series = useQueries({
    queries: seriesQueries(rows, spec).map((query) => ({
      ...query,
      enabled: isWanted,
    })),
    combine: together,
  });
  const drawn = useKept(series.data);
  const isReady =
    cells.data !== undefined && (!drawsSeries(spec) || drawn !== undefined || all.length === 0);
  const frame = useMemo(
    () => (isReady ? { items, series: drawn ?? [] } : undefined),
    [isReady, items, drawn],
  );
  return {
    frame,
    all,
    error: cells.error ?? series.error,
    isFetching: cells.isFetching || series.isFetching,
  };
}

/** Asks for what `useFrame` will, before there is anything that draws it. */
export async function askAhead(queries: QueryClient, rows: Rows, spec: ChartSpec): Promise<void> {
  await Promise.all([
    queries.query(cellsQuery(rows, spec)),
    ...seriesQueries(rows, spec).map((query) => queries.query(query)),
  ]);
}

function cellsQuery({ source, keys }: Rows, spec: ChartSpec) {
  const columns = [...new Set([source.nameColumn, source.runColumn, ...columnsOf(spec)])];
  return queryOptions({
    queryKey: [...source.id, "cells", columns, keys.join(" ")],
    queryFn: ({ signal }) =>
      source.search(
        { columns, filter: filterOfKeys(source, keys), orderBy: [], offset: 0 },
        signal,
      ),
    meta: { watch: source.watch },
  });
}

function itemsOf(source: TableSource, keys: readonly string[], table: Table | undefined): Item[] {
  const slots = assignSlots(keys);
  const found = new Map(table?.rows.map((row) => [row.key, row]));
  // What was kept from before may have other columns; they are read by their own names.
  const ids = table?.columns.map((column) => column.id) ?? [];
  return keys.flatMap((key): Item[] => {
    const row = found.get(key);
    if (!row) return [];
    const values = Object.fromEntries(ids.map((id, n) => [id, row.cells[n] ?? null]));
    const run = values[source.runColumn];
    return [
      {
        key,
        label: source.label(key, values[source.nameColumn] ?? null),
        run: typeof run === "string" ? run : "",
        slot: slots.get(key) ?? 0,
        cells: values,
      },
    ];
  });
}

/** What was there last, while there is nothing: several queries at once keep none of their own. */
function useKept<T>(now: T | undefined): T | undefined {
  const [kept, keep] = useState(now);
  if (now !== undefined && now !== kept) keep(now);
  return now ?? kept;
}

function seriesQueries({ source, keys: chosen }: Rows, spec: ChartSpec) {
  const keys = seriesKeys(spec);
  const drawn = keys.length === 0 ? [] : chosen.slice(0, Math.floor(SERIES_MAX / keys.length));
  const room = POINTS_MAX / Math.max(1, drawn.length * keys.length);
  const buckets = Math.round(Math.min(BUCKETS_MAX, Math.max(BUCKETS_MIN, room)));
  const x: Course = spec.x === "time" || spec.x === "relative" ? spec.x : "step";
  const scale = x === "relative" ? 1000 : 1;
  const start = spec.xMin === null ? null : Math.floor(spec.xMin * scale);
  const end = spec.xMax === null ? null : Math.ceil(spec.xMax * scale);
  const step = Math.max(1, Math.floor(PORTION / Math.max(1, keys.length)));
  const portions = Array.from({ length: Math.ceil(drawn.length / step) }, (_, n) =>
    drawn.slice(n * step, (n + 1) * step),
  );
  // One run is watched by name; of many the burst of changes is asked for at once.
  const [only = ""] = drawn;
  const watch: Watch[] =
    drawn.length === 1 && source.runColumn === source.keyColumn
      ? [{ kind: "run", key: only }]
      : [{ kind: "run" }];
  return portions.map((rows) =>
    queryOptions({
      queryKey: [...source.id, "series", keys, x, start, end, buckets, rows.join(" ")],
      queryFn: ({ signal }) => source.series({ rows, keys, x, start, end, buckets }, signal),
      structuralSharing: false,
      meta: { watch },
    }),
  );
}

/** Portions as one answer: there once all are. */
function together(portions: readonly UseQueryResult<readonly Series[]>[]) {
  const isThere = portions.length > 0 && portions.every(({ data }) => data !== undefined);
  return {
    data: isThere ? portions.flatMap(({ data }) => data ?? []) : undefined,
    error: portions.find(({ error }) => error !== null)?.error ?? null,
    isFetching: portions.some(({ isFetching }) => isFetching),
  };
}
