/** Many columns at once: parallel coordinates, and a third column as filled contours over two. */
import type { CustomSeriesRenderItem } from "echarts";
import { axisNumber, shortNumber } from "@/lib/format.ts";
import { titleOfId } from "../../table/columns.ts";
import {
  categoryOf,
  compareNames,
  type Frame,
  type Item,
  isNumeric,
  numberOf,
  withNumbers,
} from "../frame.ts";
import { RAMP } from "../palette.ts";
import type { ChartSpec } from "../spec.ts";
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

const CELLS = 32;

export function drawParallel(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  const ids = spec.y;
  const items = frame.items.filter((item) =>
    ids.some((id) => item.cells[id] !== null && item.cells[id] !== undefined),
  );
  if (items.length === 0 || ids.length < 2) return nothing("Parallel coordinates need two columns");
  const axes = ids.map((id, dim) => parallelAxis(id, dim, items, ids.length, look));
  return {
    option: {
      ...base(look),
      parallel: {
        left: 48,
        right: 64,
        top: 44,
        bottom: 20,
        parallelAxisDefault: { nameLocation: "end", nameGap: 14 },
      },
      parallelAxis: axes,
      tooltip: {
        ...tooltipOf(look, "item"),
        formatter: (given: unknown) => {
          const { name, value } = given as { name?: string; value?: readonly (number | string)[] };
          const rows = ids.slice(0, 20).map((id, n) => {
            const cell = value?.[n];
            return `${safe(titleOfId(id))}: ${typeof cell === "number" ? shortNumber(cell) : safe(cell ?? "")}`;
          });
          return [`<b>${safe(name ?? "")}</b>`, ...rows].join("<br>");
        },
      },
      series: [
        {
          type: "parallel",
          smooth: false,
          lineStyle: {
            width: items.length > 100 ? 1 : 1.8,
            opacity: items.length > 100 ? 0.4 : 0.85,
          },
          data: items.map((item) => ({
            id: item.key,
            name: item.label,
            value: ids.map((id, n) => axes[n]?.read(item.cells[id]) ?? "-"),
            lineStyle: { color: colourOf(spec.colours === "single" ? 0 : item.slot, look) },
          })),
        },
      ],
    },
    legend:
      spec.colours === "single"
        ? []
        : items.map((item) => ({ key: item.key, name: item.label, slot: item.slot, isItem: true })),
    isEmpty: false,
    zoomsX: false,
    zoomsY: false,
    summary: `Parallel coordinates, ${items.length} lines over ${ids.length} axes`,
  };
}

function parallelAxis(id: string, dim: number, items: readonly Item[], count: number, look: Look) {
  const words = { color: look.faint, fontFamily: look.font, fontSize: 11 };
  const common = {
    dim,
    name: titleOfId(id),
    nameTextStyle: {
      ...words,
      width: Math.max(48, (look.width - 110) / count - 8),
      overflow: "truncate" as const,
    },
    axisLine: { lineStyle: { color: look.line } },
    axisTick: { show: false },
  };
  if (isNumeric(items, id)) {
    const read = (cell: Item["cells"][string] | undefined) => {
      const value = numberOf(cell);
      return isDrawn(value, "linear") ? value : "-";
    };
    return {
      ...common,
      type: "value" as const,
      scale: true,
      axisLabel: { ...words, formatter: axisNumber },
      read,
    };
  }
  const names = [...new Set(items.map((item) => categoryOf(item.cells[id], id)))].sort(
    compareNames,
  );
  const read = (cell: Item["cells"][string] | undefined): number | string => categoryOf(cell, id);
  const axisLabel = { ...words, width: 60, overflow: "truncate" as const };
  return { ...common, type: "category" as const, data: names, axisLabel, read };
}

