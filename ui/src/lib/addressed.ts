/** The workspace of the address that was opened, read before there is a router. */
import { remember, remembered } from "./memory.ts";

const DEFAULT = "default";

/** The workspace in the address, else the one used last. */
export function addressedWorkspace(): string {
  const named = /^\/w\/([^/]+)/.exec(window.location.pathname)?.[1];
  try {
    return named === undefined ? lastWorkspace() : decodeURIComponent(named);
  } catch {
    return lastWorkspace();
  }
}

export function lastWorkspace(): string {
  return remembered("workspace", DEFAULT);
}

export function rememberWorkspace(name: string): void {
  remember("workspace", name);
}
