import { expect, test } from "vitest";
import { refusalOfKey, refusalOfModelName } from "./names.ts";

test("names of models", () => {
  for (const name of ["forest", "Straße nach 東京 🚀", "a.b-c d", "x".repeat(500)]) {
    expect(refusalOfModelName(name)).toBeUndefined();
  }
  for (const name of ["", "  ", "a/b", "a:b", "..", "x".repeat(501)]) {
    expect(refusalOfModelName(name)).toBeDefined();
  }
});

test("names of tags", () => {
  for (const key of ["team", "a b", "a/b.c:d-e_f", "größe", "名前"]) {
    expect(refusalOfKey(key)).toBeUndefined();
  }
  for (const key of ["", "<b>", "a//b", "/a", "a/", "../a", "😀", "x".repeat(251)]) {
    expect(refusalOfKey(key)).toBeDefined();
  }
  expect(refusalOfKey("team", ["team"])).toBe("There is such a tag already.");
});
