/**
 * The interface between a table (with its filter bar, charts and comparison) and what it shows.
 *
 * Versions of a model and runs of experiments are both a `TableSource`: everything in `parts/` asks
 * this and nothing else. Always holds: columns are named as in filters and orders; a row's key
 * stays its own whatever is filtered and sorted. Leaves to others: requests (`sources`), caching.
 */
import type { Watch } from "@/api/events.ts";

export type Group = "property" | "metric" | "param" | "tag";
export type Kind = "number" | "text" | "time" | "duration" | "list";
export type Cell = number | string | string[] | null;

export interface Column {
  readonly id: string;
  readonly group: Group;
  readonly key: string;
  readonly kind: Kind;
  readonly sortable: boolean;
}

export interface KnownColumn {
  readonly id: string;
  readonly group: Group;
  readonly key: string;
  readonly kind: Kind;
  readonly count: number;
  readonly sortable: boolean;
  readonly filterable: boolean;
}

export interface KnownColumns {
  readonly columns: readonly KnownColumn[];
  readonly total: number;
  readonly groups: Readonly<Record<string, number>>;
}

/** Where a row of a tree stands. */
export interface Branch {
  /** 0 at the top. */
  readonly depth: number;
  /** How many rows stand directly below it when it is open. */
  readonly children: number;
  readonly open: boolean;
  /** Whether the filter finds it; drawn faint if not, it is there for what is below it. */
  readonly found: boolean;
}

export interface Row {
  readonly key: string;
  readonly cells: readonly Cell[];
  /** Only in a tree. */
  readonly branch?: Branch;
}

export interface Table {
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly total: number;
}

export interface TableAsk {
  readonly columns: readonly string[];
  readonly filter: string;
  readonly orderBy: readonly string[];
  readonly offset: number;
  /** All rows when left out. */
  readonly limit?: number;
}

export interface ColumnAsk {
  readonly offset: number;
  readonly limit: number;
  readonly text: string;
  readonly group?: Group;
}

export interface ValueAsk {
  readonly column: string;
  readonly text: string;
  readonly limit: number;
}

/** One metric of one run as the server thins it. */
export interface Series {
  readonly run: string;
  readonly key: string;
  readonly count: number;
  readonly whole: boolean;
  readonly steps: readonly number[];
  readonly times: readonly number[];
  readonly last: readonly (number | "NaN")[];
  readonly min: readonly (number | null)[];
  readonly max: readonly (number | null)[];
}

/** Series of metrics that rows logged, cut into so many buckets of a stretch. */
export interface SeriesAsk {
  readonly rows: readonly string[];
  readonly keys: readonly string[];
  readonly x: "step" | "time" | "relative";
  readonly start: number | null;
  readonly end: number | null;
  readonly buckets: number;
}

/** One thing to compare, as the comparison call names it. */
export type ItemRef =
  { readonly run: string } | { readonly model: string; readonly version: number };

/** Where a metric's values may come from besides the latest one. */
export type Summary = "metrics" | "min" | "max" | "mean";

export interface TableSource {
  /** Distinguishes this source in the query cache; equal ids give equal answers. */
  readonly id: readonly (string | number)[];
  readonly noun: { readonly one: string; readonly many: string };
  /** The property that names a row in a filter, and whether its values stand bare there. */
  readonly keyColumn: string;
  readonly keyIsNumber: boolean;
  /** The property with what people call a row; charts label by it. */
  readonly nameColumn: string;
  /** The property with a row's run, whose series charts draw; the key's own for runs. */
  readonly runColumn: string;
  /** The properties that are always shown first when nothing was chosen. */
  readonly usual: readonly string[];
  readonly summaries: readonly Summary[];
  /** Which changes on the server mean that something here changed. */
  readonly watch: readonly Watch[];
  search(ask: TableAsk, signal?: AbortSignal): Promise<Table>;
  /** In a tree: the same with rows below others, as they are folded now; for the table alone. */
  readonly searchTree?: (ask: TableAsk, signal?: AbortSignal) => Promise<Table>;
  columns(ask: ColumnAsk, signal?: AbortSignal): Promise<KnownColumns>;
  values(ask: ValueAsk, signal?: AbortSignal): Promise<readonly string[]>;
  /** Series of the rows' runs; several rows of one run have them in common. */
  series(ask: SeriesAsk, signal?: AbortSignal): Promise<readonly Series[]>;
  /** In a tree: open or fold the row; its `branch` says which it is now. */
  readonly toggleBranch?: (key: string) => void;
  item(key: string): ItemRef;
  /** What people call a row of which only key and name are known. */
  label(key: string, name: Cell): string;
}

/** A filter that finds exactly these rows. */
export function filterOfKeys(source: TableSource, keys: readonly string[]): string {
  const values = keys.map((key) => (source.keyIsNumber ? key : `'${key.replaceAll("'", "''")}'`));
  return `${source.keyColumn} IN (${values.join(", ")})`;
}
