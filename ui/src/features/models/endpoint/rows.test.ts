import { expect, test } from "vitest";
import { plausible, requestOf, rowsOf, shownOf } from "./rows.ts";

function field(name: string, type: string) {
  return { name, type, required: true, default: null };
}

const FIELDS = [field("a", "double"), field("n", "long"), field("s", "string")];

test("what is typed goes over as it is, digit for digit", () => {
  const made = requestOf(FIELDS, [
    ["0.10", "9007199254740993", "7"],
    ["", "1e", 'a "b"'],
  ]);
  expect(made).toContain('[0.10, 9007199254740993, "7"]');
  expect(made).toContain(String.raw`[null, "1e", "a \"b\""]`);
  expect(JSON.parse(made)).toMatchObject({ dataframe_split: { columns: ["a", "n", "s"] } });
});

test("a request comes back as rows, whatever the order of its columns", () => {
  const said = { dataframe_split: { columns: ["s", "x", "a"], data: [["t", 1, 2.5]] } };
  expect(rowsOf(FIELDS, said)).toEqual([["2.5", "", "t"]]);
  expect(rowsOf(FIELDS, said.dataframe_split)).toEqual([["2.5", "", "t"]]);
  expect(rowsOf(FIELDS, { instances: [[1]] })).toBeNull();
  expect(rowsOf(FIELDS, null)).toBeNull();
});

test("a model without an example is shown what could be", () => {
  expect(plausible(FIELDS, 0)).toEqual(["0.5", "1", "text"]);
  expect(plausible([field("", "tensor(float32, [-1, 2, 2])")], 0)).toEqual(["[[0,0],[0,0]]"]);
});

test("an unnamed tensor is sent by its rows", () => {
  const made = requestOf([field("", "tensor(float32, [-1, 2])")], [["[1, 2]"], ["[3, 4]"]]);
  expect(JSON.parse(made)).toEqual({
    inputs: [
      [1, 2],
      [3, 4],
    ],
  });
});

test("predictions stand beside their rows only if there is one for each", () => {
  expect(shownOf([1.5, "x"], 2)).toEqual(["1.5", "x"]);
  expect(shownOf([{ "0": 80 }, [2]], 2)).toEqual(["80", "[2]"]);
  expect(shownOf([{ a: 1, b: 2 }], 1)).toEqual(['{"a":1,"b":2}']);
  expect(shownOf({ a: [1] }, 1)).toBeNull();
});
