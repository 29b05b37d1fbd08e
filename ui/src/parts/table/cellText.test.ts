import { describe, expect, it } from "vitest";
import { csvText, durationText } from "./cellText.ts";
import { nextOrders } from "./orders.ts";
import { addKeys, applyRange, SELECTED_MAX, toggleKey } from "./selection.ts";

it("writes durations as people say them", () => {
  expect(durationText(90_000)).toBe("1 min 30 s");
  expect(durationText(12)).toBe("12 ms");
  expect(durationText(2_070)).toBe("2.07 s");
  expect(durationText(1_600)).toBe("1.60 s");
  expect(durationText(20_000)).toBe("20 s");
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
