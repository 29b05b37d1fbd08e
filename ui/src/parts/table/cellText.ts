/**
 * Cells as text: short on the screen, whole on hover and in copies.
 *
 * Always holds: nothing is rounded in what `wholeText` gives; a missing cell is an empty text.
 */
import { exactTime, shortNumber, sizeText, timeAgo } from "@/lib/format.ts";
import type { Cell, Column } from "./source.ts";

export function durationText(ms: number): string {
  const s = ms / 1000;
  if (s < 1) return `${String(Math.round(ms))} ms`;
  if (s < 60) return `${s.toFixed(Number.isInteger(s) ? 0 : s < 10 ? 2 : 1)} s`;
  const minutes = Math.floor(s / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(Math.round(s % 60))} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${String(hours)} h ${String(minutes % 60)} min`;
  return `${String(Math.floor(hours / 24))} d ${String(hours % 24)} h`;
}

/** What a cell shows. */
export function shortText(cell: Cell | undefined, column: Column, now: number): string {
  if (cell === null || cell === undefined) return "";
  if (Array.isArray(cell)) return cell.join(", ");
  if (typeof cell === "string") return cell;
  if (column.kind === "time") return timeAgo(cell, now);
  if (column.kind === "duration") return durationText(cell);
  if (column.key === "size_bytes" && column.group === "property") return sizeText(cell);
  return shortNumber(cell);
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
