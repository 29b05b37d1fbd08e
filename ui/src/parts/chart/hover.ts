/** Which row is pointed at, in whatever chart or table; all others show it too. */
import { useSyncExternalStore } from "react";

let hovered = "";
const listeners = new Set<() => void>();

export function setHovered(key: string): void {
  if (key === hovered) return;
  hovered = key;
  for (const listener of listeners) listener();
}

export function onHovered(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** The key of the row that is pointed at; empty for none. */
export function hoveredKey(): string {
  return hovered;
}

export function useHovered(): string {
  return useSyncExternalStore(onHovered, hoveredKey);
}
