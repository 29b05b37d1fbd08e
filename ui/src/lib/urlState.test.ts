import { describe, expect, it } from "vitest";
import { decode, encode, type Json, packKeys, unpackKeys } from "./urlState.ts";

describe("encode and decode", () => {
  const values: Json[] = [
    null,
    true,
    false,
    0,
    -1.5,
    1e21,
    1.5e-9,
    "",
    "plain",
    "metrics.val/loss",
    "it's !done! (yes): a,b",
    "123",
    "-4",
    "metrics.`a b`",
    "日本語 🙂",
    [],
    [1, "a", [null]],
    {},
    { a: 1, "b c": [true], nested: { deep: "x" } },
  ];
  it.each(values.map((value) => [value]))("brings back %j", (value) => {
    expect(decode(encode(value))).toEqual(value);
  });

  it("leaves out undefined members", () => {
    expect(encode({ a: undefined, b: 1 })).toBe("(b:1)");
  });

  it.each(["(", "(a", "(a:", "!(1", "'open", "1x", "!x", "", "(a:1)x", "!(".repeat(99)])(
    "gives undefined for %j",
    (text) => {
      expect(decode(text)).toBeUndefined();
    },
  );

  it("keeps a member named __proto__ a member", () => {
    const made = decode("(__proto__:(a:1))") as object;
    expect(Object.keys(made)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(made)).toBe(Object.prototype);
  });
});

describe("packKeys and unpackKeys", () => {
  const run = "0123456789abcdef0123456789abcdef";
  it.each([
    [[], ""],
    [["3", "4", "5", "9"], "3-5.9"],
    [["5", "4", "3"], "5-3"],
    [["2", "7", "1"], "2.7.1"],
  ])("packs %j as %j", (keys, text) => {
    expect(packKeys(keys)).toBe(text);
    expect(unpackKeys(text)).toEqual(keys);
  });

  it("brings back ids and any other text, in order", () => {
    const keys = [run, "a.b c/é", "12", run.replaceAll("0", "f")];
    expect(packKeys([run])).toHaveLength(23);
    expect(unpackKeys(packKeys(keys))).toEqual(keys);
  });

  it("leaves out what it cannot read", () => {
    expect(unpackKeys("1.x.~bad.*%E0%.1-999999999.2.2")).toEqual(["1", "2"]);
  });
});
