/**
 * What a chart is: everything its editor changes, and nothing that is drawn from it.
 *
 * Always holds: a spec is plain JSON; `shorten` leaves out what is as usual and `restore` puts it
 * back, whatever an address or a saved view holds; unknown members are dropped.
 * Leaves to others: fetching what it needs (`frame`), and drawing (`options/`).
 */
import { splitId, titleOfId } from "../table/columns.ts";

export const TYPES = ["bar", "line", "scatter", "box", "histogram", "parallel", "contour"] as const;
export type ChartType = (typeof TYPES)[number];
export const SCALES = ["linear", "log"] as const;
export type Scale = (typeof SCALES)[number];
export const AGGREGATES = ["mean", "median", "min", "max", "sum", "count"] as const;
export type Aggregate = (typeof AGGREGATES)[number];
export const BANDS = ["none", "minmax", "sd", "se", "ci95"] as const;
export type Band = (typeof BANDS)[number];
export const SMOOTHINGS = ["none", "ema", "gaussian", "mean"] as const;
export type Smoothing = (typeof SMOOTHINGS)[number];
export const LEGENDS = ["bottom", "top", "none"] as const;
export type Legend = (typeof LEGENDS)[number];
export const COLOURS = ["item", "series", "single"] as const;
export type Colours = (typeof COLOURS)[number];
/** What a line can run over besides columns: the points of its metric. */
export const COURSES = ["step", "time", "relative"] as const;
export type Course = (typeof COURSES)[number];

export interface ChartSpec {
  readonly id: string;
  /** Empty for one made from the axes. */
  readonly title: string;
  readonly type: ChartType;
  /** `step`, `time`, `relative`, or a column's id; a bar's categories. */
  readonly x: string;
  /** Column ids; of a contour the vertical axis and the value, of parallel all axes. */
  readonly y: readonly string[];
  readonly xScale: Scale;
  readonly yScale: Scale;
  /** How rows of one group become one. */
  readonly aggregate: Aggregate;
  /** A column's id, or empty. */
  readonly groupBy: string;
  readonly band: Band;
  readonly smoothing: Smoothing;
  /** 0 to 1 for ema; points for gaussian and mean. */
  readonly amount: number;
  /** Whether the line before smoothing stays, faint. */
  readonly raw: boolean;
  readonly ignoreOutliers: boolean;
  /** Ends of the axes; null where the data decide. */
  readonly xMin: number | null;
  readonly xMax: number | null;
  readonly yMin: number | null;
  readonly yMax: number | null;
  readonly colours: Colours;
  readonly legend: Legend;
}

export const USUAL: ChartSpec = {
  id: "",
  title: "",
  type: "bar",
  x: "run_name",
  y: [],
  xScale: "linear",
  yScale: "linear",
  aggregate: "mean",
  groupBy: "",
  band: "none",
  smoothing: "none",
  amount: 0.6,
  raw: true,
  ignoreOutliers: false,
  xMin: null,
  xMax: null,
  yMin: null,
  yMax: null,
  colours: "item",
  legend: "bottom",
};

export const CHARTS_MAX = 60;
const CHOICES: Readonly<Partial<Record<keyof ChartSpec, readonly string[]>>> = {
  type: TYPES,
  xScale: SCALES,
  yScale: SCALES,
  aggregate: AGGREGATES,
  band: BANDS,
  smoothing: SMOOTHINGS,
  legend: LEGENDS,
  colours: COLOURS,
};

export function isCourse(x: string): x is Course {
  return (COURSES as readonly string[]).includes(x);
}

/** Whether a chart draws the points of metrics rather than cells of rows. */
export function drawsSeries(spec: ChartSpec): boolean {
  return spec.type === "line" && isCourse(spec.x);
}