export function drawContour(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  const [vertical, value] = spec.y;
  if (vertical === undefined || value === undefined)
    return nothing("A contour needs two Y columns");
  const items = withNumbers(frame.items, [spec.x, vertical, value], spec).filter(
    (item) =>
      isDrawn(numberOf(item.cells[spec.x]), spec.xScale) &&
      isDrawn(numberOf(item.cells[vertical]), spec.yScale),
  );
  if (items.length < 3) return nothing("A contour needs three rows with numbers");
  const points = items.map((item) =>
    [spec.x, vertical, value].map((id) => numberOf(item.cells[id])),
  );
  const cells = interpolate(
    points as [number, number, number][],
    spec.xScale === "log",
    spec.yScale === "log",
  );
  const values = points.map((point) => point[2] ?? 0);
  const low = Math.min(...values);
  const high = Math.max(...values);
  const level = (z: number): string =>
    RAMP[Math.min(RAMP.length - 1, Math.floor(((z - low) / (high - low || 1)) * RAMP.length))] ??
    RAMP[0];
  return {
    option: {
      ...base(look),
      grid: { ...gridOf(true), right: 24 },
      xAxis: valueAxis(spec, "x", look, xName(spec)),
      yAxis: valueAxis(spec, "y", look, titleOfId(vertical)),
      tooltip: {
        ...tooltipOf(look, "item"),
        formatter: (given: unknown) => {
          const { name, value: place } = given as { name?: string; value?: readonly number[] };
          const [x, y, z] = place ?? [];
          return `<b>${safe(name ?? "")}</b><br>${shortNumber(x ?? NaN)}, ${shortNumber(y ?? NaN)}<br>${safe(titleOfId(value))}: <b>${shortNumber(z ?? NaN)}</b>`;
        },
      },
      series: [
        {
          type: "custom",
          silent: true,
          clip: true,
          tooltip: { show: false },
          renderItem: cellOf(cells, level),
          data: cells.map((cell) => [cell[0], cell[2]]),
          z: 1,
        },
        {
          type: "scatter",
          symbolSize: 9,
          z: 3,
          data: items.map((item, n) => ({
            id: item.key,
            name: item.label,
            value: points[n] ?? [],
            itemStyle: { color: level(values[n] ?? 0), borderColor: look.text, borderWidth: 1 },
          })),
        },
      ],
    },
    legend: [],
    isEmpty: false,
    zoomsX: true,
    zoomsY: true,
    summary: `Contours of ${titleOfId(value)} from ${shortNumber(low)} to ${shortNumber(high)}, ${items.length} points`,
  };
}

/** From x, to x, from y, to y, value. */
type Tile = readonly [number, number, number, number, number];

/** A field of tiles over the points' rectangle: inverse squared distances, on the axes' scales. */
export function interpolate(
  points: readonly (readonly [number, number, number])[],
  xLog: boolean,
  yLog: boolean,
): Tile[] {
  const into = (value: number, log: boolean): number => (log ? Math.log10(value) : value);
  const out = (value: number, log: boolean): number => (log ? 10 ** value : value);
  const xs = points.map((point) => into(point[0], xLog));
  const ys = points.map((point) => into(point[1], yLog));
  const [x0, x1, y0, y1] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const [width, height] = [x1 - x0 || 1, y1 - y0 || 1];
  const tiles: Tile[] = [];
  for (let row = 0; row < CELLS; row += 1) {
    for (let column = 0; column < CELLS; column += 1) {
      const u = (column + 0.5) / CELLS;
      const v = (row + 0.5) / CELLS;
      let sum = 0;
      let weights = 0;
      points.forEach((point, n) => {
        const du = ((xs[n] ?? 0) - x0) / width - u;
        const dv = ((ys[n] ?? 0) - y0) / height - v;
        const weight = 1 / (du * du + dv * dv + 1e-6) ** 1.5;
        sum += point[2] * weight;
        weights += weight;
      });
      const edge = (n: number, from: number, size: number, log: boolean) =>
        out(from + (n / CELLS) * size, log);
      tiles.push([
        edge(column, x0, width, xLog),
        edge(column + 1, x0, width, xLog),
        edge(row, y0, height, yLog),
        edge(row + 1, y0, height, yLog),
        sum / weights,
      ]);
    }
  }
  return tiles;
}

function cellOf(tiles: readonly Tile[], level: (z: number) => string): CustomSeriesRenderItem {
  return (params, api) => {
    const tile = tiles[params.dataIndex];
    if (tile === undefined) return null;
    const [left, bottom] = api.coord([tile[0], tile[2]]).map(Math.round);
    const [right, top] = api.coord([tile[1], tile[3]]).map(Math.round);
    if (left === undefined || right === undefined || top === undefined || bottom === undefined) {
      return null;
    }
    // Edges fall on whole pixels, so that neighbours neither overlap nor leave a seam.
    return {
      type: "rect",
      shape: { x: left, y: top, width: right - left, height: bottom - top },
      style: { fill: level(tile[4]), opacity: 0.55 },
    };
  };
}
