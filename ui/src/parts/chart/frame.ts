/**
 * What charts are drawn from: the chosen rows with their cells, and the series of their metrics.
 *
 * Always holds: items keep the order in which they were chosen; a hidden item is in no chart; NaN
 * and text that is no number count as missing wherever numbers are drawn.
 * Leaves to others: fetching (`useFrame`), drawing (`options/`).
 */
import type { Cell, Series } from "../table/source.ts";
import { timeAgo } from "@/lib/format.ts";
import { shortText } from "../table/cellText.ts";
import { columnOf } from "../table/columns.ts";
import type { ChartSpec } from "./spec.ts";
import { inliers } from "./statistics.ts";

export interface Item {
  readonly key: string;
  readonly label: string;
  /** The run whose series are drawn; empty for none. */
  readonly run: string;
  readonly slot: number;
  readonly cells: Readonly<Record<string, Cell>>;
}

export interface Frame {
  readonly items: readonly Item[];
  readonly series: readonly Series[];
}

/** A cell as a number; NaN where it is none. */
export function numberOf(cell: Cell | undefined): number {
  if (typeof cell === "number") return cell;
  if (typeof cell !== "string" || cell.trim() === "") return NaN;
  return Number(cell);
}

/** A cell as a category. */
export function categoryOf(cell: Cell | undefined, id: string): string {
  if (cell === null || cell === undefined || cell === "") return "(none)";
  const column = columnOf(id, new Map());
  if (typeof cell === "number" && id.endsWith("_ms")) return timeAgo(cell, Date.now());
  return shortText(cell, column, 0);
}

/** Whether most of a column's cells are numbers, so that an axis of values suits it. */
export function isNumeric(items: readonly Item[], id: string): boolean {
  const given = items
    .map((item) => item.cells[id])
    .filter((cell) => cell !== null && cell !== undefined);
  const numbers = given.filter((cell) => !Number.isNaN(numberOf(cell)) || cell === "NaN");
  return numbers.length > 0 && numbers.length * 2 > given.length;
}

/** Items that have a number in each of these columns, fit for the scales; outliers left out if asked. */
export function withNumbers(
  items: readonly Item[],
  ids: readonly string[],
  spec: Pick<ChartSpec, "ignoreOutliers">,
): Item[] {
  let kept = items.filter((item) => ids.every((id) => Number.isFinite(numberOf(item.cells[id]))));
  if (!spec.ignoreOutliers) return kept;
  for (const id of ids) {
    const inside = inliers(kept.map((item) => numberOf(item.cells[id])));
    kept = kept.filter((_, n) => inside[n]);
  }
  return kept;
}

/** Items by the value of a column, in the order of its values; all in one without a column. */
export function groupItems(items: readonly Item[], id: string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  if (id === "") return items.length === 0 ? groups : new Map([["", [...items]]]);
  for (const item of items) {
    const name = categoryOf(item.cells[id], id);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return new Map([...groups].sort(([a], [b]) => compareNames(a, b)));
}

const collator = new Intl.Collator("en", { numeric: true });

/** Numbers by value, other texts as people sort them. */
export function compareNames(a: string, b: string): number {
  const difference = Number(a) - Number(b);
  return Number.isNaN(difference) ? collator.compare(a, b) : difference;
}
