/**
 * The series of a run's metrics, kept growing while the run logs.
 *
 * Each metric is in the query cache by itself and is asked for together with the others that are
 * wanted at the same moment. When the run logs, only the stretch after what is known is asked for;
 * when it ends, each series is asked for whole once more, which finds points that were late.
 * Leaves to others: joining (`liveSeries`), drawing.
 */
import { type QueryClient, useQueries, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { concerns, onChanges } from "@/api/events.ts";
import type { Series } from "@/parts/table/source.ts";
import { askedFrom, joinSeries, JOINED_MAX } from "./liveSeries.ts";
import { loadSeries } from "./queries.ts";

const BUCKETS = 1000;
/** As many as one call may name. */
const KEYS_MAX = 50;

function rootOf(workspace: string, run: string): string[] {
  return ["ws", workspace, "run", run, "series"];
}

function keyOf(workspace: string, run: string, metric: string): string[] {
  return [...rootOf(workspace, run), metric];
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

/** The series of these metrics as far as they are known, in the same order; null where none is. */
export function useRunSeries(
  workspace: string,
  run: string,
  metrics: readonly string[],
): readonly (Series | null | undefined)[] {
  const results = useQueries({
    queries: metrics.map((metric) => ({
      queryKey: keyOf(workspace, run, metric),
      queryFn: () => loadTogether(workspace, run, metric),
      staleTime: Infinity,
    })),
  });
  return results.map((result) => result.data);
}

/** Keeps every series of a run that is shown growing; mounted once for a run's page. */
export function useGrowingSeries(workspace: string, run: string, isRunning: boolean): void {
  const queries = useQueryClient();
  useEffect(() => {
    const grower = new Grower(queries, workspace, run);
    return onChanges((changes) => {
      const logged = changes.some(
        (change) => change.action === "logged" && concerns({ kind: "run", key: run }, change),
      );
      if (logged) void grower.grow();
    });
  }, [queries, workspace, run]);

  const wasRunning = useRef(isRunning);
  useEffect(() => {
    if (wasRunning.current && !isRunning) {
      void queries.invalidateQueries({ queryKey: rootOf(workspace, run) });
    }
    wasRunning.current = isRunning;
  }, [queries, workspace, run, isRunning]);
}

/** Asks for later points, one call at a time; what is logged meanwhile is asked for after it. */
class Grower {
  private isAsking = false;
  private isMissed = false;

  constructor(
    private readonly queries: QueryClient,
    private readonly workspace: string,
    private readonly run: string,
  ) {}

  async grow(): Promise<void> {
    this.isMissed = true;
    if (this.isAsking) return;
    this.isAsking = true;
    try {
      while (this.isMissed) {
        this.isMissed = false;
        await this.growAll();
      }
    } catch {
      // The server is away; when it is back everything is asked for again.
    } finally {
      this.isAsking = false;
    }
  }

  private async growAll(): Promise<void> {
    const queryKey = rootOf(this.workspace, this.run);
    const shown = this.queries.getQueryCache().findAll({ queryKey, type: "active" });
    const known: Series[] = [];
    for (const query of shown) {
      const series = query.state.data as Series | null | undefined;
      if (series && series.times.length < JOINED_MAX) known.push(series);
      else if (series !== undefined)
        void this.queries.invalidateQueries({ queryKey: query.queryKey });
    }
    for (let start = 0; start < known.length; start += KEYS_MAX) {
      await this.growSome(known.slice(start, start + KEYS_MAX));
    }
  }

  private async growSome(known: readonly Series[]): Promise<void> {
    const start = askedFrom(known);
    const later = await loadSeries(this.workspace, {
      runs: [this.run],
      keys: known.map((series) => series.key),
      x: "time",
      ...(start !== undefined && { start }),
      buckets: BUCKETS,
    });
    for (const series of later) {
      this.queries.setQueryData<Series | null>(
        keyOf(this.workspace, this.run, series.key),
        (before) => (before ? joinSeries(before, series) : series),
      );
    }
  }
}
