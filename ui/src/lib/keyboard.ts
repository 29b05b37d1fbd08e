/**
 * Shortcuts: what keys do on the present screen, and the list of them for `?`.
 *
 * Always holds: a plain key does nothing while a person types, nor while a dialog is open; the
 * latest registered shortcut for a key wins.
 */
import { useEffect, useRef, useSyncExternalStore } from "react";

export interface Shortcut {
  /** Such as `j`, `?`, `shift+x`, `mod+k` (Ctrl, or Command on a Mac). */
  readonly keys: string;
  readonly label: string;
  readonly run: (event: KeyboardEvent) => void;
}

const isMac = /Mac|iPhone|iPad/.test(globalThis.navigator.userAgent);
let layers: readonly (readonly Shortcut[])[] = [];
let listed: readonly Shortcut[] = [];
const listeners = new Set<() => void>();

function publish(next: readonly (readonly Shortcut[])[]): void {
  layers = next;
  listed = layers.flat();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** How a key press is written in `Shortcut.keys`. */
export function keysOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const parts = [];
  if (isMac ? event.metaKey : event.ctrlKey) parts.push("mod");
  if (event.altKey) parts.push("alt");
  // Shift already shows in marks such as `?`.
  if (event.shiftKey && (/^[a-z0-9]$/.test(key) || key.length > 1)) parts.push("shift");
  return [...parts, key].join("+");
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const keys = keysOf(event);
  const isPlain = !keys.startsWith("mod+");
  if (isPlain && (isTyping(event.target) || document.querySelector("[role=dialog]"))) return;
  const found = listed.findLast((shortcut) => shortcut.keys === keys);
  if (!found) return;
  event.preventDefault();
  found.run(event);
}

globalThis.addEventListener("keydown", onKey);

/** Offer shortcuts while the calling component is shown. */
export function useShortcuts(shortcuts: readonly Shortcut[]): void {
  const latest = useRef(shortcuts);
  useEffect(() => {
    latest.current = shortcuts;
  });
  const names = shortcuts.map((each) => `${each.keys}\n${each.label}`).join("\n\n");
  useEffect(() => {
    const layer = names === "" ? [] : names.split("\n\n").map((name, at) => proxy(name, at));
    function proxy(name: string, at: number): Shortcut {
      const [keys = "", label = ""] = name.split("\n");
      return { keys, label, run: (event) => latest.current[at]?.run(event) };
    }
    publish([...layers, layer]);
    return () => publish(layers.filter((each) => each !== layer));
  }, [names]);
}

/** Every shortcut of the present screen. */
export function useListedShortcuts(): readonly Shortcut[] {
  return useSyncExternalStore(subscribe, () => listed);
}

/** Keys as people read them. */
export function shownKeys(keys: string): string[] {
  const names: Readonly<Record<string, string>> = {
    mod: isMac ? "⌘" : "Ctrl",
    alt: isMac ? "⌥" : "Alt",
    shift: "Shift",
    ArrowUp: "↑",
    ArrowDown: "↓",
    Escape: "Esc",
  };
  return keys.split("+").map((key) => names[key] ?? (key.length === 1 ? key.toUpperCase() : key));
}
