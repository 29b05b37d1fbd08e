/**
 * What to offer while a filter is typed: real keys, the operators that suit a key, real values.
 *
 * Always holds: taking an offer gives a text with the caret behind what was put in; offers of an
 * order of columns (`sort`) are no business of this. Leaves to others: asking the server.
 */
import { columnOf } from "../table/columns.ts";
import type { KnownColumn } from "../table/source.ts";
import { quoteText } from "./chips.ts";
import { type Context, contextAt, OPERATORS } from "./grammar.ts";

export interface Offer {
  /** What is shown. */
  readonly label: string;
  /** What is put in. */
  readonly insert: string;
  readonly detail: string;
}

const TEXTUAL = [
  "=",
  "!=",
  "LIKE",
  "ILIKE",
  "IN",
  "NOT IN",
  "NOT LIKE",
  "NOT ILIKE",
  "MATCHES",
  "IS NULL",
  "IS NOT NULL",
];
const NUMERIC = [
  "=",
  "!=",
  "<",
  "<=",
  ">",
  ">=",
  "BETWEEN",
  "IN",
  "NOT BETWEEN",
  "NOT IN",
  "IS NULL",
  "IS NOT NULL",
];
const WORDS: Readonly<Record<string, string>> = {
  "=": "is",
  "!=": "is not",
  LIKE: "% any characters, _ one",
  ILIKE: "LIKE in any case",
  IN: "one of a list",
  BETWEEN: "both ends included",
  MATCHES: "regular expression",
  "IS NULL": "is missing",
  "IS NOT NULL": "is there",
};
const GROUPS: Readonly<Record<string, string>> = {
  property: "property",
  metric: "metric",
  param: "hyperparameter",
  tag: "tag",
};

/** Where a filter is being written, and what the server is to be asked for. */
export function wanted(text: string, caret: number): Context & { readonly search: string } {
  const context = contextAt(text, caret);
  const search =
    context.expects === "key"
      ? context.typed
          .replace(/^(?:metrics|params|tags|min|max|mean)\.[`"]?/, "")
          .replaceAll(/[`"]/g, "")
      : context.typed.replace(/^['"]/, "").replaceAll("''", "'");
  return { ...context, search };
}

export function keyOffers(columns: readonly KnownColumn[]): Offer[] {
  return columns
    .filter((column) => column.filterable)
    .map((column) => ({
      label: column.id,
      insert: `${column.id} `,
      detail: GROUPS[column.group] ?? "",
    }));
}

/** Operators that suit a key; params may be compared as numbers too. */
export function operatorOffers(
  key: string,
  typed: string,
  known: ReadonlyMap<string, KnownColumn>,
): Offer[] {
  const column = columnOf(key, known);
  const isNumber = column.kind !== "text" && column.kind !== "list";
  const suiting = isNumber ? NUMERIC : column.group === "param" ? OPERATORS : TEXTUAL;
  return [...suiting]
    .filter((op) => op.startsWith(typed.toUpperCase()))
    .map((op) => ({ label: op, insert: insertOf(op), detail: WORDS[op] ?? "" }));
}

function insertOf(op: string): string {
  return op.endsWith(" IN") || op === "IN" ? `${op} (` : `${op} `;
}

export function valueOffers(values: readonly string[]): Offer[] {
  return values.map((value) => ({ label: value, insert: quoteText(value), detail: "" }));
}

export function joinOffers(typed: string): Offer[] {
  return [
    { label: "AND", insert: "AND ", detail: "both" },
    { label: "OR", insert: "OR ", detail: "either" },
  ].filter((offer) => offer.label.startsWith(typed.toUpperCase()));
}

/** The text and caret after an offer was taken. */
export function take(
  text: string,
  context: Pick<Context, "from" | "to">,
  offer: Offer,
): readonly [string, number] {
  const before = text.slice(0, context.from);
  const gap = before === "" || /[\s(]$/.test(before) ? "" : " ";
  const after = text.slice(context.to);
  const insert =
    offer.insert.endsWith(" ") && after.startsWith(" ") ? offer.insert.trimEnd() : offer.insert;
  const caret = before.length + gap.length + insert.length;
  return [
    before + gap + insert + after,
    offer.insert.endsWith(" ") && insert !== offer.insert ? caret + 1 : caret,
  ];
}
