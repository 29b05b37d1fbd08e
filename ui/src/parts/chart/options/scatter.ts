/** Points: a row each, over any column. */
import type { ScatterSeriesOption } from "echarts";
import { shortNumber } from "@/lib/format.ts";
import { titleOfId } from "../../table/columns.ts";
import {
  categoryOf,
  compareNames,
  type Frame,
  groupItems,
  type Item,
  isNumeric,
  numberOf,
  withNumbers,
} from "../frame.ts";
import { type ChartSpec, isCourse } from "../spec.ts";
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
  xName,
} from "./drawing.ts";

const SYMBOLS = ["circle", "triangle", "rect", "diamond", "roundRect", "arrow"] as const;

export function drawScatter(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  if (isCourse(spec.x)) return nothing();
  const isValue = isNumeric(frame.items, spec.x);
  const items = frame.items.filter(
    (item) => !isValue || isDrawn(numberOf(item.cells[spec.x]), spec.xScale),
  );
  const names = isValue
    ? []
    : [...new Set(items.map((item) => categoryOf(item.cells[spec.x], spec.x)))].sort(compareNames);
  const groups = [...groupItems(items, spec.groupBy)];
  const several = groups.length > 1 || spec.y.length > 1;
  const series = spec.y.flatMap((id, place) =>
    groups.map(([name, members], n): ScatterSeriesOption => {
      const slot = spec.groupBy === "" ? place : n;
      const usable = withNumbers(members, isValue ? [spec.x, id] : [id], spec).filter((item) =>
        isDrawn(numberOf(item.cells[id]), spec.yScale),
      );
      return {
        type: "scatter",
        name: [name, spec.y.length > 1 ? titleOfId(id) : ""]
          .filter((part) => part !== "")
          .join(" · "),
        color: colourOf(spec.colours === "single" ? 0 : slot, look),
        symbol: SYMBOLS[(spec.groupBy === "" ? 0 : place) % SYMBOLS.length] ?? "circle",
        symbolSize: usable.length > 500 ? 5 : 9,
        emphasis: { focus: "self", scale: 1.6 },
        itemStyle: { opacity: 0.85 },
        data: usable.map((item) => pointOf(item, id, isValue, spec, look, several)),
      };
    }),
  );
  const count = series.reduce((sum, each) => sum + (each.data?.length ?? 0), 0);
  if (count === 0) return nothing();
  return {
    option: {
      ...base(look),
      grid: gridOf(true),
      xAxis: isValue
        ? valueAxis(spec, "x", look, xName(spec))
        : categoryAxis(names, look, xName(spec)),
      yAxis: valueAxis(spec, "y", look, spec.y.length === 1 ? titleOfId(spec.y[0] ?? "") : ""),
      tooltip: {
        ...tooltipOf(look, "item"),
        formatter: (given: unknown) => {
          const point = given as { name?: string; value?: readonly (number | string)[] };
          const [x, y] = point.value ?? [];
          const across = typeof x === "number" ? shortNumber(x) : safe(x ?? "");
          return `<b>${safe(point.name ?? "")}</b><br>${safe(xName(spec))}: ${across}<br>${shortNumber(Number(y))}`;
        },
      },
      series,
    },
    legend: several
      ? series.map((each, slot) => ({
          key: String(each.name),
          name: String(each.name),
          slot: spec.groupBy === "" ? Math.floor(slot / groups.length) : slot % groups.length,
          isItem: false,
        }))
      : [],
    isEmpty: false,
    zoomsX: isValue,
    zoomsY: true,
    summary: `Scatter chart, ${count} points`,
  };
}

function pointOf(
  item: Item,
  id: string,
  isValue: boolean,
  spec: ChartSpec,
  look: Look,
  several: boolean,
) {
  const x = isValue ? numberOf(item.cells[spec.x]) : categoryOf(item.cells[spec.x], spec.x);
  return {
    id: item.key,
    name: item.label,
    value: [x, numberOf(item.cells[id])],
    ...(!several && spec.colours === "item" && { itemStyle: { color: colourOf(item.slot, look) } }),
  };
}
