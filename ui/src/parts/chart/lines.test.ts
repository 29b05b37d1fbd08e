import { describe, expect, it } from "vitest";
import type { Series } from "../table/source.ts";
import type { Frame, Item } from "./frame.ts";
import { makeLines, resample } from "./lines.ts";
import { draw } from "./options/draw.ts";
import type { Look } from "./options/drawing.ts";
import { type ChartSpec, columnsOf, restore, shorten, titleOf, TYPES, USUAL } from "./spec.ts";

const look: Look = {
  isDark: false,
  text: "#000",
  faint: "#666",
  line: "#ccc",
  ground: "#fff",
  font: "sans-serif",
  width: 500,
};

function item(n: number, cells: Item["cells"]): Item {
  return { key: String(n), label: `v${n}`, run: `r${n}`, slot: n, cells };
}

function series(run: string, values: number[], more: Partial<Series> = {}): Series {
  return {
    run,
    key: "loss",
    count: values.length,
    whole: true,
    steps: values.map((_, n) => n),
    times: values.map((_, n) => 1000 * n),
    last: values,
    min: values,
    max: values,
    ...more,
  };
}

const line: ChartSpec = { ...USUAL, id: "c", type: "line", x: "step", y: ["metrics.loss"] };
const two: Frame = {
  items: [item(1, { "params.lr": "0.1" }), item(2, { "params.lr": "0.1" })],
  series: [series("r1", [1, 2, 3]), series("r2", [3, 4, 5])],
};

describe("lines of metrics", () => {
  it("are one for each item, over steps or seconds since the first point", () => {
    expect(makeLines(line, two).map((each) => each.points)).toEqual([
      [
        [0, 1],
        [1, 2],
        [2, 3],
      ],
      [
        [0, 3],
        [1, 4],
        [2, 5],
      ],
    ]);
    const relative = makeLines({ ...line, x: "relative" }, two);
    expect(relative[0]?.points[2]).toEqual([2, 3]);
  });

  it("keep the spikes of thinned buckets on the raw line", () => {
    const thin = series("r1", [1, 2], { whole: false, min: [0, -9], max: [5, 2], count: 50 });
    const [made] = makeLines({ ...line, smoothing: "ema" }, { items: two.items, series: [thin] });
    const values = made?.raw.map((point) => point[1]);
    expect(values).toContain(-9);
    expect(values).toContain(5);
    expect(made?.points).toHaveLength(2);
  });

  it("group with bands", () => {
    const [made] = makeLines({ ...line, groupBy: "params.lr", band: "minmax" }, two);
    expect(made?.points.map((point) => point[1])).toEqual([2, 3, 4]);
    expect(made?.low).toEqual([1, 2, 3]);
    expect(made?.high).toEqual([3, 4, 5]);
  });

  it("leave outliers out if asked", () => {
    const wild = series("r1", [1, 1, 2, 2, 1, 999]);
    const [made] = makeLines(
      { ...line, ignoreOutliers: true },
      { items: two.items, series: [wild] },
    );
    expect(made?.points[5]?.[1]).toBeNaN();
  });

  it("resample between points and never beyond them", () => {
    expect(resample([0, 2], [0, 4], [-1, 0, 1, 2, 3])).toEqual([NaN, 0, 2, 4, NaN]);
  });
});

it("rows over a column are sorted, equal places joined", () => {
  const items = [3, 1, 1].map((x, n) => item(n, { version: x, "metrics.a": n + 1 }));
  const spec: ChartSpec = { ...line, x: "version", y: ["metrics.a"] };
  expect(makeLines(spec, { items, series: [] })[0]?.points).toEqual([
    [1, 2.5],
    [3, 1],
  ]);
});

describe("every type", () => {
  const ids = ["metrics.a", "metrics.b", "params.kind"];
  const items = Array.from({ length: 12 }, (_, n) =>
    item(n, {
      version: n,
      run_name: `run ${n}`,
      "metrics.a": n + 1,
      "metrics.b": n * n + 1,
      "params.kind": n % 2 ? "x" : "y",
    }),
  );
  const odd = item(99, { version: 99, run_name: null, "metrics.a": "NaN", "metrics.b": null });
  it.each(TYPES)("%s draws rows and says so, on both scales, with groups", (type) => {
    for (const scale of ["linear", "log"] as const) {
      for (const groupBy of ["", "params.kind"]) {
        const spec: ChartSpec = {
          ...USUAL,
          id: "c",
          type,
          groupBy,
          xScale: scale,
          yScale: scale,
          band: "sd",
          x: type === "bar" ? "run_name" : "version",
          y: ids.slice(0, 2),
        };
        const made = draw(spec, { items: [...items, odd], series: [] }, look);
        expect(made.isEmpty).toBe(false);
        expect(made.summary).not.toBe("");
      }
    }
  });

  it.each(TYPES)("%s without data is empty", (type) => {
    const spec: ChartSpec = { ...USUAL, id: "c", type, y: ids };
    expect(draw(spec, { items: [item(1, {})], series: [] }, look).isEmpty).toBe(true);
  });
});

describe("specs", () => {
  it("come back from their short form", () => {
    const spec: ChartSpec = {
      ...line,
      smoothing: "gaussian",
      amount: 5,
      yMin: 0,
      groupBy: "params.lr",
    };
    expect(restore(JSON.parse(JSON.stringify(shorten(spec))))).toEqual(spec);
  });

  it("drop what does not fit", () => {
    const made = restore({ id: "a", type: "evil", y: [1], amount: "x", yMin: "0", extra: 1 });
    expect(made).toEqual({ ...USUAL, id: "a" });
    expect(restore(null)).toBeNull();
    expect(restore({ type: "bar" })).toBeNull();
  });

  it("ask for the columns they draw, and none for series", () => {
    expect(columnsOf(line)).toEqual([]);
    expect(columnsOf({ ...USUAL, id: "b", y: ["metrics.a"], groupBy: "params.k" })).toEqual([
      "metrics.a",
      "run_name",
      "params.k",
    ]);
    expect(titleOf({ ...USUAL, id: "b", y: ["metrics.a"] })).toBe("a by run name");
  });
});
