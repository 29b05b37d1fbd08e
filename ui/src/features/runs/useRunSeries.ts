/**
 * The series of a run's metrics, kept growing while the run logs.
 *
 * Each metric is in the query cache by itself and is asked for together with the others that are
 * wanted at the same moment. When the run logs, only the stretch after what is known is asked for;
 * when it ends, each series is asked for whole once more, which finds points that were late.
 * Leaves to others: joining (`liveSeries`), drawing.
 */
import { useQueries, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { concerns, onChanges } from "@/api/events.ts";
import type { Series } from "@/parts/chart/frame.ts";
import { askedFrom, joinSeries, JOINED_MAX } from "./liveSeries.ts";
import { loadSeries } from "./queries.ts";

const BUCKETS = 1000;
/** As many as one call may name. */
const KEYS_MAX = 50;

function keyOf(workspace: string, run: string, metric: string) {
  return ["ws", workspace, "run", run, "series", metric];
}

interface Waiting {
  readonly metric: string;
  readonly resolve: (series: Series | null) => void;
  readonly reject: (reason: unknown) => void;
}

const waiting = new Map<string, Waiting[]>();

/** One metric, asked for together with all others of its run that are asked for in this moment. */
function loadTogether(workspace: string, run: string, metric: string): Promise<Series | null> {
  const place = `${workspace}/${run}`;
  return new Promise((resolve, reject) => {
    const queue = waiting.get(place);
    if (queue) {
      queue.push({ metric, resolve, reject });
      return;
    }
    waiting.set(place, [{ metric, resolve, reject }]);
    queueMicrotask(() => {
      setTimeout(() => {
        const all = waiting.get(place) ?? [];
        waiting.delete(place);
        for (let start = 0; start < all.length; start += KEYS_MAX) {
          void send(workspace, run, all.slice(start, start + KEYS_MAX));
        }
      });
    });
  });
}

async function send(workspace: string, run: string, asked: readonly Waiting[]): Promise<void> {
  try {
    const keys = [...new Set(asked.map((each) => each.metric))];
    const found = await loadSeries(workspace, { runs: [run], keys, buckets: BUCKETS });
    const byKey = new Map(found.map((series) => [series.key, series]));
    for (const each of asked) each.resolve(byKey.get(each.metric) ?? null);
  } catch (error) {
    for (const each of asked) each.reject(error);
  }
}

/** The series of these metrics as far as they are known, in the same order. */
export function useRunSeries(
  workspace: string,
  run: string,
  metrics: readonly string[],
  isRunning: boolean,
): readonly (Series | null | undefined)[] {
  const queries = useQueryClient();
  const results = useQueries({
    queries: metrics.map((metric) => ({
      queryKey: keyOf(workspace, run, metric),
      queryFn: () => loadTogether(workspace, run, metric),
      staleTime: Infinity,
    })),
  });
  const wanted = useRef(metrics);
  useEffect(() => {
    wanted.current = metrics;
  }, [metrics]);

  useEffect(() => {
    let isAsking = false;
    let isMissed = false;
    async function grow() {
      if (isAsking) {
        isMissed = true;
        return;
      }
      isAsking = true;
      try {
        do {
          isMissed = false;
          await growAll();
          // A flag that another call of this function may have set meanwhile.
        } while (isMissed as boolean);
      } catch {
        // The server is away; when it is back everything is asked for again.
      } finally {
        isAsking = false;
      }
    }
    async function growAll() {
      const now = wanted.current;
      for (let start = 0; start < now.length; start += KEYS_MAX) {
        await growSome(now.slice(start, start + KEYS_MAX));
      }
    }
    async function growSome(some: readonly string[]) {
      const known = some.flatMap((metric) => {
        const series = queries.getQueryData<Series | null>(keyOf(workspace, run, metric));
        return series ? [series] : [];
      });
      const start = askedFrom(known);
      const keys = known.map((series) => series.key);
      if (start !== undefined) {
        const body = { runs: [run], keys, x: "time" as const, start, buckets: BUCKETS };
        for (const later of await loadSeries(workspace, body)) {
          queries.setQueryData<Series | null>(keyOf(workspace, run, later.key), (before) =>
            before ? joinSeries(before, later) : later,
          );
        }
      }
      for (const metric of some) {
        const key = keyOf(workspace, run, metric);
        const series = queries.getQueryData<Series | null>(key);
        if (series === null || (series?.times.length ?? 0) > JOINED_MAX) {
          void queries.invalidateQueries({ queryKey: key });
        }
      }
    }
    return onChanges((changes) => {
      const logged = changes.some(
        (change) => change.action === "logged" && concerns({ kind: "run", key: run }, change),
      );
      if (logged) void grow();
    });
  }, [queries, workspace, run]);

  const wasRunning = useRef(isRunning);
  useEffect(() => {
    if (wasRunning.current && !isRunning) {
      void queries.invalidateQueries({ queryKey: ["ws", workspace, "run", run, "series"] });
    }
    wasRunning.current = isRunning;
  }, [queries, workspace, run, isRunning]);

  return results.map((result) => result.data);
}
