import { describe, expect, it } from "vitest";
import { csvText, durationText, numberText, sizeText, timeAgo } from "./cellText.ts";
import { nextOrders } from "./orders.ts";
import { addKeys, applyRange, SELECTED_MAX, toggleKey } from "./selection.ts";

it.each([
  [51.23456, "51.23"],
  [0.000123456, "0.0001235"],
  [0.00001234, "1.234e-5"],
  [1234567.5, "1.235e+6"],
  [20000, "20000"],
  [-3, "-3"],
  [0, "0"],
  [NaN, "NaN"],
  [1.7976931348623157e308, "∞"],
])("writes %d as %s", (value, text) => {
  expect(numberText(value)).toBe(text);
});

it("writes times, durations and sizes as people say them", () => {
  const now = Date.UTC(2026, 0, 10);
  expect(timeAgo(now - 1000, now)).toBe("just now");
  expect(timeAgo(now - 2 * 3_600_000, now)).toBe("2 hr. ago");
  expect(durationText(90_000)).toBe("1 min 30 s");
  expect(durationText(12)).toBe("12 ms");
  expect(sizeText(1536)).toBe("1.5 KiB");
});

describe("CSV", () => {
  it("quotes what needs it and disarms formulas", () => {
    const columns = [
      { id: "a", kind: "text" },
      { id: "b", kind: "number" },
      { id: "c", kind: "time" },
    ] as const;
    const rows = [
      ['say "hi", you', -1.5, 0],
      ["=cmd()", null, null],
      [["x", "y"], 0.1, null],
    ];
    expect(csvText(columns, rows)).toBe(
      'a,b,c\r\n"say ""hi"", you",-1.5,1970-01-01T00:00:00.000Z\r\n\'=cmd(),,\r\nx; y,0.1,\r\n',
    );
  });
});

describe("orders", () => {
  it("turn with each click", () => {
    const once = nextOrders([], "a", false);
    const twice = nextOrders(once, "a", false);
    expect([once, twice, nextOrders(twice, "a", false)]).toEqual([
      [{ id: "a", falling: false }],
      [{ id: "a", falling: true }],
      [],
    ]);
  });

  it("add up with shift", () => {
    const both = nextOrders([{ id: "a", falling: true }], "b", true);
    expect(both.map((order) => order.id)).toEqual(["a", "b"]);
    expect(nextOrders(both, "a", true)).toEqual([{ id: "b", falling: false }]);
  });
});

describe("a selection", () => {
  it("keeps the order of choosing and is bounded", () => {
    expect(toggleKey(toggleKey(["2"], "1"), "2")).toEqual(["1"]);
    const many = Array.from({ length: SELECTED_MAX + 5 }, (_, n) => String(n));
    expect(addKeys([], many)).toHaveLength(SELECTED_MAX);
  });

  it("takes a range as the clicked row becomes", () => {
    expect(applyRange(["1"], ["1", "2", "3"], "3")).toEqual(["1", "2", "3"]);
    expect(applyRange(["1", "2", "3"], ["2", "3"], "3")).toEqual(["1"]);
  });
});
