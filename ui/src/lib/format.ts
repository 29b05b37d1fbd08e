/**
 * Numbers, sizes and times as people read them.
 *
 * Always holds: what is shortened can be had whole (`wholeNumber`, `exactTime`), for hovering and
 * copying.
 */
const LOCALE = "en";
const short = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 4, useGrouping: false });
const counts = new Intl.NumberFormat(LOCALE);
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
/** Infinities travel as the greatest finite numbers. */
const INFINITE = 1.797e308;

/**
 * Four significant digits, all of them, so that columns of numbers line up; whole numbers of up to
 * nine digits stay whole.
 */
export function shortNumber(value: number | "NaN"): string {
  const text = axisNumber(value);
  const isCut = typeof value === "number" && /^-?\d{1,4}(?:\.\d+)?$/.test(text);
  return isCut && !Number.isInteger(value) ? value.toPrecision(4) : text;
}

/** The same without zeros at the end, for axes, whose steps are round. */
export function axisNumber(value: number | "NaN"): string {
  if (value === "NaN" || Number.isNaN(value)) return "NaN";
  const size = Math.abs(value);
  if (size >= INFINITE) return value > 0 ? "∞" : "−∞";
  if (Number.isInteger(value) && size < 1e9) return String(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(3);
  return short.format(value);
}

export function wholeNumber(value: number | "NaN"): string {
  return typeof value === "number" && Math.abs(value) >= INFINITE
    ? axisNumber(value)
    : String(value);
}

export function countText(value: number): string {
  return counts.format(value);
}

/** `1 version`, `2 versions`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < SIZES.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? String(size) : size.toPrecision(3)} ${SIZES[unit] ?? ""}`;
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
