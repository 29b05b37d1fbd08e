/** Lines: of metrics over steps and times, or of rows over a column; bands, and raw lines faint. */
import type { LineSeriesOption } from "echarts";
import { shortNumber } from "@/lib/format.ts";
import { titleOfId } from "../../table/columns.ts";
import type { Frame } from "../frame.ts";
import { type Line, makeLines, type Point } from "../lines.ts";
import { dashOfSlot } from "../palette.ts";
import { type ChartSpec, drawsSeries } from "../spec.ts";
import { crowdOf } from "./crowd.ts";
import {
  base,
  colourOf,
  type Drawing,
  gridOf,
  isDrawn,
  type Look,
  nothing,
  safe,
  tooltipOf,
  valueAxis,
  xName,
} from "./drawing.ts";

const AXIS_TOOLTIP_MAX = 10;
const SYMBOLS_MAX = 12;
/** More lines than this are told apart by pointing at them; dashes would only be slow to draw. */
const CROWD = 40;
const TYPES = ["solid", "dashed", "dotted", [12, 4, 2, 4]] as const;

export function drawLine(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  const lines = makeLines(spec, frame).filter((line) => line.points.some(fits(spec)));
  if (lines.length === 0) return nothing();
  const isItem = drawsSeries(spec) && spec.groupBy === "";
  const isCrowd = lines.length > CROWD && lines.every((line) => line.low.length === 0);
  const series = isCrowd
    ? crowdOf(lines, spec, look, (line) => slotOf(line, spec))
    : lines.flatMap((line, n) => seriesOf(line, n, spec, look));
  const tooltip = tooltipOf(look, lines.length <= AXIS_TOOLTIP_MAX ? "axis" : "item");
  return {
    option: {
      ...base(look),
      grid: gridOf(true),
      xAxis: valueAxis(spec, "x", look, xName(spec)),
      yAxis: valueAxis(spec, "y", look, spec.y.length === 1 ? titleOfId(spec.y[0] ?? "") : ""),
      tooltip: {
        ...tooltip,
        order: "valueDesc",
        valueFormatter: (value: unknown) => (typeof value === "number" ? shortNumber(value) : "–"),
        ...(tooltip.trigger === "item" && {
          formatter: (given: unknown) => {
            const point = given as { seriesName?: string; value?: readonly number[] };
            return `${safe(point.seriesName ?? "")}<br>${shortNumber(point.value?.[0] ?? NaN)}: <b>${shortNumber(point.value?.[1] ?? NaN)}</b>`;
          },
        }),
      },
      series,
    },
    legend: lines.map((line) => ({
      key: isItem ? line.key : line.name,
      name: line.name,
      slot: slotOf(line, spec),
      isItem,
    })),
    isEmpty: false,
    zoomsX: true,
    zoomsY: true,
    summary: `Line chart, ${lines.length} lines`,
  };
}

function fits(spec: ChartSpec): (point: Point) => boolean {
  return (point) => isDrawn(point[0], spec.xScale) && isDrawn(point[1], spec.yScale);
}

/** With several metrics of few items colours tell metrics apart if asked. */
function slotOf(line: Line, spec: ChartSpec): number {
  if (spec.colours === "single") return 0;
  return spec.colours === "series" ? spec.y.indexOf(line.y) : line.slot;
}

function seriesOf(line: Line, n: number, spec: ChartSpec, look: Look): LineSeriesOption[] {
  const slot = slotOf(line, spec);
  const color = colourOf(slot, look);
  // Metrics of one item share its colour, so they differ by dash.
  const several = spec.colours === "item" && spec.y.length > 1;
  const dash = several
    ? (TYPES[spec.y.indexOf(line.y) % TYPES.length] ?? "solid")
    : dashOfSlot(slot);
  const usable = fits(spec);
  const shown = (points: readonly Point[]): (readonly (number | string)[])[] =>
    points.map((point) => (usable(point) ? point : [point[0], "-"]));
  const type = typeof dash === "string" ? dash : [...dash];
  const common = { type: "line" as const, name: line.name, color, symbolSize: 5, animation: false };
  const made: LineSeriesOption[] = [
    {
      ...common,
      id: `${line.key}\n${line.y}`,
      data: shown(line.points) as number[][],
      showSymbol: line.points.length <= SYMBOLS_MAX,
      lineStyle: { width: 1.8, color, type: type },
      emphasis: { focus: "series", lineStyle: { width: 3 } },
      blur: { lineStyle: { opacity: 0.15 } },
      triggerEvent: "line",
      z: 3,
    },
  ];
  if (line.raw.length > 0) {
    made.push({
      ...common,
      id: `raw\n${String(n)}`,
      data: shown(line.raw) as number[][],
      showSymbol: false,
      silent: true,
      tooltip: { show: false },
      lineStyle: { width: 1, color, opacity: 0.25 },
      z: 2,
    });
  }
  return line.low.length > 0 ? [...made, ...bandOf(line, n, color, spec)] : made;
}

/** A band: an invisible line at its lower end, and the area that is stacked on it. */
function bandOf(line: Line, n: number, color: string, spec: ChartSpec): LineSeriesOption[] {
  const common = {
    type: "line" as const,
    name: line.name,
    stack: `band ${String(n)}`,
    stackStrategy: "all" as const,
    showSymbol: false,
    silent: true,
    tooltip: { show: false },
    lineStyle: { width: 0 },
    color,
    z: 1,
  };
  const ends = line.points.map(([x], m) => {
    const low = line.low[m] ?? NaN;
    const high = line.high[m] ?? NaN;
    const usable = isDrawn(low, spec.yScale) && isDrawn(high, spec.yScale);
    return { x, low: usable ? low : NaN, size: usable ? high - low : NaN };
  });
  const at = (x: number, value: number) =>
    (Number.isNaN(value) ? [x, "-"] : [x, value]) as number[];
  return [
    { ...common, id: `low\n${String(n)}`, data: ends.map((end) => at(end.x, end.low)) },
    {
      ...common,
      id: `band\n${String(n)}`,
      data: ends.map((end) => at(end.x, end.size)),
      areaStyle: { color, opacity: 0.18 },
    },
  ];
}
