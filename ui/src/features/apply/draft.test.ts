import { expect, test } from "vitest";
import { codeOf, notebookOf } from "./code.ts";
import { type Draft, fitOf, mapByName, planOf, refusalOfMapping } from "./draft.ts";

const DRAFT: Draft = {
  model: "demand/1",
  input: "in.parquet",
  mapping: { price: "cost", promo: "promo" },
  casts: [],
  params: { horizon: "7", name: "it's", unset: " " },
  output: "out.parquet",
  engine: "local",
  mode: "merge",
  key: ["id"],
  dropped: ["promo"],
  predictions: "demand, low",
};
const FIELDS = [
  { name: "price", type: "double", required: true },
  { name: "promo", type: "double", required: false },
];
const COLUMNS = [
  { name: "id", type: "int64" },
  { name: "cost", type: "double" },
  { name: "promo", type: "int64" },
];

test("types are judged as the worker does", () => {
  expect(fitOf("double", "float")).toBe("fits");
  expect(fitOf("double", "int64")).toBe("cast");
  expect(fitOf("string", "dictionary<values=string, indices=int32, ordered=0>")).toBe("fits");
  expect(fitOf("datetime", "timestamp[us]")).toBe("fits");
  expect(fitOf("datetime", "int64")).toBe("unfit");
  expect(fitOf("boolean", "double")).toBe("unfit");
  expect(fitOf("tensor(float64, [-1, 3])", "double")).toBe("unknown");
});

test("columns are found by name, and what does not fit is said", () => {
  expect(mapByName(FIELDS, [{ name: "Price", type: "double" }])).toEqual({
    price: "Price",
    promo: "",
  });
  expect(refusalOfMapping(DRAFT, FIELDS, COLUMNS)).toContain("accept the cast");
  expect(refusalOfMapping({ ...DRAFT, casts: ["promo"] }, FIELDS, COLUMNS)).toBe("");
  expect(refusalOfMapping({ ...DRAFT, mapping: {} }, FIELDS, COLUMNS)).toContain("needs it");
});

test("a draft makes a plan, and the plan is code", () => {
  const plan = planOf({ ...DRAFT, casts: ["promo"] }, COLUMNS);
  expect(plan).toEqual({
    model: "demand/1",
    input: { address: "in.parquet" },
    output: {
      address: "out.parquet",
      mode: "merge",
      key: ["id"],
      columns: ["id", "cost"],
      predictions: ["demand", "low"],
    },
    mapping: { price: "cost" },
    params: { horizon: 7, name: "it's" },
    casts: ["promo"],
  });
  const { text, language } = codeOf("http://here", "shop", plan);
  expect(language).toBe("python");
  expect(text).toContain('    params={"horizon": 7, "name": "it\'s"},\n');
  expect(text).toContain('    workspace="shop",\n');
  const notebook = JSON.parse(notebookOf(codeOf("http://here", "shop", plan), "Apply")) as {
    cells: { source: string[] }[];
  };
  expect(notebook.cells[2]?.source.join("")).toBe(text.trimEnd());
});

test("on Spark the plan is a command, in a notebook too", () => {
  const plan = planOf({ ...DRAFT, casts: ["promo"], engine: "spark" }, COLUMNS);
  expect(plan.engine).toBe("spark");
  const code = codeOf("http://here", "shop", plan);
  expect(code.language).toBe("shell");
  expect(code.text.replaceAll(" \\\n  ", " ")).toBe(
    "heddle predict demand/1 in.parquet out.parquet --engine spark --map price=cost" +
      " --param horizon=7 --param 'name=\"it'\\''s\"' --cast promo --mode merge --key id" +
      " --columns id,cost --predictions demand,low --server http://here --workspace shop\n",
  );
  expect(notebookOf(code, "Apply")).toContain("heddle-ml[predict,spark]");
  expect(notebookOf(code, "Apply")).toContain("%%sh\\n");
});
