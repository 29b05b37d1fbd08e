/** What the charts of a link are drawn from, asked for while the page is still being put together. */
import type { QueryClient } from "@tanstack/react-query";
import { readSearch } from "@/lib/search.ts";
import { askAhead } from "../chart/useFrame.ts";
import type { TableSource } from "../table/source.ts";
import { readView } from "./viewState.ts";

/** As many charts as are in sight at first. */
export const CHARTS_AHEAD = 6;

/** `search` is what stands behind the question mark of a list's address. */
export function askForCharts(queries: QueryClient, source: TableSource, search: string): void {
  const { selection, hidden, charts, pane, share, zooms } = readView(readSearch(search));
  if (selection.length === 0 || pane !== "charts" || share === 0 || charts === null) return;
  const rows = { source, keys: selection, hidden: new Set(hidden) };
  for (const spec of charts.slice(0, CHARTS_AHEAD)) {
    // A zoomed one asks for a stretch of its own; what fails is asked for again, and said, by the chart.
    if (zooms[spec.id] === undefined) void askAhead(queries, rows, spec).catch(() => undefined);
  }
}
