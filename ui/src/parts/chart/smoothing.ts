/**
 * Smoothing of a line's values, all of them keeping length and NaNs where they were.
 *
 * `ema` is the exponential moving average with its start debiased (as TensorBoard and W&B draw it),
 * weighted by the distance between points so that thinned and whole series agree; `gaussian` is a
 * kernel of a standard deviation in points; `mean` the centred running mean over so many points.
 */
import type { Smoothing } from "./spec.ts";

export function smooth(
  values: readonly number[],
  how: Smoothing,
  amount: number,
  xs?: readonly number[],
): number[] {
  switch (how) {
    case "none":
      return [...values];
    case "ema":
      return ema(values, amount, xs);
    case "gaussian":
      return gaussian(values, amount);
    case "mean":
      return runningMean(values, amount);
  }
}

/** Each value is `weight` of what came before and the rest of its own. */
export function ema(values: readonly number[], weight: number, xs?: readonly number[]): number[] {
  const kept = Math.min(Math.max(weight, 0), 0.999);
  if (kept === 0) return [...values];
  const span = xs === undefined ? 0 : (xs[xs.length - 1] ?? 0) - (xs[0] ?? 0);
  const step = span > 0 ? span / Math.max(1, values.length - 1) : 0;
  let sum = 0;
  let weights = 0;
  let before = NaN;
  return values.map((value, n) => {
    if (Number.isNaN(value)) return NaN;
    const x = xs?.[n] ?? n;
    const distance = step > 0 && !Number.isNaN(before) ? Math.max(0, x - before) / step : 1;
    const factor = kept ** distance;
    before = x;
    sum = sum * factor + value * (1 - kept);
    weights = weights * factor + (1 - kept);
    return sum / weights;
  });
}

export function gaussian(values: readonly number[], deviation: number): number[] {
  if (!(deviation > 0)) return [...values];
  const reach = Math.min(Math.ceil(deviation * 3), values.length);
  const kernel = Array.from({ length: reach + 1 }, (_, n) =>
    Math.exp(-(n * n) / (2 * deviation ** 2)),
  );
  return weighted(values, reach, kernel);
}

export function runningMean(values: readonly number[], points: number): number[] {
  const reach = Math.min(Math.max(0, Math.floor((points - 1) / 2)), values.length);
  return weighted(values, reach, new Array<number>(reach + 1).fill(1));
}

function weighted(values: readonly number[], reach: number, kernel: readonly number[]): number[] {
  return values.map((value, n) => {
    if (Number.isNaN(value)) return NaN;
    let sum = 0;
    let weights = 0;
    for (let m = Math.max(0, n - reach); m <= Math.min(values.length - 1, n + reach); m += 1) {
      const near = values[m] ?? NaN;
      if (Number.isNaN(near)) continue;
      const weight = kernel[Math.abs(m - n)] ?? 0;
      sum += near * weight;
      weights += weight;
    }
    return sum / weights;
  });
}
