/**
 * What stands after an address's question mark: plain texts by name.
 *
 * Always holds: `readSearch(writeSearch(x))` is `x` without its empty members; marks that need no
 * escaping are not escaped, so that addresses can be read and sent.
 */

/** By name; a screen keeps what it shows here. */
export type Search = Partial<Record<string, string>>;

const PLAIN: Readonly<Record<string, string>> = {
  "%20": "+",
  "%2C": ",",
  "%2F": "/",
  "%3A": ":",
  "%3B": ";",
  "%40": "@",
  "%24": "$",
};

export function readSearch(text: string): Search {
  return Object.fromEntries(new URLSearchParams(text));
}

export function writeSearch(search: Record<string, unknown>): string {
  const parts = Object.entries(search)
    .filter(([, value]) => value !== undefined && value !== null && value !== "")
    .map(([name, value]) => `${escape(name)}=${escape(String(value))}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

function escape(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replace(
    /%[0-9A-F]{2}/g,
    (mark) => PLAIN[mark] ?? mark,
  );
}
