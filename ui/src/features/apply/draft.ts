/**
 * What a person has chosen in the wizard so far, what is wrong with it, and the plan it makes.
 *
 * Types are judged as `heddle/scoring/signature.py` does, so that nothing is a surprise later; the
 * worker judges again before the first row.
 */
import type { Shapes } from "@/api/client.ts";

type Field = Shapes["SchemaField"];
type Column = Shapes["TableColumn"];
export type Mode = NonNullable<Shapes["JobOutput"]["mode"]>;
export type Engine = NonNullable<Shapes["JobPlan"]["engine"]>;

export interface Draft {
  /** `name/3` or `name@alias`. */
  readonly model: string;
  readonly input: string;
  /** The table's column for each of the model's; empty for none. */
  readonly mapping: Readonly<Record<string, string>>;
  readonly casts: readonly string[];
  /** Parameters as they were typed; empty for the model's own default. */
  readonly params: Readonly<Record<string, string>>;
  readonly output: string;
  readonly engine: Engine;
  readonly mode: Mode;
  readonly key: readonly string[];
  /** Columns of the input to leave out. */
  readonly dropped: readonly string[];
  /** Names of the columns of predictions, with commas; empty for the model's own. */
  readonly predictions: string;
}

export type Fit = "fits" | "cast" | "unfit" | "unknown";

const INT32_DOWN = ["int8", "int16", "int32", "uint8", "uint16"];
const SMALL = [...INT32_DOWN, "uint32"];
const TEXTS = ["string", "large_string", "string_view"];
/** What a model's type takes as it is, by Arrow's words. */
const TAKEN: Readonly<Record<string, readonly string[]>> = {
  boolean: ["bool"],
  integer: INT32_DOWN,
  long: [...SMALL, "int64"],
  float: ["halffloat", "float", ...SMALL],
  double: ["halffloat", "float", "double", ...SMALL],
  string: TEXTS,
  binary: ["binary", "large_binary"],
};

/** Whether a column of the table can be what the model takes. */
export function fitOf(wanted: string, given: string): Fit {
  const type = /^dictionary<values=([^,]+),/.exec(given)?.[1] ?? given;
  const isDate = type.startsWith("date");
  if (wanted === "datetime") {
    if (type.startsWith("timestamp")) return "fits";
    return isDate || TEXTS.includes(type) ? "cast" : "unfit";
  }
  const taken = TAKEN[wanted];
  if (taken === undefined) return "unknown";
  if (taken.includes(type)) return "fits";
  const isText = TEXTS.includes(type);
  const isInteger = /^u?int\d+$/.test(type);
  const isNumber = isInteger || ["halffloat", "float", "double"].includes(type);
  const isTruth = type === "bool";
  const canBeCast: Readonly<Record<string, boolean>> = {
    integer: isNumber || isText || isTruth,
    long: isNumber || isText || isTruth,
    double: isNumber || isText || isTruth || type.startsWith("decimal"),
    float: isInteger || isText,
    string: isInteger || isTruth,
    boolean: isText,
  };
  return canBeCast[wanted] === true ? "cast" : "unfit";
}

/** Columns of the table by equal name, or by a name that differs in case and marks alone. */
export function mapByName(
  fields: readonly Field[],
  columns: readonly Column[],
): Record<string, string> {
  const plain = (name: string) => name.toLowerCase().replaceAll(/[^\p{L}\p{N}]/gu, "");
  const exact = new Set(columns.map((column) => column.name));
  return Object.fromEntries(
    fields.map(({ name }) => [
      name,
      exact.has(name)
        ? name
        : (columns.find((column) => plain(column.name) === plain(name))?.name ?? ""),
    ]),
  );
}

/** What of the mapping keeps the plan from being made; empty for nothing. */
export function refusalOfMapping(
  draft: Draft,
  fields: readonly Field[],
  columns: readonly Column[],
): string {
  for (const { name, type, required } of fields) {
    const from = draft.mapping[name] ?? "";
    if (from === "") {
      if (required) return `Choose the column for ${name}; the model needs it.`;
      continue;
    }
    const column = columns.find((each) => each.name === from);
    if (column === undefined) continue;
    const fit = fitOf(type, column.type);
    if (fit === "unfit") return `${from} is ${column.type}; the model takes ${type} for ${name}.`;
    if (fit === "cast" && !draft.casts.includes(name)) {
      return `${from} is ${column.type}; accept the cast to ${type} for ${name}.`;
    }
  }
  return "";
}

/** A parameter as it was typed: JSON where it is, else text. */
function paramOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The plan that a draft makes. */
export function planOf(draft: Draft, columns: readonly Column[]): Shapes["JobPlan"] {
  const mapping = Object.entries(draft.mapping).filter(([to, from]) => from !== "" && to !== from);
  const params = Object.entries(draft.params).filter(([, text]) => text.trim() !== "");
  const predictions = draft.predictions
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const kept =
    draft.dropped.length === 0
      ? null
      : columns.map(({ name }) => name).filter((name) => !draft.dropped.includes(name));
  return {
    model: draft.model,
    input: { address: draft.input },
    output: {
      address: draft.output,
      mode: draft.mode,
      ...(draft.mode === "merge" ? { key: [...draft.key] } : {}),
      ...(kept === null ? {} : { columns: kept }),
      ...(predictions.length === 0 ? {} : { predictions }),
    },
    ...(mapping.length === 0 ? {} : { mapping: Object.fromEntries(mapping) }),
    ...(params.length === 0
      ? {}
      : {
          params: Object.fromEntries(params.map(([name, text]) => [name, paramOf(text)])) as Record<
            string,
            never
          >,
        }),
    ...(draft.casts.length === 0 ? {} : { casts: [...draft.casts] }),
    ...(draft.engine === "local" ? {} : { engine: draft.engine }),
  };
}
