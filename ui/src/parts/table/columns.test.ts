import { describe, expect, it } from "vitest";
import {
  columnTitle,
  constantColumns,
  hideColumn,
  type Layout,
  moveColumn,
  NOTHING_CHOSEN,
  pinColumn,
  placeColumns,
  quoteKey,
  replaceColumn,
  resizeColumn,
  showColumn,
  shownIds,
  splitId,
  usualColumns,
  withSummary,
} from "./columns.ts";
import type { KnownColumn } from "./source.ts";

const USUAL = ["version", "created_ms", "metrics.a", "metrics.b"];
const known = (id: string, group: KnownColumn["group"], key: string): KnownColumn => ({
  id,
  group,
  key,
  kind: "number",
  count: 1,
  sortable: true,
  filterable: true,
});

describe("ids", () => {
  it.each(["loss", "val.loss", "a b", "we`ird", "per%cent", "größe", ""])(
    "round trip %j",
    (key) => {
      expect(splitId(`metrics.${quoteKey(key)}`)).toEqual({ prefix: "metrics", key });
    },
  );

  it("name another summary of a metric", () => {
    expect(withSummary("metrics.`a b`", "min")).toBe("min.`a b`");
    expect(columnTitle({ id: "min.loss", key: "loss", group: "metric" })).toBe("loss (lowest)");
  });
});

describe("a layout", () => {
  it("follows the catalogue until something is chosen", () => {
    expect(shownIds(NOTHING_CHOSEN, USUAL)).toEqual(USUAL);
    const hidden = hideColumn(NOTHING_CHOSEN, "created_ms");
    expect(shownIds(hidden, [...USUAL, "metrics.new"])).toEqual([
      "version",
      "metrics.a",
      "metrics.b",
      "metrics.new",
    ]);
    expect(shownIds(showColumn(hidden, USUAL, "created_ms"), USUAL)).toEqual(USUAL);
  });

  it("keeps a chosen order whatever the catalogue does", () => {
    const moved = moveColumn(NOTHING_CHOSEN, USUAL, "metrics.b", 1);
    expect(moved.shown).toEqual(["version", "metrics.b", "created_ms", "metrics.a"]);
    expect(shownIds(moved, [...USUAL, "metrics.new"])).toEqual(moved.shown);
  });

  it("puts pinned columns after the first", () => {
    const pinned = pinColumn(NOTHING_CHOSEN, "metrics.b", true);
    const placed = placeColumns(pinned, USUAL, new Map());
    expect(placed.map((column) => [column.id, column.pinned])).toEqual([
      ["version", true],
      ["metrics.b", true],
      ["created_ms", false],
      ["metrics.a", false],
    ]);
    expect(shownIds(pinColumn(pinned, "metrics.b", false), USUAL)).toEqual(USUAL);
  });

  it("unpins what is dragged out from among the pinned", () => {
    const pinned = pinColumn(NOTHING_CHOSEN, "created_ms", true);
    const moved = moveColumn(pinned, USUAL, "created_ms", 3);
    expect(moved.pinned).toEqual([]);
    expect(moved.shown).toEqual(["version", "metrics.a", "metrics.b", "created_ms"]);
  });

  it("bounds widths and shows other summaries in place", () => {
    const layout: Layout = resizeColumn(NOTHING_CHOSEN, "metrics.a", 5);
    expect(placeColumns(layout, USUAL, new Map())[2]?.width).toBe(64);
    expect(replaceColumn(layout, USUAL, "metrics.a", "max.a").shown).toEqual([
      "version",
      "created_ms",
      "max.a",
      "metrics.b",
    ]);
  });
});

it("usual columns are the properties asked for and what was logged", () => {
  const catalogue = [
    known("description", "property", "description"),
    known("metrics.a", "metric", "a"),
    known("params.p", "param", "p"),
    known("tags.mlflow.user", "tag", "mlflow.user"),
    known("tags.team", "tag", "team"),
  ];
  expect(usualColumns(["version"], catalogue)).toEqual([
    "version",
    "metrics.a",
    "params.p",
    "tags.team",
  ]);
});

it("constant columns are equal in every row", () => {
  const rows = [{ cells: [1, "a", ["x"], null] }, { cells: [1, "b", ["x"], null] }];
  expect(constantColumns(["one", "two", "three", "four"], rows)).toEqual(["one", "three", "four"]);
  expect(constantColumns(["one"], rows.slice(1))).toEqual([]);
});
