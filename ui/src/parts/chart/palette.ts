/**
 * Colours of charts: ten that people with any colour vision tell apart, then dashes.
 *
 * Owns the only raw colours of the parts; they are data, not theme, and come in a set for light
 * grounds and one for dark (after Paul Tol's "muted" and "light" schemes, moved until each has a
 * contrast of 3:1 on its ground). Always holds: a key has the same slot wherever it is shown alone;
 * among several a key that came earlier keeps its slot and a later one with the same moves on.
 */

export const LIGHT_GROUND = [
  "#332288", "#cc3311", "#117733", "#997700", "#0077bb",
  "#aa4499", "#228877", "#882255", "#777733", "#5f6670",
] as const; // prettier-ignore
export const DARK_GROUND = [
  "#99a3ff", "#ff8066", "#5cc47c", "#ddaa33", "#55b8f2",
  "#ee99dd", "#44ccb5", "#e0719b", "#c6c65c", "#b4bac2",
] as const; // prettier-ignore
export const DASHES: readonly (readonly number[] | "solid")[] = [
  "solid",
  [8, 4],
  [2, 3],
  [10, 3, 2, 3],
];
export const SLOTS = LIGHT_GROUND.length * DASHES.length;

/** The slot that a key prefers: numbers in turn, other texts by their hash (FNV-1a). */
export function preferredSlot(key: string): number {
  if (/^\d{1,9}$/.test(key)) return (Number(key) + SLOTS - 1) % SLOTS;
  let hash = 0x811c9dc5;
  for (let n = 0; n < key.length; n += 1) {
    hash = Math.imul(hash ^ key.charCodeAt(n), 0x01000193);
  }
  return (hash >>> 0) % SLOTS;
}

/** A slot for each key; no two share one, or a plain colour, while there are enough. */
export function assignSlots(keys: readonly string[]): Map<string, number> {
  const slots = new Map<string, number>();
  const colours = LIGHT_GROUND.length;
  const taken = new Set<number>();
  for (const key of keys) {
    const wanted = preferredSlot(key);
    let slot = wanted;
    if (taken.size < colours) {
      // While few are shown all are solid lines, each in a colour of its own.
      slot = wanted % colours;
      while (taken.has(slot)) slot = (slot + 1) % colours;
    } else if (taken.size < SLOTS) {
      while (taken.has(slot)) slot = (slot + 1) % SLOTS;
    }
    taken.add(slot);
    slots.set(key, slot);
  }
  return slots;
}

export function colourOfSlot(slot: number, dark: boolean): string {
  const colours = dark ? DARK_GROUND : LIGHT_GROUND;
  return colours[slot % colours.length] ?? colours[0];
}

export function dashOfSlot(slot: number): readonly number[] | "solid" {
  return DASHES[Math.floor(slot / LIGHT_GROUND.length) % DASHES.length] ?? "solid";
}

/** Steps from low to high for filled areas, dark to bright (viridis, sampled). */
export const RAMP = [
  "#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b",
] as const; // prettier-ignore
