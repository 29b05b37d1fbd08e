/** Which workspace is looked at: the one in the address, else the one used last. */
import { useParams } from "@tanstack/react-router";
import { remember, remembered } from "./memory.ts";

const DEFAULT = "default";

/** The workspace's name. */
export function useWorkspace(): string {
  const params = useParams({ strict: false });
  return params.workspace ?? lastWorkspace();
}

/** The same from the address alone, before there is a router. */
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
