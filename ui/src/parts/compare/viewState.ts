/**
 * What a list of rows shows, and how that stands in an address.
 *
 * Always holds: `readView(writeView(state))` is `state`; what is as usual is not written, so an
 * untouched list has a plain address; whatever an address holds, reading it gives a whole state.
 * Leaves to others: history (the router), keeping views on the server (`SavedViews`).
 */
import type { Search } from "@/lib/search.ts";
import { decode, encode, type Json, packKeys, unpackKeys } from "@/lib/urlState.ts";
import type { Zoom } from "../chart/Chart.tsx";
import { type ChartSpec, CHARTS_MAX, restore, shorten } from "../chart/spec.ts";
import { type Layout, NOTHING_CHOSEN } from "../table/columns.ts";
import type { Order } from "../table/orders.ts";
import { USUAL_SHARE } from "./Splitter.tsx";

export const PANES = ["charts", "differences", "files"] as const;
export type Pane = (typeof PANES)[number];

export interface ViewState {
  readonly filter: string;
  readonly orders: readonly Order[];
  readonly layout: Layout;
  readonly selection: readonly string[];
  /** Selected rows that no chart draws. */
  readonly hidden: readonly string[];
  /** Null for the charts that a selection opens with. */
  readonly charts: readonly ChartSpec[] | null;
  readonly zooms: Readonly<Record<string, Zoom>>;
  readonly pane: Pane;
  /** The comparison's part of the height. */
  readonly share: number;
  /** The row that others are compared with; empty for the first. */
  readonly baseline: string;
  /** Whether rows that are equal are shown too. */
  readonly withEqual: boolean;
}

export const NOTHING_SHOWN: ViewState = {
  filter: "",
  orders: [],
  layout: NOTHING_CHOSEN,
  selection: [],
  hidden: [],
  charts: null,
  zooms: {},
  pane: "charts",
  share: USUAL_SHARE,
  baseline: "",
  withEqual: false,
};

/** The names in an address that hold a view; a screen may have others. */
export const NAMES = [
  "filter",
  "sort",
  "columns",
  "rows",
  "hidden",
  "charts",
  "zoom",
  "pane",
  "share",
  "baseline",
  "equal",
] as const;
const ENDS = ["xMin", "xMax", "yMin", "yMax"] as const;

export function writeView(state: ViewState): Search {
  const made: Search = {};
  const put = (name: (typeof NAMES)[number], text: string) => {
    if (text !== "") made[name] = text;
  };
  put("filter", state.filter);
  put(
    "sort",
    state.orders.map((order) => `${order.falling ? "-" : ""}${encode(order.id)}`).join(","),
  );
  const layout = shortLayout(state.layout);
  put("columns", Object.keys(layout).length > 0 ? encode(layout) : "");
  put("rows", packKeys(state.selection));
  put("hidden", packKeys(state.hidden));
  put(
    "charts",
    state.charts === null ? "" : encode(state.charts.map((chart) => shorten(chart) as Json)),
  );
  const zooms = Object.entries(state.zooms).map(
    ([id, zoom]) => [id, ENDS.map((end) => zoom[end])] as const,
  );
  put("zoom", zooms.length > 0 ? encode(Object.fromEntries(zooms)) : "");
  put("pane", state.pane === "charts" ? "" : state.pane);
  put("share", state.share === USUAL_SHARE ? "" : String(state.share));
  put("baseline", state.baseline);
  put("equal", state.withEqual ? "1" : "");
  return made;
}

function shortLayout(layout: Layout): Record<string, Json> {
  return {
    ...(layout.shown !== null && { shown: layout.shown }),
    ...(layout.hidden.length > 0 && { hidden: layout.hidden }),
    ...(layout.pinned.length > 0 && { pinned: layout.pinned }),
    ...(Object.keys(layout.widths).length > 0 && { widths: layout.widths }),
    ...(layout.hideConstant && { constant: true }),
  };
}

export function readView(search: Search): ViewState {
  const charts = decode(search["charts"] ?? "");
  // An empty text is a missing one; as a number it would be 0, a closed comparison.
  const given = search["share"] ?? "";
  const share = given === "" ? USUAL_SHARE : Number(given);
  return {
    filter: search["filter"] ?? "",
    orders: readOrders(search["sort"] ?? ""),
    layout: readLayout(decode(search["columns"] ?? "")),
    selection: unpackKeys(search["rows"] ?? ""),
    hidden: unpackKeys(search["hidden"] ?? ""),
    charts: Array.isArray(charts) ? readCharts(charts) : null,
    zooms: readZooms(decode(search["zoom"] ?? "")),
    pane: PANES.find((pane) => pane === search["pane"]) ?? "charts",
    share: share >= 0 && share <= 1 ? share : USUAL_SHARE,
    baseline: search["baseline"] ?? "",
    withEqual: search["equal"] === "1",
  };
}

function readOrders(text: string): Order[] {
  const listed = decode(`!(${text.replaceAll(/(^|,)-/g, "$1'-',")})`);
  const orders: Order[] = [];
  let falling = false;
  for (const part of Array.isArray(listed) ? (listed as readonly Json[]) : []) {
    if (part === "-") falling = true;
    else {
      if (typeof part === "string") orders.push({ id: part, falling });
      falling = false;
    }
  }
  return orders;
}

function readCharts(given: readonly unknown[]): ChartSpec[] {
  return given
    .map(restore)
    .filter((chart) => chart !== null)
    .slice(0, CHARTS_MAX);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

function readLayout(given: unknown): Layout {
  if (!isRecord(given)) return NOTHING_CHOSEN;
  const widths = isRecord(given["widths"]) ? Object.entries(given["widths"]) : [];
  return {
    shown: Array.isArray(given["shown"]) ? texts(given["shown"]) : null,
    hidden: texts(given["hidden"]),
    pinned: texts(given["pinned"]),
    widths: Object.fromEntries(
      widths.filter((each): each is [string, number] => typeof each[1] === "number"),
    ),
    hideConstant: given["constant"] === true,
  };
}

function readZooms(given: unknown): Record<string, Zoom> {
  if (!isRecord(given)) return {};
  const zooms = Object.entries(given).map(([id, ends]): [string, Zoom] => {
    const end = (n: number) => {
      const value: unknown = Array.isArray(ends) ? ends[n] : null;
      return typeof value === "number" ? value : null;
    };
    return [id, { xMin: end(0), xMax: end(1), yMin: end(2), yMax: end(3) }];
  });
  return Object.fromEntries(zooms);
}
