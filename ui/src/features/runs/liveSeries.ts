/**
 * Series that grow: what is drawn, and the later points that join it.
 *
 * Always holds: joined arrays stay in the order of (time, step) as the server gives them; a point
 * that is already there is not there twice. Points that were logged late, before the last one, are
 * found when the series is asked for whole again.
 * Leaves to others: asking (`useRunSeries`), drawing.
 */
import type { Series } from "@/parts/table/source.ts";

/** Longer ones are asked for whole again, so that they are thinned anew. */
export const JOINED_MAX = 4000;
/** Clients send points in batches of their own, so a later answer may hold earlier times. */
const LATE_MS = 15_000;

/** From where on later points have to be asked for; undefined where nothing is known yet. */
export function askedFrom(known: readonly Series[]): number | undefined {
  const ends = known.flatMap((series) => series.times.slice(-1));
  return ends.length === 0 ? undefined : Math.max(...ends) - LATE_MS;
}

/** A series with later points after its own; the same object if there are none. */
export function joinSeries(known: Series, later: Series): Series {
  const time = known.times.at(-1) ?? -Infinity;
  const step = known.steps.at(-1) ?? -Infinity;
  const from = later.times.findIndex(
    (at, n) => at > time || (at === time && (later.steps[n] ?? 0) > step),
  );
  if (from < 0) return known;
  const join = <T>(ours: readonly T[], theirs: readonly T[]): T[] => [
    ...ours,
    ...theirs.slice(from),
  ];
  return {
    ...known,
    count: known.count + later.count - (later.whole ? from : 0),
    whole: known.whole && later.whole,
    steps: join(known.steps, later.steps),
    times: join(known.times, later.times),
    last: join(known.last, later.last),
    min: join(known.min, later.min),
    max: join(known.max, later.max),
  };
}

/** Points of every series at most this many; for drawing small. */
export function sparkPoints(series: Series, most: number): (readonly [number, number])[] {
  const values = series.last.map((value) => (value === "NaN" ? NaN : value));
  const stride = Math.max(1, Math.ceil(values.length / most));
  const points: (readonly [number, number])[] = [];
  values.forEach((value, n) => {
    if (Number.isFinite(value) && (n % stride === 0 || n === values.length - 1)) {
      points.push([series.steps[n] ?? n, value]);
    }
  });
  return points;
}
