/**
 * What this browser remembers for a person: theme, widths, what was opened last.
 *
 * Always holds: a browser that keeps nothing (private windows) is no failure.
 */
const PREFIX = "heddle.";

/** What was kept under a name, or `otherwise`. */
export function remembered<T>(name: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(PREFIX + name);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function remember(name: string, value: unknown): void {
  try {
    localStorage.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    // Full or forbidden; the page works without.
  }
}
