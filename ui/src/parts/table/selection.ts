/**
 * Selected rows: keys in the order in which they were chosen.
 *
 * Always holds: a key is there once; a selection says nothing of filters and orders, so it
 * survives both. Leaves to others: finding the keys between two rows that are not loaded.
 */

/** Rows compared at once at most, as the server has it. */
export const SELECTED_MAX = 1000;

export function toggleKey(keys: readonly string[], key: string): string[] {
  return keys.includes(key) ? keys.filter((each) => each !== key) : addKeys(keys, [key]);
}

/** Add keys after those there; beyond the greatest number they are left out. */
export function addKeys(keys: readonly string[], more: readonly string[]): string[] {
  return [...new Set([...keys, ...more])].slice(0, SELECTED_MAX);
}

export function removeKeys(keys: readonly string[], less: readonly string[]): string[] {
  const gone = new Set(less);
  return keys.filter((key) => !gone.has(key));
}

/** A range as shift-click makes it: it takes on what the clicked row becomes. */
export function applyRange(
  keys: readonly string[],
  range: readonly string[],
  clicked: string,
): string[] {
  return keys.includes(clicked) ? removeKeys(keys, range) : addKeys(keys, range);
}
