/**
 * Chips and expression are the same thing: a chip is a part of the text between two ANDs.
 *
 * Always holds: `joinChips(chipsOf(text))` means what `text` means; a text that cannot be read is
 * one chip with its fault. Leaves to others: which keys and values exist.
 */
import { type Comparison, read } from "./grammar.ts";

export interface Chip {
  readonly text: string;
  /** The one comparison that it is; null for something larger. */
  readonly comparison: Comparison | null;
}

export function chipsOf(text: string): Chip[] {
  const reading = read(text);
  if (reading.fault !== null) return [{ text: text.trim(), comparison: null }];
  return reading.parts.map((part) => {
    const within = reading.comparisons.filter(
      (each) => each.from >= part.from && each.to <= part.to,
    );
    const only = within.length === 1 ? within[0] : undefined;
    const isWhole = only?.from === part.from && only.to === part.to;
    return { text: text.slice(part.from, part.to), comparison: isWhole ? only : null };
  });
}

/** One filter from parts; one that holds an OR outside of parentheses gets some if others stand beside it. */
export function joinChips(texts: readonly string[]): string {
  const given = texts.map((text) => text.trim()).filter((text) => text !== "");
  return given
    .map((text) => (given.length > 1 && hasLooseOr(text) ? `(${text})` : text))
    .join(" AND ");
}

function hasLooseOr(text: string): boolean {
  // With an AND beside it an OR takes everything into one part.
  return read(`${text} AND a = 1`).parts.length === 1;
}

/** A text as a value of a filter. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A value as it is meant: without its quotation marks. */
export function valueOf(written: string): string {
  const mark = written.charAt(0);
  if (mark !== "'" && mark !== '"') return written;
  return written.slice(1, -1).replaceAll(mark + mark, mark);
}
