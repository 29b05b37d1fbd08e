import { describe, expect, it } from "vitest";
import { assignSlots, colourOfSlot, DARK_GROUND, LIGHT_GROUND, preferredSlot } from "./palette.ts";
import { ema, gaussian, runningMean } from "./smoothing.ts";
import {
  aggregate,
  band,
  binEdges,
  box,
  countBins,
  inliers,
  quantile,
  student,
} from "./statistics.ts";

describe("smoothing", () => {
  it("ema is debiased: a constant stays, the first value is its own", () => {
    expect(ema([3, 3, 3, 3], 0.9).every((value) => Math.abs(value - 3) < 1e-12)).toBe(true);
    const [first, second] = ema([1, 2], 0.5);
    expect(first).toBe(1);
    expect(second).toBeCloseTo((0.5 * 0.5 + 2 * 0.5) / 0.75, 12);
  });

  it("ema does not mind a point that is there twice as dense", () => {
    const every = ema([1, 1, 1, 5, 5, 5], 0.8, [0, 1, 2, 3, 4, 5]);
    expect(every[5]).toBeLessThan(5);
    expect(every[5]).toBeGreaterThan(every[3] ?? 0);
  });

  it("keeps NaN in its place and goes on", () => {
    expect(ema([1, NaN, 1], 0.5)[1]).toBeNaN();
    expect(runningMean([1, NaN, 3], 3)).toEqual([1, NaN, 3]);
    expect(gaussian([2, 2, 2], 1)).toEqual([2, 2, 2]);
  });

  it("a running mean is centred and shorter at the ends", () => {
    expect(runningMean([1, 2, 3, 4, 5], 3)).toEqual([1.5, 2, 3, 4, 4.5]);
  });

  it("a Gaussian flattens a spike symmetrically", () => {
    const made = gaussian([0, 0, 0, 1, 0, 0, 0], 1);
    expect(made[2]).toBeCloseTo(made[4] ?? NaN, 12);
    expect(made[3]).toBeGreaterThan(made[2] ?? NaN);
  });
});

describe("statistics", () => {
  it("quantiles agree with NumPy", () => {
    expect(quantile([1, 2, 3, 4], 0.25)).toBe(1.75);
    expect(quantile([5], 0.9)).toBe(5);
    expect(aggregate([4, 1, 3, 2], "median")).toBe(2.5);
  });

  it("bands hold what they say", () => {
    expect(band([1, 2, 3], 2, "minmax")).toEqual([1, 3]);
    expect(band([1, 2, 3], 2, "sd")).toEqual([1, 3]);
    const [low, high] = band([1, 2, 3], 2, "ci95");
    expect((high - low) / 2).toBeCloseTo(4.303 / Math.sqrt(3), 3);
    expect(band([7], 7, "ci95")).toEqual([7, 7]);
    expect(student(60)).toBeCloseTo(2.0003, 3);
  });

  it("outliers lie beyond Tukey's fences", () => {
    expect(inliers([1, 2, 3, 2, 1, 100])).toEqual([true, true, true, true, true, false]);
    expect(box([1, 2, 3, 2, 1, 100]).outliers).toEqual([100]);
    expect(box([1, 2, 3, 2, 1, 100]).five[4]).toBe(3);
  });

  it("every value is in one bin", () => {
    const values = Array.from({ length: 500 }, (_, n) => Math.sin(n) * 10);
    const bins = countBins(values, binEdges(values, false));
    expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(500);
    const logs = values.map((value) => 10 ** (value / 3));
    expect(countBins(logs, binEdges(logs, true)).reduce((sum, bin) => sum + bin.count, 0)).toBe(
      500,
    );
    expect(countBins([2, 2], binEdges([2, 2], false)).map((bin) => bin.count)).toEqual([2]);
  });
});

describe("colours", () => {
  const contrast = (a: string, b: string): number => {
    const shine = (colour: string): number => {
      const parts = (colour.match(/[0-9a-f]{2}/g) ?? []).map((part) => {
        const value = parseInt(part, 16) / 255;
        return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * (parts[0] ?? 0) + 0.7152 * (parts[1] ?? 0) + 0.0722 * (parts[2] ?? 0);
    };
    const [high, low] = [shine(a), shine(b)].sort((x, y) => y - x) as [number, number];
    return (high + 0.05) / (low + 0.05);
  };

  it("stand out from their ground by 3:1", () => {
    for (const colour of LIGHT_GROUND) expect(contrast(colour, "#ffffff")).toBeGreaterThan(3);
    for (const colour of DARK_GROUND) expect(contrast(colour, "#292929")).toBeGreaterThan(3);
  });

  it("are the same for a key and different for ten", () => {
    expect(colourOfSlot(preferredSlot("7"), false)).toBe(colourOfSlot(preferredSlot("7"), false));
    const keys = Array.from({ length: 10 }, (_, n) => `run ${n}`);
    const colours = new Set([...assignSlots(keys).values()].map((slot) => slot % 10));
    expect(colours.size).toBe(10);
  });

  it("stay with the earlier key when another joins", () => {
    const before = assignSlots(["1", "2"]);
    const after = assignSlots(["1", "2", "11"]);
    expect([after.get("1"), after.get("2")]).toEqual([before.get("1"), before.get("2")]);
    expect(after.get("11")).not.toBe(after.get("1"));
  });
});
