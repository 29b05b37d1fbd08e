import { expect, test } from "vitest";
import type { Series } from "@/parts/table/source.ts";
import { askedFrom, joinSeries, sparkPoints } from "./liveSeries.ts";

function series(points: readonly (readonly [time: number, step: number, value: number])[]): Series {
  return {
    run: "r",
    key: "loss",
    count: points.length,
    whole: true,
    times: points.map(([time]) => time),
    steps: points.map(([, step]) => step),
    last: points.map(([, , value]) => value),
    min: points.map(([, , value]) => value),
    max: points.map(([, , value]) => value),
  };
}

test("later points join once, also those of the same moment", () => {
  const known = series([
    [100, 0, 9],
    [200, 1, 8],
  ]);
  const later = series([
    [100, 0, 9],
    [200, 1, 8],
    [200, 2, 7],
    [300, 3, 6],
  ]);
  const joined = joinSeries(known, later);
  expect(joined.steps).toEqual([0, 1, 2, 3]);
  expect(joined.last).toEqual([9, 8, 7, 6]);
  expect(joined.count).toBe(4);
  expect(joinSeries(joined, later)).toBe(joined);
});

test("a thinned answer makes the joined series thinned", () => {
  const later = { ...series([[300, 9, 1]]), whole: false, count: 50, min: [0], max: [5] };
  const joined = joinSeries(series([[100, 0, 9]]), later);
  expect(joined.whole).toBe(false);
  expect(joined.count).toBe(51);
  expect(joined.max).toEqual([9, 5]);
});

test("it is asked from a while before the last known point", () => {
  expect(askedFrom([])).toBeUndefined();
  expect(askedFrom([series([])])).toBeUndefined();
  expect(askedFrom([series([[50_000, 0, 1]]), series([[90_000, 1, 1]])])).toBe(75_000);
});

test("small drawings keep the last point and skip NaN", () => {
  const many = series(Array.from({ length: 1000 }, (_, n) => [n, n, n] as const));
  const points = sparkPoints({ ...many, last: many.last.map((v, n) => (n === 0 ? "NaN" : v)) }, 50);
  expect(points.length).toBeLessThanOrEqual(51);
  expect(points.at(-1)).toEqual([999, 999]);
  expect(points.every(([, value]) => Number.isFinite(value))).toBe(true);
});
