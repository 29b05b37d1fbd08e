import { describe, expect, it } from "vitest";
import { restore, USUAL } from "../chart/spec.ts";
import { readSearch, writeSearch } from "@/lib/search.ts";
import { deltasOf } from "./deltas.ts";
import { diffLines } from "./textDiff.ts";
import { NAMES, NOTHING_SHOWN, readView, type ViewState, writeView } from "./viewState.ts";

const busy: ViewState = {
  filter: "metrics.`a b` < 1 AND tags.t = 'x & y'",
  orders: [
    { id: "metrics.`val loss`", falling: true },
    { id: "created_ms", falling: false },
    { id: "-odd", falling: true },
  ],
  layout: {
    shown: ["version", "metrics.`a,b`"],
    hidden: ["x"],
    pinned: ["metrics.`a,b`"],
    widths: { version: 99 },
    hideConstant: true,
  },
  selection: ["3", "4", "5", "0123456789abcdef0123456789abcdef"],
  hidden: ["4"],
  charts: [{ ...USUAL, id: "c1", type: "line", x: "step", y: ["metrics.a"], title: "It's (mine)" }],
  zooms: { c1: { xMin: 1.5, xMax: null, yMin: -2, yMax: 1e-9 } },
  pane: "differences",
  share: 0.3,
  baseline: "3",
  withEqual: true,
};

describe("a view in the address", () => {
  it("is nothing when nothing was chosen", () => {
    expect(writeView(NOTHING_SHOWN)).toEqual({});
    expect(readView({})).toEqual(NOTHING_SHOWN);
  });

  it("comes back through the address as it was", () => {
    expect(readView(readSearch(writeSearch(writeView(busy))))).toEqual(busy);
  });

  it("takes empty words for missing ones", () => {
    const blank = Object.fromEntries(NAMES.map((name) => [name, ""]));
    expect(readView(blank)).toEqual(NOTHING_SHOWN);
  });

  it("is whole whatever the address holds", () => {
    const odd = {
      charts: "!(1,(y:2),(id:a))",
      columns: "!n",
      zoom: "(a:1)",
      share: "x",
      pane: "?",
      sort: "((",
    };
    expect(readView(odd)).toEqual({
      ...NOTHING_SHOWN,
      charts: [restore({ id: "a" })],
      zooms: { a: { xMin: null, xMax: null, yMin: null, yMax: null } },
    });
  });
});

describe("deltas", () => {
  it("say how much and whether it is better", () => {
    const [base, less, more, none] = deltasOf([10, 9, 12, null], 0, "lower");
    expect(base).toBeNull();
    expect(none).toBeNull();
    expect(less).toEqual({ text: "−1 (−10.0 %)", verdict: "better", strength: 0.5 });
    expect(more).toMatchObject({ text: "+2 (+20.0 %)", verdict: "worse", strength: 1 });
    expect(deltasOf([1, 2], 0, "none")[1]?.verdict).toBe("neutral");
    expect(deltasOf(["NaN", 2], 0, "lower")).toEqual([null, null]);
  });
});

describe("lines side by side", () => {
  const sides = (a: string, b: string) => {
    const pairs = diffLines(a, b);
    return {
      left: pairs.flatMap((pair) => (pair.left === null ? [] : [pair.left])).join("\n"),
      right: pairs.flatMap((pair) => (pair.right === null ? [] : [pair.right])).join("\n"),
      changed: pairs.filter((pair) => !pair.isSame).length,
    };
  };

  it.each([
    ["a\nb\nc", "a\nc", 1],
    ["a\nc", "a\nb\nc", 1],
    ["same", "same", 0],
    ["", "x", 1],
    ["a\nb\nc\nd", "a\nB\nc\nD", 2],
    ["x\ny", "a\nb\nc", 3],
  ])("%j and %j differ in %d lines", (a, b, changed) => {
    expect(sides(a, b)).toEqual({ left: a, right: b, changed });
  });

  it("keep both texts whole, however they differ", () => {
    let seed = 7;
    const draw = () => (seed = (seed * 1103515245 + 12345) % 2147483648) % 6;
    for (let n = 0; n < 60; n += 1) {
      const text = () =>
        Array.from({ length: draw() * 3 }, () => "abcdef".charAt(draw())).join("\n");
      const [a, b] = [text(), text()];
      expect(sides(a, b)).toMatchObject({ left: a, right: b });
    }
  });
});
