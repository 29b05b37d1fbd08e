/**
 * Rows that are typed into a form, as a request and back.
 *
 * Always holds: what is typed goes over as it is typed; whether it fits is the model's to say.
 */
import type { Shapes } from "@/api/client.ts";

type Field = Shapes["SchemaField"];

/** One text for each field. */
export type Row = readonly string[];

const WHOLE = new Set(["long", "integer"]);
const NUMBERS = new Set([...WHOLE, "double", "float"]);

/** A text as the JSON of a value of the field's type; a number keeps every digit. */
function jsonOf(text: string, { type }: Field): string {
  const plain = text.trim();
  if (plain === "") return type === "string" && text !== "" ? JSON.stringify(text) : "null";
  if (type === "string" || type === "datetime" || type === "binary") return JSON.stringify(text);
  try {
    JSON.parse(plain);
    return plain;
  } catch {
    return JSON.stringify(text);
  }
}

/** The request for some rows, as people would write it. */
export function requestOf(fields: readonly Field[], rows: readonly Row[]): string {
  const columns = fields.map(({ name }) => JSON.stringify(name)).join(", ");
  // One tensor without a name has nothing but its rows.
  const isNamed = fields.length !== 1 || fields[0]?.name !== "";
  const data = rows
    .map((row) => {
      const values = fields.map((field, at) => jsonOf(row[at] ?? "", field)).join(", ");
      return isNamed ? `[${values}]` : values;
    })
    .join(",\n      ");
  if (!isNamed) return `{\n  "inputs": [\n      ${data}\n  ]\n}`;
  return `{
  "dataframe_split": {
    "columns": [${columns}],
    "data": [
      ${data}
    ]
  }
}`;
}

/** The rows of a request or an input example; null where it holds no such table. */
export function rowsOf(fields: readonly Field[], said: unknown): Row[] | null {
  const top = said as { dataframe_split?: unknown } | null;
  const split = (top?.dataframe_split ?? said) as { columns?: unknown; data?: unknown } | null;
  const { columns, data } = split ?? {};
  if (!Array.isArray(columns) || !Array.isArray(data)) return null;
  const places = fields.map(({ name }) => columns.indexOf(name));
  if (places.every((at) => at < 0)) return null;
  return data.map((row: unknown) =>
    places.map((at) => textOf(Array.isArray(row) && at >= 0 ? (row as unknown[])[at] : null)),
  );
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** Values that could be, for a model that was logged without an example. */
export function plausible(fields: readonly Field[], at: number): Row {
  return fields.map(({ type }) => {
    if (WHOLE.has(type)) return String(at + 1);
    if (NUMBERS.has(type)) return String((at + 1) / 2);
    if (type === "boolean") return String(at % 2 === 0);
    if (type === "datetime") return "2026-01-01T00:00:00";
    if (type === "binary") return "aGVkZGxl";
    if (type === "string") return "text";
    const shape = /\[-1, ([\d, ]+)\]/.exec(type)?.[1]?.split(", ").map(Number);
    return shape ? JSON.stringify(zeros(shape)) : type.startsWith("array") ? "[]" : "0";
  });
}

function zeros([size = 1, ...inner]: readonly number[]): unknown {
  return Array.from({ length: Math.min(size, 64) }, () => (inner.length > 0 ? zeros(inner) : 0));
}

/** One prediction for each row, as a text; a column of texts where a row has several. */
export function shownOf(predictions: unknown, rows: number): string[] | null {
  if (!Array.isArray(predictions) || predictions.length !== rows) return null;
  return predictions.map((each: unknown) => {
    // A column without a name comes as an object of one value.
    const values = typeof each === "object" && each !== null ? Object.values(each) : [];
    const shown: unknown = values.length === 1 && !Array.isArray(each) ? values[0] : each;
    return typeof shown === "string" ? shown : JSON.stringify(shown ?? null);
  });
}
