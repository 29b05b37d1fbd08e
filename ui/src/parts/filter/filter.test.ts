import { describe, expect, it } from "vitest";
import { chipsOf, joinChips, valueOf } from "./chips.ts";
import { operatorOffers, take, wanted } from "./complete.ts";
import { contextAt, read } from "./grammar.ts";

describe("reading", () => {
  it.each([
    ["metrics.rmse < 60", ["metrics.rmse", "<", ["60"]]],
    ["tags.team = 'it''s'", ["tags.team", "=", ["'it''s'"]]],
    ["metrics.`a b` BETWEEN -1 AND 1e3", ["metrics.`a b`", "BETWEEN", ["-1", "1e3"]]],
    ["params.lr not in ('a', \"b\", 3)", ["params.lr", "NOT IN", ["'a'", '"b"', "3"]]],
    ["status IS NOT NULL", ["status", "IS NOT NULL", []]],
    ["run name ILIKE '%x%'", ["run name", "ILIKE", ["'%x%'"]]],
    ["params.p !~ 'x.*'", ["params.p", "!~", ["'x.*'"]]],
  ])("%s", (text, [key, op, values]) => {
    const reading = read(text);
    expect(reading.fault).toBeNull();
    expect(reading.comparisons).toMatchObject([{ key, op, values, from: 0, to: text.length }]);
  });

  it.each([
    ["metrics.rmse <", 14],
    ["metrics.rmse < abc", 15],
    ["a = 1 b = 2", 6],
    ["(a = 1", 0],
    ["a = 1)", 5],
    ["a = 'open", 4],
    ["a IN ()", 6],
    ["a BETWEEN 1", 11],
    ["= 1", 0],
    ["a = 1 AND", 9],
    ["metrics.`open = 1", 0],
  ])("points at the fault of %j", (text, position) => {
    expect(read(text).fault?.position).toBe(position);
  });

  it("has no fault in nothing", () => {
    expect(read("  ")).toEqual({ comparisons: [], parts: [], fault: null });
  });
});

describe("chips", () => {
  it("are what stands between ANDs", () => {
    const text = "metrics.a < 1 AND (b = 2 OR c = 3) AND NOT d = 4 AND e BETWEEN 1 AND 2";
    expect(chipsOf(text).map((chip) => [chip.text, chip.comparison?.key ?? null])).toEqual([
      ["metrics.a < 1", "metrics.a"],
      ["(b = 2 OR c = 3)", null],
      ["NOT d = 4", null],
      ["e BETWEEN 1 AND 2", "e"],
    ]);
    expect(joinChips(chipsOf(text).map((chip) => chip.text))).toBe(text);
  });

  it("stay one where an OR stands free, and get parentheses beside others", () => {
    expect(chipsOf("a = 1 OR b = 2 AND c = 3")).toHaveLength(1);
    expect(joinChips(["a = 1 OR b = 2", "c = 3"])).toBe("(a = 1 OR b = 2) AND c = 3");
    expect(joinChips(["(a = 1 OR b = 2)", "c = 'x OR y'"])).toBe(
      "(a = 1 OR b = 2) AND c = 'x OR y'",
    );
    expect(joinChips(["a = 1 OR b = 2"])).toBe("a = 1 OR b = 2");
  });

  it("hold a text that cannot be read", () => {
    expect(chipsOf("metrics.")).toEqual([{ text: "metrics.", comparison: null }]);
    expect(valueOf("'it''s'")).toBe("it's");
  });
});

describe("completion", () => {
  it.each([
    ["", 0, "key", ""],
    ["metr", 4, "key", "metr"],
    ["metrics.a ", 10, "operator", ""],
    ["metrics.a < ", 12, "value", ""],
    ["tags.t = 'st", 12, "value", "'st"],
    ["a = 'x' ", 8, "join", ""],
    ["a = 'x'", 7, "join", ""],
    ["a = 1 AND ta", 12, "key", "ta"],
    ["a IN ('x', ", 11, "value", ""],
    ["a BETWEEN 1 ", 12, "value", ""],
    ["a BETWEEN 1 AND 2 ", 18, "join", ""],
    ["NOT (", 5, "key", ""],
  ])("%j at %d expects a %s", (text, place, expects, typed) => {
    expect(contextAt(text, place)).toMatchObject({ expects, typed });
  });

  it("searches by what is typed of the key or value", () => {
    expect(wanted("metrics.`val l", 14).search).toBe("val l");
    expect(wanted("tags.team = 'st", 15)).toMatchObject({ search: "st", key: "tags.team" });
  });

  it("offers what suits the key", () => {
    const labels = (key: string) => operatorOffers(key, "", new Map()).map((offer) => offer.label);
    expect(labels("metrics.a")).not.toContain("LIKE");
    expect(labels("tags.a")).not.toContain("<");
    expect(labels("params.a")).toEqual(expect.arrayContaining(["<", "LIKE"]));
  });

  it("puts an offer in the place of what is typed", () => {
    const context = contextAt("a = 1 AND met", 13);
    const offer = { label: "metrics.b", insert: "metrics.b ", detail: "" };
    expect(take("a = 1 AND met", context, offer)).toEqual(["a = 1 AND metrics.b ", 20]);
    expect(take("met < 3", contextAt("met < 3", 3), offer)).toEqual(["metrics.b < 3", 10]);
  });
});
