/**
 * Numbers about many numbers. Inputs hold no NaN; an empty input gives NaN.
 *
 * Quantiles interpolate linearly between order statistics (Hyndman and Fan, type 7, as NumPy).
 */
import type { Aggregate, Band } from "./spec.ts";

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The sample's standard deviation (n - 1); 0 for a single value. */
export function deviation(values: readonly number[]): number {
  if (values.length < 2) return values.length === 0 ? NaN : 0;
  const middle = mean(values);
  return Math.sqrt(
    values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1),
  );
}

/** A quantile of values that are sorted already. */
export function quantile(sorted: readonly number[], part: number): number {
  if (sorted.length === 0) return NaN;
  const place = (sorted.length - 1) * part;
  const low = sorted[Math.floor(place)] ?? NaN;
  const high = sorted[Math.ceil(place)] ?? NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export function sortedCopy(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}

export function aggregate(values: readonly number[], how: Aggregate): number {
  switch (how) {
    case "mean":
      return mean(values);
    case "median":
      return quantile(sortedCopy(values), 0.5);
    case "min":
      return values.length === 0 ? NaN : values.reduce((a, b) => Math.min(a, b));
    case "max":
      return values.length === 0 ? NaN : values.reduce((a, b) => Math.max(a, b));
    case "sum":
      return values.reduce((sum, value) => sum + value, 0);
    case "count":
      return values.length;
  }
}

/**
 * The band around an aggregate: the ends as numbers. For `ci95` the half width is Student's t at
 * 97.5 % with n - 1 degrees of freedom times the standard error.
 */
export function band(
  values: readonly number[],
  centre: number,
  how: Band,
): readonly [number, number] {
  if (values.length === 0 || how === "none") return [centre, centre];
  if (how === "minmax") return [aggregate(values, "min"), aggregate(values, "max")];
  const spread = deviation(values);
  const error = spread / Math.sqrt(values.length);
  const half = how === "sd" ? spread : how === "se" ? error : error * student(values.length - 1);
  return [centre - half, centre + half];
}

const T_975 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145,
  2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048,
  2.045, 2.042,
];

/** Student's t at 97.5 %: from the table to 30 degrees, then by its expansion around the normal's. */
export function student(degrees: number): number {
  if (degrees < 1) return 0;
  const listed = T_975[degrees - 1];
  if (listed !== undefined) return listed;
  const z = 1.959964;
  return (
    z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2)
  );
}

/** The ends within which values are no outliers: Tukey's fences at 1.5 quartile ranges. */
export function fences(values: readonly number[]): readonly [number, number] {
  const sorted = sortedCopy(values);
  const low = quantile(sorted, 0.25);
  const high = quantile(sorted, 0.75);
  return [low - 1.5 * (high - low), high + 1.5 * (high - low)];
}

/** Whether each value is within the fences; with few values everything is. */
export function inliers(values: readonly number[]): boolean[] {
  if (values.length < 4) return values.map(() => true);
  const [low, high] = fences(values);
  return values.map((value) => value >= low && value <= high);
}

export interface Box {
  /** Whisker, quartile, median, quartile, whisker. */
  readonly five: readonly [number, number, number, number, number];
  readonly outliers: readonly number[];
}

/** A box as Tukey draws it: whiskers end at the last values within the fences. */
export function box(values: readonly number[]): Box {
  const sorted = sortedCopy(values);
  const [low, high] = fences(sorted);
  const inside = sorted.filter((value) => value >= low && value <= high);
  return {
    five: [
      inside[0] ?? NaN,
      quantile(sorted, 0.25),
      quantile(sorted, 0.5),
      quantile(sorted, 0.75),
      inside[inside.length - 1] ?? NaN,
    ],
    outliers: sorted.filter((value) => value < low || value > high),
  };
}

export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Edges of a histogram of 1 to 60 bins by Freedman and Diaconis, or by Sturges where they fail. */
export function binEdges(values: readonly number[], log: boolean): number[] {
  const usable = sortedCopy(log ? values.filter((value) => value > 0).map(Math.log10) : values);
  const low = usable[0];
  const high = usable[usable.length - 1];
  if (low === undefined || high === undefined) return [];
  if (low === high) {
    const half = low === 0 || log ? 0.5 : Math.abs(low) * 0.05;
    return [low - half, low + half].map((edge) => (log ? 10 ** edge : edge));
  }
  const spread = quantile(usable, 0.75) - quantile(usable, 0.25);
  const width = (2 * spread) / Math.cbrt(usable.length);
  const wanted = width > 0 ? (high - low) / width : Math.log2(usable.length) + 1;
  const bins = Math.max(1, Math.min(60, Math.ceil(wanted)));
  return Array.from({ length: bins + 1 }, (_, n) => {
    const edge = low + ((high - low) * n) / bins;
    return log ? 10 ** edge : edge;
  });
}

/** How many values lie in each bin; the last one holds its upper edge too. */
export function countBins(values: readonly number[], edges: readonly number[]): Bin[] {
  const counts = new Array<number>(Math.max(0, edges.length - 1)).fill(0);
  for (const value of values) {
    let low = 0;
    let high = counts.length - 1;
    const first = edges[0] ?? NaN;
    const last = edges[edges.length - 1] ?? NaN;
    if (!(
      value >= first * (1 - Math.sign(first) * 1e-12) && value <= last + Math.abs(last) * 1e-12
    ))
      continue;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((edges[middle] ?? Infinity) <= value) low = middle;
      else high = middle - 1;
    }
    counts[low] = (counts[low] ?? 0) + 1;
  }
  return counts.map((count, n) => ({ from: edges[n] ?? NaN, to: edges[n + 1] ?? NaN, count }));
}
