/**
 * Cells as text: short on the screen, whole on hover and in copies.
 *
 * Always holds: nothing is rounded in what `wholeText` gives; a missing cell is an empty text.
 */
import type { Cell, Column } from "./source.ts";

const LOCALE = "en";
const short = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 4, useGrouping: false });
const relative = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "medium" });
const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["year", 31_536_000_000],
  ["month", 2_592_000_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];
const SIZES = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A number in four significant digits; whole numbers of up to nine digits stay whole. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (size >= 1.797e308) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && size < 1e9) return String(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(3);
  return short.format(value);
}

export function timeAgo(ms: number, now: number): string {
  const past = ms - now;
  for (const [unit, length] of UNITS) {
    if (Math.abs(past) >= length) return relative.format(Math.round(past / length), unit);
  }
  return "just now";
}

export function exactTime(ms: number): string {
  return exact.format(ms);
}

export function durationText(ms: number): string {
  const s = ms / 1000;
  if (s < 1) return `${String(Math.round(ms))} ms`;
  if (s < 60) return `${short.format(s)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(Math.round(s % 60))} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${String(hours)} h ${String(minutes % 60)} min`;
  return `${String(Math.floor(hours / 24))} d ${String(hours % 24)} h`;
}

export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < SIZES.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${short.format(size)} ${SIZES[unit] ?? ""}`;
}

/** What a cell shows. */
export function shortText(cell: Cell | undefined, column: Column, now: number): string {
  if (cell === null || cell === undefined) return "";
  if (Array.isArray(cell)) return cell.join(", ");
  if (typeof cell === "string") return cell;
  if (column.kind === "time") return timeAgo(cell, now);
  if (column.kind === "duration") return durationText(cell);
  if (column.key === "size_bytes" && column.group === "property") return sizeText(cell);
  return numberText(cell);
}

/** What a cell holds, whole. */
export function wholeText(cell: Cell | undefined, column: Column): string {
  if (cell === null || cell === undefined) return "";
  if (Array.isArray(cell)) return cell.join(", ");
  if (typeof cell === "number" && column.kind === "time") return exactTime(cell);
  return String(cell);
}

/** Rows as CSV (RFC 4180); times in ISO 8601, so that other programs read them. */
export function csvText(
  columns: readonly { readonly id: string; readonly kind: Column["kind"] }[],
  rows: readonly (readonly (Cell | undefined)[])[],
): string {
  const lines = rows.map((row) =>
    columns.map((column, n) => csvField(rawText(row[n], column.kind))).join(","),
  );
  return [columns.map((column) => csvField(column.id)).join(","), ...lines, ""].join("\r\n");
}

function rawText(cell: Cell | undefined, kind: Column["kind"]): string {
  if (cell === null || cell === undefined) return "";
  if (Array.isArray(cell)) return cell.join("; ");
  if (typeof cell === "number" && kind === "time") return new Date(cell).toISOString();
  return String(cell);
}

function csvField(text: string): string {
  // A leading = + - @ would be read as a formula by spreadsheets; numbers are left as they are.
  const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
