/**
 * The column model: which columns a table shows, in which order, how wide, which are pinned.
 *
 * A `Layout` is what people chose and goes into the address and into saved views. Always holds: a
 * layout that chose nothing follows the catalogue, so new metrics appear; one that chose an order
 * is kept exactly as it is; operations return new layouts and never change one.
 * Leaves to others: drawing, and reading cells.
 */
import type { Column, Group, Kind, KnownColumn, Summary } from "./source.ts";

export interface Layout {
  /** The columns in their order, or null for the usual ones. */
  readonly shown: readonly string[] | null;
  readonly hidden: readonly string[];
  /** Pinned to the left after the first column, in this order. */
  readonly pinned: readonly string[];
  readonly widths: Readonly<Record<string, number>>;
  readonly hideConstant: boolean;
}

export const NOTHING_CHOSEN: Layout = {
  shown: null,
  hidden: [],
  pinned: [],
  widths: {},
  hideConstant: false,
};

export interface PlacedColumn extends Column {
  readonly width: number;
  readonly pinned: boolean;
}

export const WIDTH_MIN = 64;
export const WIDTH_MAX = 800;
/** As many as one search may name, less those that a table asks for itself. */
export const COLUMNS_MAX = 900;
const USUAL_MAX: Readonly<Record<Group, number>> = {
  property: 20,
  metric: 300,
  param: 40,
  tag: 20,
};
const WIDTHS: Readonly<Record<Kind, number>> = {
  number: 112,
  text: 160,
  time: 136,
  duration: 112,
  list: 160,
};
const PREFIXES: Readonly<Record<string, readonly [Group, Kind]>> = {
  metrics: ["metric", "number"],
  min: ["metric", "number"],
  max: ["metric", "number"],
  mean: ["metric", "number"],
  params: ["param", "text"],
  tags: ["tag", "text"],
};
const PLAIN_KEY = /^[\p{L}\p{N}_.\-/:@#$+]+$/u;

/** A key as it stands in a column's id. */
export function quoteKey(key: string): string {
  return PLAIN_KEY.test(key) ? key : `\`${key.replaceAll("`", "``")}\``;
}

export function columnId(prefix: string, key: string): string {
  return `${prefix}.${quoteKey(key)}`;
}

/** The prefix (empty for a property) and key of a column's id. */
export function splitId(id: string): { readonly prefix: string; readonly key: string } {
  const dot = id.indexOf(".");
  const prefix = dot < 0 ? "" : id.slice(0, dot);
  if (PREFIXES[prefix] === undefined) return { prefix: "", key: id };
  const key = id.slice(dot + 1);
  const quoted = key.startsWith("`") && key.endsWith("`") && key.length > 1;
  return { prefix, key: quoted ? key.slice(1, -1).replaceAll("``", "`") : key };
}

/** What an id tells of its column; properties are looked up among those known. */
export function columnOf(id: string, known: ReadonlyMap<string, KnownColumn>): Column {
  const found = known.get(id);
  const { prefix, key } = splitId(id);
  const [group, kind] = PREFIXES[prefix] ?? ["property", "text"];
  return {
    id,
    group: found?.group ?? group,
    key: found?.key ?? key,
    kind: found?.kind ?? kind,
    sortable: found?.sortable ?? prefix !== "mean",
  };
}

/** The column that shows another summary of the same metric. */
export function withSummary(id: string, summary: Summary): string {
  return columnId(summary, splitId(id).key);
}

/** The columns that are shown when nobody chose any. */
export function usualColumns(usual: readonly string[], known: readonly KnownColumn[]): string[] {
  const counts = new Map<Group, number>();
  const ids = [...usual];
  for (const group of ["metric", "param", "tag"] as const) {
    for (const column of known) {
      const count = counts.get(group) ?? 0;
      if (column.group !== group || count >= USUAL_MAX[group]) continue;
      if (group === "tag" && column.key.startsWith("mlflow.")) continue;
      counts.set(group, count + 1);
      ids.push(column.id);
    }
  }
  return ids;
}

/** The ids that a layout shows, in order, pinned ones first. */
export function shownIds(layout: Layout, usual: readonly string[]): string[] {
  const hidden = new Set(layout.hidden);
  const ids = [...new Set(layout.shown ?? usual)].filter((id) => !hidden.has(id));
  const [first] = ids;
  if (first === undefined) return [];
  const pinned = layout.pinned.filter((id) => id !== first && ids.includes(id));
  const apart = new Set([first, ...pinned]);
  return [first, ...pinned, ...ids.filter((id) => !apart.has(id))].slice(0, COLUMNS_MAX);
}

/** Columns as they are drawn. */
export function placeColumns(
  layout: Layout,
  usual: readonly string[],
  known: ReadonlyMap<string, KnownColumn>,
): PlacedColumn[] {
  const pinned = new Set(layout.pinned);
  return shownIds(layout, usual).map((id, place) => {
    const column = columnOf(id, known);
    const width = layout.widths[id] ?? usualWidth(column);
    return { ...column, width: clampWidth(width), pinned: place === 0 || pinned.has(id) };
  });
}

function usualWidth(column: Column): number {
  if (column.id === "version") return 128;
  if (column.id === "run_name") return 192;
  const text = columnTitle(column).length * 7.5 + 44;
  return Math.min(Math.max(WIDTHS[column.kind], text), 240);
}

export function clampWidth(width: number): number {
  return Math.round(Math.min(Math.max(width, WIDTH_MIN), WIDTH_MAX));
}

const TITLES: Readonly<Record<string, string>> = {
  version: "Version",
  created_ms: "Time created",
  updated_ms: "Last changed",
  run_name: "Run name",
  aliases: "Aliases",
  stage: "Stage",
  registered_by: "Registered by",
  description: "Description",
  status: "Status",
  run_id: "Run id",
  experiment: "Experiment",
  source: "Source",
  logged_model_id: "Logged model",
  size_bytes: "Size",
  start_time: "Start time",
  end_time: "End time",
  duration: "Duration",
  user_id: "User",
  source_type: "Source kind",
  commit: "Commit",
  parent: "Parent run",
  datasets: "Data sets",
  artifact_uri: "Files",
  versions: "Registered as",
};
const SUMMARY_WORDS: Readonly<Record<string, string>> = {
  min: "lowest",
  max: "highest",
  mean: "mean",
};

/** What a property is called. */
export function propertyTitle(key: string): string {
  return TITLES[key] ?? key;
}

/** What a column's header says. */
export function columnTitle(column: Pick<Column, "id" | "key" | "group">): string {
  if (column.group === "property") return propertyTitle(column.key);
  const word = SUMMARY_WORDS[splitId(column.id).prefix];
  return word === undefined ? column.key : `${column.key} (${word})`;
}

/** What an axis or a chart calls a column of which only the id is known. */
export function titleOfId(id: string): string {
  return columnTitle(columnOf(id, new Map()));
}

export function hideColumn(layout: Layout, id: string): Layout {
  const pinned = layout.pinned.filter((each) => each !== id);
  if (layout.shown !== null) {
    return { ...layout, pinned, shown: layout.shown.filter((each) => each !== id) };
  }
  return { ...layout, pinned, hidden: [...layout.hidden.filter((each) => each !== id), id] };
}

/** Show a column, last, or where it stood if it was only hidden. */
export function showColumn(layout: Layout, usual: readonly string[], id: string): Layout {
  const hidden = layout.hidden.filter((each) => each !== id);
  const shown = layout.shown ?? usual;
  if (shown.includes(id)) return { ...layout, hidden };
  return { ...layout, hidden: [], shown: [...shown.filter((each) => !hidden.includes(each)), id] };
}

/** Put a column before the one that stands at a place now. */
export function moveColumn(
  layout: Layout,
  usual: readonly string[],
  id: string,
  to: number,
): Layout {
  const ids = shownIds(layout, usual);
  const from = ids.indexOf(id);
  if (from < 0) return layout;
  const rest = ids.filter((each) => each !== id);
  const place = Math.max(0, Math.min(to, rest.length));
  if (place === from) return layout;
  const shown = [...rest.slice(0, place), id, ...rest.slice(place)];
  const apart = new Set(layout.pinned);
  // Pinned columns stand first, so one that is dragged among them is pinned and one dragged out
  // is not; otherwise it would jump back.
  const edge = layout.pinned.filter((each) => rest.includes(each)).length + (apart.has(id) ? 0 : 1);
  if (place > 0 && place < edge) apart.add(id);
  else apart.delete(id);
  return { ...layout, shown, hidden: [], pinned: shown.filter((each) => apart.has(each)) };
}

export function pinColumn(layout: Layout, id: string, pinned: boolean): Layout {
  const rest = layout.pinned.filter((each) => each !== id);
  return { ...layout, pinned: pinned ? [...rest, id] : rest };
}

export function resizeColumn(layout: Layout, id: string, width: number): Layout {
  return { ...layout, widths: { ...layout.widths, [id]: clampWidth(width) } };
}

/** Put another column in a column's place. */
export function replaceColumn(
  layout: Layout,
  usual: readonly string[],
  id: string,
  by: string,
): Layout {
  const ids = shownIds(layout, usual);
  const shown = ids
    .filter((each) => each !== by || each === id)
    .map((each) => (each === id ? by : each));
  const pinned = layout.pinned.map((each) => (each === id ? by : each));
  return { ...layout, shown, hidden: [], pinned };
}

/** Which of these columns have the same value in every row. */
export function constantColumns(
  ids: readonly string[],
  rows: readonly { readonly cells: readonly unknown[] }[],
): string[] {
  const [first, ...rest] = rows;
  if (first === undefined || rest.length === 0) return [];
  const same = (a: unknown, b: unknown): boolean =>
    a === b || (Array.isArray(a) && JSON.stringify(a) === JSON.stringify(b));
  return ids.filter((_, n) => rest.every((row) => same(row.cells[n], first.cells[n])));
}