/** The metric keys whose series a chart draws. */
export function seriesKeys(spec: ChartSpec): string[] {
  if (!drawsSeries(spec)) return [];
  return [
    ...new Set(
      spec.y
        .map(splitId)
        .filter((id) => id.prefix !== "")
        .map((id) => id.key),
    ),
  ];
}

/** The columns whose cells a chart needs. */
export function columnsOf(spec: ChartSpec): string[] {
  const ids = drawsSeries(spec) ? [] : [...spec.y];
  if (!isCourse(spec.x) && usesX(spec.type)) ids.push(spec.x);
  if (spec.groupBy !== "") ids.push(spec.groupBy);
  return [...new Set(ids)].filter((id) => id !== "");
}

/** Whether a type has a horizontal axis that people choose. */
export function usesX(type: ChartType): boolean {
  return type === "bar" || type === "line" || type === "scatter" || type === "contour";
}

/** The title, made from the axes where nobody wrote one. */
export function titleOf(spec: ChartSpec): string {
  if (spec.title !== "") return spec.title;
  const names = spec.y.map(titleOfId);
  const y = names.length > 3 ? `${names.slice(0, 3).join(", ")} …` : names.join(", ");
  if (y === "") return "New chart";
  switch (spec.type) {
    case "bar":
      return `${y} by ${axisTitle(spec.groupBy === "" ? spec.x : spec.groupBy).toLowerCase()}`;
    case "line":
    case "scatter":
      return `${y} over ${axisTitle(spec.x).toLowerCase()}`;
    case "box":
      return `${y}: spread${spec.groupBy === "" ? "" : ` by ${titleOfId(spec.groupBy)}`}`;
    case "histogram":
      return `${y}: distribution`;
    case "parallel":
      return `${y} side by side`;
    case "contour":
      return `${names[1] ?? "?"} over ${titleOfId(spec.x)} and ${names[0] ?? "?"}`;
  }
}

const COURSE_TITLES: Readonly<Record<Course, string>> = {
  step: "Step",
  time: "Time",
  relative: "Relative time",
};

export function axisTitle(x: string): string {
  return isCourse(x) ? COURSE_TITLES[x] : titleOfId(x);
}

/** The charts that a selection opens with: a bar by run name for each shown metric. */
export function usualCharts(metricIds: readonly string[]): ChartSpec[] {
  return metricIds.slice(0, CHARTS_MAX).map((id) => ({ ...USUAL, id: `auto-${id}`, y: [id] }));
}

/** An id that no other chart has. */
export function freshId(charts: readonly ChartSpec[]): string {
  const taken = new Set(charts.map((chart) => chart.id));
  let n = charts.length + 1;
  while (taken.has(`c${String(n)}`)) n += 1;
  return `c${String(n)}`;
}

export type Short = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** A spec without what is as usual. */
export function shorten(spec: ChartSpec): Short {
  const kept = Object.entries(spec).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(USUAL[name as keyof ChartSpec]),
  );
  return Object.fromEntries(kept);
}

/** A whole spec from whatever an address or a view holds; null if it is none. */
export function restore(given: unknown): ChartSpec | null {
  if (typeof given !== "object" || given === null) return null;
  const made: Record<string, unknown> = { ...USUAL };
  for (const [name, value] of Object.entries(given)) {
    if (!(name in USUAL)) continue;
    if (fits(name as keyof ChartSpec, value)) made[name] = value;
  }
  const spec = made as unknown as ChartSpec;
  return spec.id === "" ? null : spec;
}

function fits(name: keyof ChartSpec, value: unknown): boolean {
  const choices = CHOICES[name];
  if (choices !== undefined) return typeof value === "string" && choices.includes(value);
  if (name === "y") {
    return (
      Array.isArray(value) && value.length <= 200 && value.every((id) => typeof id === "string")
    );
  }
  if (name === "xMin" || name === "xMax" || name === "yMin" || name === "yMax") {
    return value === null || typeof value === "number";
  }
  return typeof value === typeof USUAL[name];
}
