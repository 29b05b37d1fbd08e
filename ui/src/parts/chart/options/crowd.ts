/**
 * Many lines as one series, which costs a tenth of what ECharts takes for as many of its own.
 *
 * Always holds: a line is one datum, whose id begins with the item's key; its places are reckoned
 * once per drawing, gaps are where there is no number. Pointing at a line finds the place pointed
 * at, for what the tooltip says. Leaves to others: axes, and the shape's registration (`echarts`).
 */
import type { CustomSeriesOption, CustomSeriesRenderItem } from "echarts";
import { shortNumber } from "@/lib/format.ts";
import type { Line, Point } from "../lines.ts";
import type { ChartSpec } from "../spec.ts";
import { colourOf, isDrawn, type Look, safe } from "./drawing.ts";

/** A line's places in pixels, rising along x. */
export interface Course {
  readonly xs: Float64Array;
  readonly ys: Float64Array;
}

/** The shape of a line; ECharts copies lists that lie in a shape itself, at each update. */
export interface CourseShape {
  readonly course: Course;
}

export const COURSE = "course";
const REACH = 5;
/** Which place of a line was pointed at last; there is but one pointer. */
let pointed = -1;
/** Where a datum says which line it is, behind its ends; some may be switched off. */
const LINE = 4;

/** What draws: a canvas, or what writes a picture down. */
export interface Pen {
  moveTo(x: number, y: number): unknown;
  lineTo(x: number, y: number): unknown;
}

export function traceCourse(pen: Pen, { xs, ys }: Course): void {
  let isDown = false;
  for (let n = 0; n < xs.length; n += 1) {
    const x = xs[n] ?? NaN;
    const y = ys[n] ?? NaN;
    if (Number.isNaN(y)) isDown = false;
    else if (isDown) pen.lineTo(x, y);
    else {
      pen.moveTo(x, y);
      isDown = true;
    }
  }
}

/** Whether a line is within reach of the pointer; notes at which place. */
export function isPointedAt(course: Course, x: number, y: number): boolean {
  const place = placeNear(course, x, y);
  if (place >= 0) pointed = place;
  return place >= 0;
}

/** The place that a line has within reach of a point; -1 if none. */
export function placeNear({ xs, ys }: Course, x: number, y: number): number {
  let from = 0;
  let to = xs.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((xs[middle] ?? 0) < x - REACH) from = middle + 1;
    else to = middle;
  }
  // The part that begins left of the reach may cross it.
  for (let n = Math.max(1, from); n < xs.length; n += 1) {
    const ax = xs[n - 1] ?? 0;
    const ay = ys[n - 1] ?? NaN;
    if (ax > x + REACH) break;
    const dx = (xs[n] ?? 0) - ax;
    const dy = (ys[n] ?? NaN) - ay;
    const length = dx * dx + dy * dy;
    const part = length === 0 ? 0 : ((x - ax) * dx + (y - ay) * dy) / length;
    const along = Math.min(1, Math.max(0, part));
    if (Math.hypot(ax + dx * along - x, ay + dy * along - y) <= REACH) {
      return along < 0.5 ? n - 1 : n;
    }
  }
  return -1;
}

/** The series of these lines: smoothed ones above their raw ones, which are faint. */
export function crowdOf(
  lines: readonly Line[],
  spec: ChartSpec,
  look: Look,
  slotOf: (line: Line) => number,
): CustomSeriesOption[] {
  const raw = lines.filter((line) => line.raw.length > 0);
  const faint = seriesOf(raw, (line) => line.raw, spec, look, slotOf);
  const made = seriesOf(lines, (line) => line.points, spec, look, slotOf);
  return raw.length === 0
    ? [made]
    : [{ ...faint, id: "raw", silent: true, tooltip: { show: false }, z: 2 }, made];
}

function seriesOf(
  lines: readonly Line[],
  pointsOf: (line: Line) => readonly Point[],
  spec: ChartSpec,
  look: Look,
  slotOf: (line: Line) => number,
): CustomSeriesOption {
  const isRaw = lines.some((line) => pointsOf(line) !== line.points);
  const data = lines.map((line, n) => ({
    id: `${line.key}\n${line.y}`,
    name: line.name,
    value: [...endsOf(pointsOf(line), spec), n],
  }));
  const renderItem: CustomSeriesRenderItem = (_params, api) => {
    const line = lines[Number(api.value(LINE))];
    if (line === undefined) return null;
    const points = pointsOf(line);
    const color = colourOf(slotOf(line), look);
    const shape: CourseShape = { course: placesOf(points, spec, (at) => api.coord([...at])) };
    return {
      type: COURSE,
      shape,
      style: { stroke: color, fill: null, lineWidth: 1, opacity: isRaw ? 0.25 : 1 },
      emphasis: { style: { lineWidth: 3 } },
      blur: { style: { opacity: 0.15 } },
      focus: "self",
      // ECharts' types know only the shapes that it brings itself.
    } as unknown as ReturnType<CustomSeriesRenderItem>;
  };
  return {
    type: "custom",
    id: "crowd",
    renderItem,
    encode: { x: [0, 1], y: [2, 3] },
    clip: true,
    z: 3,
    tooltip: {
      formatter: (given) => {
        const { value } = given as { value?: readonly number[] };
        const line = lines[value?.[LINE] ?? -1];
        const at = line && pointsOf(line)[pointed];
        if (line === undefined || at === undefined) return safe(line?.name ?? "");
        return `${safe(line.name)}<br>${shortNumber(at[0])}: <b>${shortNumber(at[1])}</b>`;
      },
    },
    data,
  };
}

/** Where points lie: two of them tell how an axis maps, so that not each has to be asked for. */
function placesOf(
  points: readonly Point[],
  spec: ChartSpec,
  coord: (at: Point) => readonly number[],
): Course {
  const [lowX, highX, lowY, highY] = endsOf(points, spec);
  const from = coord([lowX, lowY]);
  const to = coord([highX, highY]);
  const across = mapped(spec.xScale, lowX, highX, from[0] ?? 0, to[0] ?? 0);
  const up = mapped(spec.yScale, lowY, highY, from[1] ?? 0, to[1] ?? 0);
  const xs = new Float64Array(points.length);
  const ys = new Float64Array(points.length);
  points.forEach(([x, y], n) => {
    xs[n] = isDrawn(x, spec.xScale) ? across(x) : (xs[n - 1] ?? 0);
    ys[n] = isDrawn(x, spec.xScale) && isDrawn(y, spec.yScale) ? up(y) : NaN;
  });
  return { xs, ys };
}

function mapped(scale: ChartSpec["xScale"], low: number, high: number, from: number, to: number) {
  const read = scale === "log" ? Math.log : (value: number) => value;
  const origin = read(low);
  const size = read(high) - origin;
  const pace = size === 0 ? 0 : (to - from) / size;
  return (value: number): number => from + (read(value) - origin) * pace;
}

function endsOf(points: readonly Point[], spec: ChartSpec): [number, number, number, number] {
  let [lowX, highX, lowY, highY] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const [x, y] of points) {
    if (!isDrawn(x, spec.xScale) || !isDrawn(y, spec.yScale)) continue;
    if (x < lowX) lowX = x;
    if (x > highX) highX = x;
    if (y < lowY) lowY = y;
    if (y > highY) highY = y;
  }
  return [lowX, highX, lowY, highY];
}
