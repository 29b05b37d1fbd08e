/**
 * Changes as the server tells them: one stream for the workspace that is looked at.
 *
 * A query says in its `meta.watch` what it shows; it is asked again when that changes. Whoever
 * draws live (a curve that grows) listens with `onChanges`.
 * Always holds: bursts are summed up, so a query is asked again at most every `EVERY_MS`; after a
 * break everything on the screen is asked again, since changes may have been missed.
 * Leaves to others: what a change means.
 */
import type { QueryClient } from "@tanstack/react-query";
import type { Shapes } from "./client.ts";
import { openStream } from "./stream.ts";

export type Change = Shapes["Event"];

/** What a query shows; what is left out matches anything. */
export interface Watch {
  readonly kind: string;
  readonly key?: string;
  readonly parent?: string;
}

declare module "@tanstack/react-query" {
  interface Register {
    queryMeta: { watch?: readonly Watch[] };
  }
}

type Listener = (changes: readonly Change[]) => void;

const EVERY_MS = 400;
const RETRY_MS = 2000;
const listeners = new Set<Listener>();

/** Hear of every change of the workspace looked at; returns what ends it. */
export function onChanges(listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}

/** Whether a change concerns what is watched. */
export function concerns(watch: Watch, change: Change): boolean {
  return (
    watch.kind === change.kind &&
    (watch.key === undefined || watch.key === change.key) &&
    (watch.parent === undefined || watch.parent === change.parent)
  );
}

let followed = "";
let stopFollowing: () => void = () => undefined;
let isAway = false;
const awaiting = new Set<() => void>();

/** Whether the stream is broken, which it is when the server is away. */
export function isServerAway(): boolean {
  return isAway;
}

/** Hear when `isServerAway` becomes something else; returns what ends it. */
export function onServerAway(listener: () => void): () => void {
  awaiting.add(listener);
  return () => void awaiting.delete(listener);
}

/**
 * Listen to this workspace, and to no other any more.
 *
 * Called before anything is asked, so that nothing can change between an answer and the stream;
 * what another workspace's screens had asked before is asked again.
 */
export function followWorkspace(queries: QueryClient, workspace: string): void {
  if (workspace === followed) return;
  followed = workspace;
  stopFollowing();
  stopFollowing = follow(queries, workspace);
}

function tellAway(now: boolean): void {
  if (now === isAway) return;
  isAway = now;
  for (const listener of awaiting) listener();
}

function follow(queries: QueryClient, workspace: string): () => void {
  let waiting: Change[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let retry: ReturnType<typeof setTimeout> | undefined;
  let source: EventSource | undefined;
  let wasLost = false;
  let isFirst = true;

  /** What was answered before the stream began may have changed in between. */
  function askAgain() {
    void queries.invalidateQueries({
      predicate: ({ meta, state }) =>
        meta?.watch !== undefined && state.data !== undefined && state.fetchStatus === "idle",
    });
  }

  function flush() {
    timer = undefined;
    const changes = waiting;
    waiting = [];
    for (const listener of listeners) listener(changes);
    void queries.invalidateQueries({
      predicate: (query) =>
        query.meta?.watch?.some((watch) => changes.some((change) => concerns(watch, change))) ??
        false,
    });
  }

  function open() {
    source = openStream(workspace);
    source.addEventListener("change", (event: MessageEvent<string>) => {
      waiting.push(JSON.parse(event.data) as Change);
      timer ??= setTimeout(flush, EVERY_MS);
    });
    source.addEventListener("resync", () => void queries.invalidateQueries());
    source.addEventListener("open", () => {
      if (wasLost) void queries.invalidateQueries();
      else if (isFirst) askAgain();
      wasLost = isFirst = false;
      tellAway(false);
    });
    source.addEventListener("error", fail);
    // Nothing was asked yet, so nothing was missed of what an early one told before.
    if (source.readyState === EventSource.OPEN) isFirst = false;
    else if (source.readyState === EventSource.CLOSED) fail();
  }

  function fail() {
    wasLost = true;
    tellAway(true);
    // A browser gives up on an answer that is no stream, such as a proxy's; we do not.
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(open, RETRY_MS);
  }

  open();
  return () => {
    clearTimeout(timer);
    clearTimeout(retry);
    source?.close();
  };
}
