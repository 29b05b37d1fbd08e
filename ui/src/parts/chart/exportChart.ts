/** A chart as a file: picture (PNG, SVG) with its title and legend, or its numbers (CSV). */
import { csvText } from "../table/cellText.ts";
import { columnOf } from "../table/columns.ts";
import type { Cell } from "../table/source.ts";
import { init } from "./echarts.ts";
import type { Frame } from "./frame.ts";
import { makeLines } from "./lines.ts";
import type { Drawing, Look } from "./options/drawing.ts";
import { axisTitle, type ChartSpec, columnsOf } from "./spec.ts";

const SIZE = { width: 960, height: 540 };

/** The picture's address as data, with the look's ground behind it. */
export function pictureOf(drawing: Drawing, title: string, look: Look, kind: "png" | "svg"): Blob {
  const place = document.createElement("div");
  const chart = init(place, undefined, { renderer: kind === "svg" ? "svg" : "canvas", ...SIZE });
  const words = { color: look.text, fontFamily: look.font };
  const hasLegend = drawing.legend.length > 1 && drawing.legend.length <= 40;
  chart.setOption({
    ...drawing.option,
    backgroundColor: look.ground,
    title: { text: title, left: 16, top: 10, textStyle: { ...words, fontSize: 16 } },
    ...(hasLegend && {
      legend: {
        bottom: 8,
        type: "scroll",
        textStyle: words,
        data: drawing.legend.map((each) => each.name),
      },
    }),
    ...(drawing.option.grid && {
      grid: { left: 24, right: 32, top: 72, bottom: hasLegend ? 72 : 40, containLabel: true },
    }),
  });
  const address =
    kind === "svg"
      ? chart.getDataURL({ type: "svg" })
      : chart.getDataURL({ type: "png", pixelRatio: 2, backgroundColor: look.ground });
  chart.dispose();
  return blobOf(address);
}

function blobOf(address: string): Blob {
  const comma = address.indexOf(",");
  const head = address.slice(5, comma);
  const body = address.slice(comma + 1);
  const type = head.split(";")[0] ?? "";
  if (!head.endsWith("base64")) return new Blob([decodeURIComponent(body)], { type });
  return new Blob([Uint8Array.from(atob(body), (mark) => mark.charCodeAt(0))], { type });
}

/** The numbers behind a chart: points of lines, else cells of rows. */
export function numbersOf(spec: ChartSpec, frame: Frame): string {
  if (spec.type === "line") {
    const rows = makeLines(spec, frame).flatMap((line) =>
      line.points.map(([x, y], n): Cell[] => [
        line.name,
        x,
        y,
        line.low[n] ?? null,
        line.high[n] ?? null,
      ]),
    );
    const ids = ["line", axisTitle(spec.x), "value", "low", "high"];
    return csvText(
      ids.map((id, n) => ({ id, kind: n === 0 ? "text" : "number" })),
      rows,
    );
  }
  const ids = columnsOf(spec);
  const columns = ids.map((id) => columnOf(id, new Map()));
  return csvText(
    [{ id: "key", kind: "text" }, { id: "name", kind: "text" }, ...columns],
    frame.items.map((item) => [item.key, item.label, ...ids.map((id) => item.cells[id] ?? null)]),
  );
}
