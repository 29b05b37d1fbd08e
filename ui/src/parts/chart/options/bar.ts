/** Bars: one for each row, or for each group with its spread as a whisker. */
import type { BarSeriesOption, CustomSeriesOption, CustomSeriesRenderItem } from "echarts";
import { shortNumber } from "@/lib/format.ts";
import { titleOfId } from "../../table/columns.ts";
import { type Frame, groupItems, type Item, numberOf, withNumbers } from "../frame.ts";
import { axisTitle, type ChartSpec } from "../spec.ts";
import { aggregate, band } from "../statistics.ts";
import {
  base,
  categoryAxis,
  colourOf,
  type Drawing,
  gridOf,
  isDrawn,
  type Look,
  nothing,
  safe,
  tooltipOf,
  valueAxis,
} from "./drawing.ts";

/** Columns by which every row is a bar of its own. */
const OF_ROWS = new Set(["run_name", "version", "run_id"]);

interface Bar {
  readonly key: string;
  readonly name: string;
  readonly slot: number;
  readonly items: readonly Item[];
}

export function drawBar(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  const items = frame.items.filter((item) =>
    spec.y.some((id) => isDrawn(numberOf(item.cells[id]), spec.yScale)),
  );
  if (items.length === 0) return nothing();
  const by = spec.groupBy === "" ? spec.x : spec.groupBy;
  const isOfRows = spec.groupBy === "" && OF_ROWS.has(spec.x);
  const all: Bar[] = isOfRows
    ? items.map((item) => ({ key: item.key, name: item.label, slot: item.slot, items: [item] }))
    : [...groupItems(items, by)].map(([name, members], n) => ({
        key: name,
        name,
        slot: n,
        items: members,
      }));
  const bars = all.slice(
    Math.max(0, Math.ceil(spec.xMin ?? 0)),
    Math.floor(spec.xMax ?? all.length) + 1,
  );
  const isByBar = spec.y.length === 1 && spec.colours === "item";
  const made = spec.y.map((id, place) => seriesOf(id, place, bars, isByBar, spec, look));
  const name = isOfRows ? "" : axisTitle(by);
  return {
    option: {
      ...base(look),
      grid: gridOf(name !== ""),
      xAxis: categoryAxis(
        bars.map((bar) => bar.name),
        look,
        name,
      ),
      // Bars are lengths, so they begin at zero unless told otherwise.
      yAxis: {
        ...valueAxis(spec, "y", look, spec.y.length === 1 ? titleOfId(spec.y[0] ?? "") : ""),
        scale: spec.yScale === "log",
      },
      tooltip: {
        ...tooltipOf(look, "item"),
        formatter: (given: unknown) => {
          const point = given as { seriesName?: string; name?: string; value?: number | number[] };
          const value = Array.isArray(point.value) ? point.value[1] : point.value;
          return `${safe(point.name ?? "")}<br>${safe(point.seriesName ?? "")}: <b>${shortNumber(value ?? NaN)}</b>`;
        },
      },
      series: made.flat(),
    },
    legend:
      spec.y.length > 1
        ? spec.y.map((id, slot) => ({
            key: titleOfId(id),
            name: titleOfId(id),
            slot,
            isItem: false,
          }))
        : [],
    isEmpty: false,
    zoomsX: true,
    zoomsY: false,
    summary: `Bar chart, ${bars.length} bars`,
  };
}

function seriesOf(
  id: string,
  place: number,
  bars: readonly Bar[],
  isByBar: boolean,
  spec: ChartSpec,
  look: Look,
): (BarSeriesOption | CustomSeriesOption)[] {
  const values = bars.map((bar) =>
    withNumbers(bar.items, [id], spec).map((item) => numberOf(item.cells[id])),
  );
  const centres = values.map((each) => (each.length === 0 ? NaN : aggregate(each, spec.aggregate)));
  const name = titleOfId(id);
  const main: BarSeriesOption = {
    type: "bar",
    id,
    name,
    color: colourOf(spec.colours === "single" ? 0 : place, look),
    barMaxWidth: 48,
    barGap: "8%",
    large: bars.length > 2000,
    emphasis: { focus: "self" },
    data: centres.map((value, n) => ({
      value: isDrawn(value, spec.yScale) ? value : "-",
      id: bars[n]?.key ?? "",
      ...(isByBar && { itemStyle: { color: colourOf(bars[n]?.slot ?? 0, look) } }),
    })),
  };
  if (spec.band === "none" || values.every((each) => each.length < 2)) return [main];
  const ends = values.map((each, n) => [n, ...band(each, centres[n] ?? NaN, spec.band)]);
  return [
    main,
    {
      type: "custom",
      name,
      silent: true,
      tooltip: { show: false },
      z: 4,
      renderItem: whisker(place, spec.y.length, look),
      data: ends.filter((end) => end.every((value) => Number.isFinite(value))),
      encode: { x: 0, y: [1, 2] },
    },
  ];
}

function whisker(place: number, count: number, look: Look): CustomSeriesRenderItem {
  return (_params, api) => {
    const low = api.coord([api.value(0), api.value(1)]);
    const high = api.coord([api.value(0), api.value(2)]);
    const size = api.size?.([1, 0]);
    const width = (Array.isArray(size) ? (size[0] ?? 0) : (size ?? 0)) * 0.8;
    const x = (low[0] ?? 0) + (count > 1 ? (width / count) * (place - (count - 1) / 2) : 0);
    const half = Math.min(6, width / 4);
    const style = { stroke: look.text, lineWidth: 1.2 };
    const stroke = (x1: number, y1: number, x2: number, y2: number) =>
      ({ type: "line", shape: { x1, y1, x2, y2 }, style }) as const;
    const [bottom, top] = [low[1] ?? 0, high[1] ?? 0];
    return {
      type: "group",
      children: [
        stroke(x, bottom, x, top),
        stroke(x - half, bottom, x + half, bottom),
        stroke(x - half, top, x + half, top),
      ],
    };
  };
}
