/**
 * Lines: series of metrics and rows sorted along an axis become points, groups, and bands.
 *
 * Always holds: where the server thinned a series, both its lowest and highest value of every
 * bucket are on the raw line, so no spike is lost; smoothing runs over the last values. A group is
 * reckoned on one grid; a series counts where it has points on both sides, never beyond its ends.
 * Leaves to others: colours and axes.
 */
import type { Series } from "../table/source.ts";
import { type Frame, groupItems, type Item, numberOf } from "./frame.ts";
import { smooth } from "./smoothing.ts";
import { type ChartSpec, drawsSeries } from "./spec.ts";
import { aggregate, band, fences } from "./statistics.ts";
import { splitId, titleOfId } from "../table/columns.ts";

export type Point = readonly [number, number];

export interface Line {
  /** The item's key, or the group's name. */
  readonly key: string;
  readonly name: string;
  /** Which of the chart's Y columns it draws. */
  readonly y: string;
  readonly slot: number;
  /** The drawn line: smoothed, or as it is. */
  readonly points: readonly Point[];
  /** The line before smoothing, where it is kept. */
  readonly raw: readonly Point[];
  /** The ends of the band, at the same places as `points`; empty without one. */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

interface Track {
  readonly item: Item;
  readonly y: string;
  readonly xs: number[];
  readonly last: number[];
  readonly low: number[];
  readonly high: number[];
  readonly whole: boolean;
}

const GRID = 300;

/** The lines that a spec draws from a frame. */
export function makeLines(spec: ChartSpec, frame: Frame): Line[] {
  const tracks = drawsSeries(spec) ? seriesTracks(spec, frame) : [];
  if (!drawsSeries(spec)) return rowLines(spec, frame);
  const cut = spec.ignoreOutliers ? cutOutliers(tracks) : tracks;
  return spec.groupBy === "" ? itemLines(spec, cut) : groupLines(spec, frame, cut);
}

function seriesTracks(spec: ChartSpec, frame: Frame): Track[] {
  const byRun = new Map<string, Series>();
  for (const series of frame.series) byRun.set(`${series.run}\n${series.key}`, series);
  const tracks: Track[] = [];
  for (const y of spec.y) {
    for (const item of frame.items) {
      const series = byRun.get(`${item.run}\n${splitId(y).key}`);
      if (series === undefined || series.steps.length === 0) continue;
      tracks.push(trackOf(item, y, series, spec));
    }
  }
  return tracks;
}

function trackOf(item: Item, y: string, series: Series, spec: ChartSpec): Track {
  const origin = series.times.reduce((a, b) => Math.min(a, b), Infinity);
  const xs =
    spec.x === "step"
      ? [...series.steps]
      : series.times.map((time) => (spec.x === "time" ? time : (time - origin) / 1000));
  const last = series.last.map((value) => (value === "NaN" ? NaN : value));
  const order = xs.map((_, n) => n).sort((a, b) => (xs[a] ?? 0) - (xs[b] ?? 0));
  const pick = (values: readonly (number | null)[]): number[] => order.map((n) => values[n] ?? NaN);
  return {
    item,
    y,
    xs: pick(xs),
    last: pick(last),
    low: pick(series.min),
    high: pick(series.max),
    whole: series.whole,
  };
}

function cutOutliers(tracks: readonly Track[]): Track[] {
  const values = tracks.flatMap((track) => track.last.filter((value) => Number.isFinite(value)));
  if (values.length < 4) return [...tracks];
  const [low, high] = fences(values);
  const keep = (value: number): number => (value >= low && value <= high ? value : NaN);
  return tracks.map((track) => ({
    ...track,
    last: track.last.map(keep),
    low: track.low.map(keep),
    high: track.high.map(keep),
  }));
}

function itemLines(spec: ChartSpec, tracks: readonly Track[]): Line[] {
  return tracks.map((track) => {
    const raw = rawPoints(track);
    const isSmooth = spec.smoothing !== "none";
    const values = isSmooth ? smooth(track.last, spec.smoothing, spec.amount, track.xs) : [];
    return {
      key: track.item.key,
      name: lineName(spec, track.item.label, track.y),
      y: track.y,
      slot: track.item.slot,
      points: isSmooth ? pair(track.xs, values) : raw,
      raw: isSmooth && spec.raw ? raw : [],
      low: [],
      high: [],
    };
  });
}

function lineName(spec: ChartSpec, label: string, y: string): string {
  return spec.y.length > 1 ? `${label} · ${titleOfId(y)}` : label;
}

/** Every bucket's extremes and last value; whole series are one point each. */
function rawPoints(track: Track): Point[] {
  const points: Point[] = [];
  track.xs.forEach((x, n) => {
    const low = track.low[n] ?? NaN;
    const high = track.high[n] ?? NaN;
    const last = track.last[n] ?? NaN;
    if (!track.whole && low !== high && !Number.isNaN(low)) {
      points.push([x, low], [x, high]);
      if (last === high || Number.isNaN(last)) return;
    }
    points.push([x, last]);
  });
  return points;
}

function pair(xs: readonly number[], values: readonly number[]): Point[] {
  return xs.map((x, n) => [x, values[n] ?? NaN]);
}

function groupLines(spec: ChartSpec, frame: Frame, tracks: readonly Track[]): Line[] {
  const lines: Line[] = [];
  const groups = [...groupItems(frame.items, spec.groupBy)];
  for (const y of spec.y) {
    groups.forEach(([name, items], slot) => {
      const keys = new Set(items.map((item) => item.key));
      const chosen = tracks.filter((track) => track.y === y && keys.has(track.item.key));
      if (chosen.length > 0) lines.push(groupLine(spec, name, y, slot, chosen));
    });
  }
  return lines;
}

function groupLine(
  spec: ChartSpec,
  name: string,
  y: string,
  slot: number,
  tracks: readonly Track[],
): Line {
  const grid = gridOf(tracks);
  const columns = tracks.map((track) => resample(track.xs, track.last, grid));
  const centre: number[] = [];
  const low: number[] = [];
  const high: number[] = [];
  grid.forEach((_, n) => {
    const values = columns
      .map((column) => column[n] ?? NaN)
      .filter((value) => !Number.isNaN(value));
    const middle = values.length === 0 ? NaN : aggregate(values, spec.aggregate);
    const [from, to] = values.length === 0 ? [NaN, NaN] : band(values, middle, spec.band);
    centre.push(middle);
    low.push(from);
    high.push(to);
  });
  const isSmooth = spec.smoothing !== "none";
  const even = (values: readonly number[]): number[] =>
    isSmooth ? smooth(values, spec.smoothing, spec.amount, grid) : [...values];
  return {
    key: name,
    name: lineName(spec, `${name} (${String(tracks.length)})`, y),
    y,
    slot,
    points: pair(grid, even(centre)),
    raw: isSmooth && spec.raw ? pair(grid, centre) : [],
    low: spec.band === "none" ? [] : even(low),
    high: spec.band === "none" ? [] : even(high),
  };
}

/** Where a group is reckoned: all places where anything was logged, or that many even ones. */
function gridOf(tracks: readonly Track[]): number[] {
  const places = new Set<number>();
  for (const track of tracks) for (const x of track.xs) places.add(x);
  const sorted = [...places].sort((a, b) => a - b);
  if (sorted.length <= GRID) return sorted;
  const first = sorted[0] ?? 0;
  const last = sorted[sorted.length - 1] ?? 0;
  return Array.from({ length: GRID }, (_, n) => first + ((last - first) * n) / (GRID - 1));
}

/** Values at the places of a grid, on straight lines between points; NaN beyond the ends. */
export function resample(
  xs: readonly number[],
  values: readonly number[],
  grid: readonly number[],
): number[] {
  const known = xs
    .map((x, n) => [x, values[n] ?? NaN] as const)
    .filter((point) => !Number.isNaN(point[1]));
  let n = 0;
  return grid.map((place) => {
    while (n + 1 < known.length && (known[n + 1]?.[0] ?? Infinity) <= place) n += 1;
    const from = known[n];
    if (from === undefined || place < from[0]) return NaN;
    if (place === from[0]) return from[1];
    const to = known[n + 1];
    if (to === undefined) return NaN;
    return from[1] + ((to[1] - from[1]) * (place - from[0])) / (to[0] - from[0]);
  });
}

/** Rows along a column: each group is a line, rows at the same place become one. */
function rowLines(spec: ChartSpec, frame: Frame): Line[] {
  const lines: Line[] = [];
  const groups = [...groupItems(frame.items, spec.groupBy)];
  spec.y.forEach((y, place) => {
    groups.forEach(([name, items], n) => {
      const at = new Map<number, number[]>();
      for (const item of items) {
        const x = numberOf(item.cells[spec.x]);
        const value = numberOf(item.cells[y]);
        if (!Number.isFinite(x) || !Number.isFinite(value)) continue;
        const values = at.get(x);
        if (values) values.push(value);
        else at.set(x, [value]);
      }
      if (at.size === 0) return;
      const rows = [...at].sort(([a], [b]) => a - b);
      const xs = rows.map(([x]) => x);
      const centre = rows.map(([, values]) => aggregate(values, spec.aggregate));
      const bands = rows.map(([, values], m) => band(values, centre[m] ?? NaN, spec.band));
      const isSmooth = spec.smoothing !== "none";
      const drawn = isSmooth ? smooth(centre, spec.smoothing, spec.amount, xs) : centre;
      lines.push({
        key: name === "" ? y : name,
        name: name === "" ? titleOfId(y) : lineName(spec, name, y),
        y,
        slot: spec.groupBy === "" ? place : n,
        points: pair(xs, drawn),
        raw: isSmooth && spec.raw ? pair(xs, centre) : [],
        low: spec.band === "none" ? [] : bands.map((ends) => ends[0]),
        high: spec.band === "none" ? [] : bands.map((ends) => ends[1]),
      });
    });
  });
  return lines;
}
