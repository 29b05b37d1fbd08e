/** How values are spread: boxes by group, and histograms. */
import type {
  BoxplotSeriesOption,
  CustomSeriesOption,
  CustomSeriesRenderItem,
  ScatterSeriesOption,
} from "echarts";
import { shortNumber } from "@/lib/format.ts";
import { titleOfId } from "../../table/columns.ts";
import { type Frame, groupItems, type Item, numberOf, withNumbers } from "../frame.ts";
import type { ChartSpec } from "../spec.ts";
import { binEdges, box, countBins } from "../statistics.ts";
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

interface Spread {
  readonly name: string;
  readonly slot: number;
  readonly values: readonly number[];
  readonly items: readonly Item[];
}

function valuesOf(
  items: readonly Item[],
  id: string,
  spec: ChartSpec,
  log: boolean,
): Spread["items"] {
  return withNumbers(items, [id], spec).filter((item) =>
    isDrawn(numberOf(item.cells[id]), log ? "log" : "linear"),
  );
}

export function drawBox(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  const groups = [...groupItems(frame.items, spec.groupBy)];
  const names = spec.groupBy === "" ? spec.y.map(titleOfId) : groups.map(([name]) => name);
  const columns: readonly (readonly [string, readonly (readonly Item[])[]])[] =
    spec.groupBy === ""
      ? [["", spec.y.map((id) => valuesOf(frame.items, id, spec, spec.yScale === "log"))]]
      : spec.y.map((id) => [
          id,
          groups.map(([, items]) => valuesOf(items, id, spec, spec.yScale === "log")),
        ]);
  if (columns.every(([, cells]) => cells.every((items) => items.length === 0))) return nothing();
  const series = columns.flatMap(
    ([id, cells], place): (BoxplotSeriesOption | ScatterSeriesOption)[] => {
      const boxes = cells.map((items, n) =>
        box(items.map((item) => numberOf(item.cells[id === "" ? (spec.y[n] ?? "") : id]))),
      );
      const color = colourOf(place, look);
      const name = id === "" ? "spread" : titleOfId(id);
      return [
        {
          type: "boxplot",
          name,
          itemStyle: { color: look.ground, borderColor: color, borderWidth: 1.5 },
          boxWidth: [8, 60],
          data: boxes.map((each) => (Number.isNaN(each.five[2]) ? [] : [...each.five])),
        },
        {
          type: "scatter",
          name,
          color,
          symbolSize: 5,
          // Beside several boxes the points would stand in the middle of the group.
          data:
            columns.length > 1 || spec.ignoreOutliers
              ? []
              : boxes.flatMap((each, n) => each.outliers.map((value) => [n, value])),
        },
      ];
    },
  );
  return {
    option: {
      ...base(look),
      grid: gridOf(spec.groupBy !== ""),
      xAxis: categoryAxis(names, look, spec.groupBy === "" ? "" : titleOfId(spec.groupBy)),
      yAxis: valueAxis(spec, "y", look, spec.y.length === 1 ? titleOfId(spec.y[0] ?? "") : ""),
      tooltip: {
        ...tooltipOf(look, "item"),
        formatter: (given: unknown) => {
          const { name, value } = given as { name?: string; value?: readonly number[] };
          if (value?.length === 2) return shortNumber(value[1] ?? NaN);
          const words = ["low", "quarter", "median", "three quarters", "high"];
          const rows = words.map(
            (word, n) => `${word}: <b>${shortNumber(value?.[n + 1] ?? NaN)}</b>`,
          );
          return [safe(name ?? ""), ...rows.reverse()].join("<br>");
        },
      },
      series,
    },
    legend:
      columns.length > 1
        ? spec.y.map((id, slot) => ({
            key: titleOfId(id),
            name: titleOfId(id),
            slot,
            isItem: false,
          }))
        : [],
    isEmpty: false,
    zoomsX: false,
    zoomsY: true,
    summary: `Box chart, ${names.length} boxes`,
  };
}

export function drawHistogram(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  const log = spec.xScale === "log";
  const groups = [...groupItems(frame.items, spec.groupBy)];
  const spreads = spec.y.flatMap((id, place) =>
    groups.map(([name, items], n): Spread => {
      const usable = valuesOf(items, id, spec, log);
      const parts = [name, spec.y.length > 1 ? titleOfId(id) : ""].filter((part) => part !== "");
      return {
        name: parts.join(" · ") || titleOfId(id),
        slot: spec.groupBy === "" ? place : n,
        items: usable,
        values: usable.map((item) => numberOf(item.cells[id])),
      };
    }),
  );
  const edges = binEdges(
    spreads.flatMap((spread) => spread.values),
    log,
  );
  if (edges.length < 2) return nothing();
  const several = spreads.length > 1;
  const series = spreads.map((spread): CustomSeriesOption => {
    const color = colourOf(spread.slot, look);
    return {
      type: "custom",
      name: spread.name,
      color,
      renderItem: barBetween(color, several ? 0.5 : 0.9),
      encode: { x: [0, 1], y: 2 },
      data: countBins(spread.values, edges)
        .filter((bin) => bin.count > 0)
        .map((bin) => [bin.from, bin.to, bin.count]),
    };
  });
  const xAxis = valueAxis({ ...spec, x: "" }, "x", look, spec.y.map(titleOfId).join(", "));
  const range = { min: spec.xMin ?? edges[0] ?? 0, max: spec.xMax ?? edges[edges.length - 1] ?? 1 };
  return {
    option: {
      ...base(look),
      grid: gridOf(true),
      xAxis: {
        ...xAxis,
        ...range,
        axisLabel: { ...xAxis.axisLabel, showMinLabel: false, showMaxLabel: false },
      },
      yAxis: { ...valueAxis(spec, "y", look, "Count"), scale: false, minInterval: 1 },
      tooltip: {
        ...tooltipOf(look, "item"),
        formatter: (given: unknown) => {
          const { seriesName, value } = given as { seriesName?: string; value?: readonly number[] };
          const [from, to, count] = value ?? [];
          return `${safe(seriesName ?? "")}<br>${shortNumber(from ?? NaN)} – ${shortNumber(to ?? NaN)}: <b>${String(count)}</b>`;
        },
      },
      series,
    },
    legend: several
      ? spreads.map((spread) => ({
          key: spread.name,
          name: spread.name,
          slot: spread.slot,
          isItem: false,
        }))
      : [],
    isEmpty: false,
    zoomsX: true,
    zoomsY: false,
    summary: `Histogram, ${edges.length - 1} bins`,
  };
}

function barBetween(color: string, opacity: number): CustomSeriesRenderItem {
  return (_params, api) => {
    const [left = 0, top = 0] = api.coord([api.value(0), api.value(2)]);
    const [right = 0, bottom = 0] = api.coord([api.value(1), 0]);
    return {
      type: "rect",
      shape: { x: left, y: top, width: Math.max(1, right - left - 1), height: bottom - top },
      style: { fill: color, opacity },
      emphasis: { style: { opacity: 1 } },
    };
  };
}
