/** Differences of numbers from a baseline, and whether they are for the better. */
import { shortNumber } from "@/lib/format.ts";
import type { Cell } from "../table/source.ts";
import type { Direction } from "./direction.ts";

export interface Delta {
  readonly text: string;
  readonly verdict: "better" | "worse" | "neutral";
  /** 0 to 1: how far it is from the baseline, among all in its row. */
  readonly strength: number;
}

/** A delta for each cell; null where there is nothing to compare. */
export function deltasOf(
  cells: readonly Cell[],
  baseline: number,
  direction: Direction,
): (Delta | null)[] {
  const base = cells[baseline];
  if (typeof base !== "number") return cells.map(() => null);
  const differences = cells.map((cell) => (typeof cell === "number" ? cell - base : NaN));
  const widest = differences.reduce(
    (most, each) => (Number.isFinite(each) ? Math.max(most, Math.abs(each)) : most),
    0,
  );
  return differences.map((difference, n) => {
    if (n === baseline || !Number.isFinite(difference)) return null;
    const isBetter = direction === "lower" ? difference < 0 : difference > 0;
    const verdict =
      direction === "none" || difference === 0 ? "neutral" : isBetter ? "better" : "worse";
    return {
      text: deltaText(difference, base),
      verdict,
      strength: widest > 0 ? Math.abs(difference) / widest : 0,
    };
  });
}

function deltaText(difference: number, base: number): string {
  if (difference === 0) return "±0";
  const sign = difference > 0 ? "+" : "−";
  const plain = `${sign}${shortNumber(Math.abs(difference))}`;
  const part = Math.abs(difference / base) * 100;
  if (!Number.isFinite(part) || part > 10_000) return plain;
  return `${plain} (${sign}${part < 0.1 ? part.toPrecision(1) : part.toFixed(1)} %)`;
}
