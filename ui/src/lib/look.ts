/** The look that a person chose (light, dark, high contrast or the system's), kept in the browser. */
import { useSyncExternalStore } from "react";
import { remember, remembered } from "./memory.ts";

export type Look = "system" | "light" | "dark" | "contrast";
/** A look after the system was asked. */
export type ShownLook = Exclude<Look, "system">;

const listeners = new Set<() => void>();
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
const systemIsForced = matchMedia("(forced-colors: active)");
let chosen: Look = remembered<Look>("look", "system");

export function setLook(look: Look): void {
  chosen = look;
  remember("look", look);
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  systemIsDark.addEventListener("change", listener);
  systemIsForced.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    systemIsDark.removeEventListener("change", listener);
    systemIsForced.removeEventListener("change", listener);
  };
}

function shown(): ShownLook {
  if (chosen !== "system") return chosen;
  if (systemIsForced.matches) return "contrast";
  return systemIsDark.matches ? "dark" : "light";
}

/** What was chosen. */
export function useLook(): Look {
  return useSyncExternalStore(subscribe, () => chosen);
}

/** What is to be shown. */
export function useShownLook(): ShownLook {
  return useSyncExternalStore(subscribe, shown);
}
