/**
 * Which code draws which address.
 *
 * The router fetches it when a screen is gone to; when the page is opened it is fetched beside the
 * page's own code, which would ask for it only once all of that has run.
 */
import type { QueryClient } from "@tanstack/react-query";

export const SCREENS = {
  "/": () => import("@/features/home/HomeScreen.tsx"),
  "/create": () => import("@/features/workspaces/CreateScreen.tsx"),
  "/workspaces": () => import("@/features/workspaces/WorkspacesScreen.tsx"),
  "/w/$workspace": () => import("@/features/workspaces/ItemsScreen.tsx"),
  "/w/$workspace/models/$model": () => import("@/features/models/ModelScreen.tsx"),
  "/w/$workspace/models/$model/versions/$version": () =>
    import("@/features/models/ModelScreen.tsx"),
  "/w/$workspace/models/$model/versions/$version/apply": () =>
    import("@/features/apply/ApplyScreen.tsx"),
  "/w/$workspace/models/$model/list": () => import("@/features/models/VersionListScreen.tsx"),
  "/w/$workspace/experiments/$experiment": () =>
    import("@/features/experiments/ExperimentScreen.tsx"),
  "/w/$workspace/runs": () => import("@/features/experiments/RunsScreen.tsx"),
  "/w/$workspace/runs/$run": () => import("@/features/runs/RunScreen.tsx"),
  "/w/$workspace/logged-models/$loggedModel": () => import("@/features/runs/LoggedModelScreen.tsx"),
  "/w/$workspace/compare": () => import("@/features/comparison/CompareScreen.tsx"),
  "/w/$workspace/jobs": () => import("@/features/jobs/JobsScreen.tsx"),
  "/w/$workspace/jobs/$job": () => import("@/features/jobs/JobScreen.tsx"),
} as const;

/** A screen that asks for its data as soon as its code is there, before it is drawn. */
interface Asking {
  readonly askAhead: (queries: QueryClient, params: Params, search: string) => void;
}
export type Params = Readonly<Record<string, string>>;

export interface Addressed {
  readonly fetch: () => Promise<object>;
  readonly params: Params;
}

/** The screen of an address; undefined for one that leads nowhere. */
export function screenAt(pathname: string): Addressed | undefined {
  const parts = split(pathname);
  for (const [path, fetch] of Object.entries(SCREENS)) {
    const names = split(path);
    if (names.length !== parts.length) continue;
    if (!names.every((name, n) => name.startsWith("$") || name === parts[n])) continue;
    const params = names.flatMap((name, n) =>
      name.startsWith("$") ? [[name.slice(1), read(parts[n] ?? "")]] : [],
    );
    return { fetch, params: Object.fromEntries(params) as Params };
  }
  return undefined;
}

/** Whether a screen's code is of such a one. */
export function isAsking(code: object): code is Asking {
  return "askAhead" in code;
}

function split(path: string): string[] {
  return path.split("/").filter((part) => part !== "");
}

function read(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
