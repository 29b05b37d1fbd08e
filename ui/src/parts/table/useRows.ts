/**
 * The rows that a window shows, fetched in blocks of rows and columns.
 *
 * Always holds: only blocks that are looked at are asked for, however large the table; a row is
 * known as soon as one of its blocks is. Leaves to others: which columns and which window.
 */
import { keepPreviousData, useQueries, useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { type Order, orderTexts } from "./orders.ts";
import type { Branch, Cell, Table, TableSource } from "./source.ts";

export const PAGE = 100;
const BLOCK = 32;
const SETTLE_MS = 60;

export interface LoadedRow {
  readonly key: string;
  readonly cells: Readonly<Record<string, Cell>>;
  /** Only in a tree. */
  readonly branch: Branch | undefined;
}

export interface Window {
  readonly firstRow: number;
  readonly lastRow: number;
  readonly firstColumn: number;
  readonly lastColumn: number;
}

export interface Rows {
  readonly total: number | undefined;
  readonly rows: ReadonlyMap<number, LoadedRow>;
  readonly error: unknown;
  readonly isFetching: boolean;
  readonly retry: () => void;
}

export interface RowsAsk {
  readonly source: TableSource;
  /** Columns that are always looked at, and those of which a window is. */
  readonly pinned: readonly string[];
  readonly loose: readonly string[];
  readonly filter: string;
  readonly orders: readonly Order[];
  readonly window: Window;
}

export function useRows({ source, pinned, loose, filter, orders, window }: RowsAsk): Rows {
  const settled = useSettled(window);
  const blocks = useMemo(() => {
    const made: { page: number; columns: readonly string[] }[] = [];
    const first = Math.floor(settled.firstRow / PAGE);
    const last = Math.floor(Math.max(settled.firstRow, settled.lastRow) / PAGE);
    const from = Math.floor(settled.firstColumn / BLOCK);
    const to = Math.floor(Math.max(settled.firstColumn, settled.lastColumn) / BLOCK);
    for (let page = first; page <= last; page += 1) {
      made.push({ page, columns: pinned });
      for (let block = from; block <= to; block += 1) {
        const columns = loose.slice(block * BLOCK, (block + 1) * BLOCK);
        if (columns.length > 0) made.push({ page, columns });
      }
    }
    return made;
  }, [settled, pinned, loose]);
  const orderBy = orderTexts(orders);
  const { total } = useTotal(source, filter);
  const found = useQueries({
    queries: blocks.map(({ page, columns }) => ({
      queryKey: [...source.id, "rows", filter, orderBy, page, columns],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        (source.searchTree ?? source.search)(
          { columns, filter, orderBy, offset: page * PAGE, limit: PAGE },
          signal,
        ),
      meta: { watch: source.watch },
      retry: false,
    })),
    combine: (results) => ({
      tables: results.map((result) => result.data),
      error: results.find((result) => result.error)?.error,
      isFetching: results.some((result) => result.isFetching),
      retry: () => void Promise.all(results.map((result) => result.refetch())),
    }),
  });
  const rows = useMemo(() => mergeBlocks(blocks, found.tables), [blocks, found.tables]);
  const counted = found.tables.find((table) => table !== undefined)?.total;
  return { ...found, rows, total: counted ?? total };
}

/** How many rows a filter finds, remembered while another is asked for; or what is wrong with it. */
export function useTotal(source: TableSource, filter: string) {
  const columns = [source.keyColumn];
  const { data, error } = useQuery({
    queryKey: [...source.id, "total", filter],
    queryFn: ({ signal }) =>
      source.search({ columns, filter, orderBy: [], offset: 0, limit: 1 }, signal),
    placeholderData: keepPreviousData,
    meta: { watch: source.watch },
    retry: false,
  });
  return { total: data?.total, error };
}

function mergeBlocks(
  blocks: readonly { readonly page: number; readonly columns: readonly string[] }[],
  tables: readonly (Table | undefined)[],
): ReadonlyMap<number, LoadedRow> {
  const rows = new Map<number, LoadedRow & { cells: Record<string, Cell> }>();
  blocks.forEach(({ page, columns }, n) => {
    tables[n]?.rows.forEach((row, m) => {
      const place = page * PAGE + m;
      let kept = rows.get(place);
      if (kept?.key !== row.key) {
        kept = { key: row.key, cells: {}, branch: row.branch };
        rows.set(place, kept);
      }
      const { cells } = kept;
      columns.forEach((id, at) => {
        cells[id] = row.cells[at] ?? null;
      });
    });
  });
  return rows;
}

/** A window once it has stood still, so that dragging the scroll bar asks for nothing on the way. */
function useSettled(window: Window): Window {
  const [settled, setSettled] = useState(window);
  const { firstRow, lastRow, firstColumn, lastColumn } = window;
  useEffect(() => {
    const next = { firstRow, lastRow, firstColumn, lastColumn };
    const timer = setTimeout(() => setSettled(next), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [firstRow, lastRow, firstColumn, lastColumn]);
  return settled;
}
