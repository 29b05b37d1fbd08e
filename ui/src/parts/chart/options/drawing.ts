/**
 * What all drawings share: the look, the axes, and the shape of an answer.
 *
 * Always holds: a drawing is a pure function of a spec, a frame and a look; `keys` of its data are
 * items' keys, by which hovering is linked.
 */
import type { EChartsOption } from "echarts";
import { axisNumber } from "@/lib/format.ts";
import { durationText } from "../../table/cellText.ts";
import { colourOfSlot } from "../palette.ts";
import { axisTitle, type ChartSpec, type Scale } from "../spec.ts";

/** How wide a character of a label is about, in pixels, and what a label aslant needs beside it. */
const CHARACTER = 6.5;
const ASLANT_FROM = 16;

/** Colours and sizes of the theme, read from the page, since a canvas knows no CSS. */
export interface Look {
  readonly isDark: boolean;
  readonly text: string;
  readonly faint: string;
  readonly line: string;
  readonly ground: string;
  readonly font: string;
  readonly width: number;
}

export interface LegendEntry {
  /** What is switched: an item's key or a series' name. */
  readonly key: string;
  readonly name: string;
  readonly slot: number;
  readonly isItem: boolean;
}

export interface Drawing {
  readonly option: EChartsOption;
  readonly legend: readonly LegendEntry[];
  /** Whether there is nothing to draw. */
  readonly isEmpty: boolean;
  /** Whether dragging zooms along each axis. */
  readonly zoomsX: boolean;
  readonly zoomsY: boolean;
  /** What a screen reader is told. */
  readonly summary: string;
}

const INFINITE = 1.797e308;

export function isDrawn(value: number, scale: Scale): boolean {
  return Number.isFinite(value) && Math.abs(value) < INFINITE && (scale === "linear" || value > 0);
}

export function nothing(summary = "No data"): Drawing {
  return { option: {}, legend: [], isEmpty: true, zoomsX: false, zoomsY: false, summary };
}

/** A drawing without what the legend has switched off: series, or lines of a crowd, by name. */
export function without(drawing: Drawing, names: ReadonlySet<string>): Drawing {
  const { series } = drawing.option;
  if (!Array.isArray(series)) return drawing;
  const left = series
    .filter((each) => !names.has(String(each.name)))
    .map((each) => {
      if (each.type !== "custom" || !Array.isArray(each.data)) return each;
      const data = each.data.filter((datum) => !names.has((datum as { name: string }).name));
      return { ...each, data };
    });
  return { ...drawing, option: { ...drawing.option, series: left } };
}

/** The colour of the n-th of several series that are no items. */
export function colourOf(slot: number, look: Look): string {
  return colourOfSlot(slot, look.isDark);
}

function bounds(low: number | null, high: number | null, scale: Scale) {
  const fits = (end: number | null): end is number =>
    end !== null && (scale === "linear" || end > 0);
  return { ...(fits(low) && { min: low }), ...(fits(high) && { max: high }) };
}

const words = (look: Look) => ({ color: look.faint, fontFamily: look.font, fontSize: 12 });

/** An axis of numbers, or of times. */
export function valueAxis(spec: ChartSpec, side: "x" | "y", look: Look, name: string) {
  const isX = side === "x";
  const scale = isX ? spec.xScale : spec.yScale;
  const isTime = isX && (spec.x === "time" || /(?:_ms|_time)$/.test(spec.x));
  const ends = isX ? bounds(spec.xMin, spec.xMax, scale) : bounds(spec.yMin, spec.yMax, scale);
  return {
    ...ends,
    type: isTime ? ("time" as const) : scale === "log" ? ("log" as const) : ("value" as const),
    scale: true,
    name: isX || look.width > 320 ? name : "",
    nameLocation: isX ? ("middle" as const) : ("end" as const),
    nameGap: isX ? 26 : 8,
    nameTextStyle: {
      ...words(look),
      ...(!isX && { align: "left" as const }),
      width: 240,
      overflow: "truncate" as const,
    },
    axisLine: { show: isX, lineStyle: { color: look.line } },
    axisTick: { show: false },
    splitNumber: look.width < 420 ? 3 : 5,
    axisLabel: {
      ...words(look),
      hideOverlap: true,
      ...(isTime ? {} : { formatter: axisText(isX ? spec.x : "") }),
    },
    splitLine: { show: !isX, lineStyle: { color: look.line, opacity: 0.6 } },
  };
}

function axisText(x: string): (value: number) => string {
  return x === "relative" ? (value) => durationText(value * 1000) : axisNumber;
}

/** Names that are wider than their places stand aslant, while there are few enough to read. */
export function categoryAxis(names: readonly string[], look: Look, name = "") {
  const most = names.length > 0 ? Math.max(40, (look.width - 80) / names.length) : 80;
  const longest = names.reduce((length, each) => Math.max(length, each.length), 0);
  const isAslant = longest * CHARACTER > most && (look.width - 80) / names.length > ASLANT_FROM;
  return {
    type: "category" as const,
    data: [...names],
    name,
    nameLocation: "middle" as const,
    nameGap: isAslant ? 72 : 26,
    nameTextStyle: words(look),
    axisLine: { lineStyle: { color: look.line } },
    axisTick: { show: false },
    axisLabel: {
      ...words(look),
      hideOverlap: true,
      width: isAslant ? 96 : Math.min(140, most),
      overflow: "truncate" as const,
      ...(isAslant && { rotate: 32, interval: 0 }),
    },
  };
}

export function gridOf(hasXName: boolean) {
  return { left: 12, right: 20, top: 30, bottom: hasXName ? 26 : 6, containLabel: true };
}

export function tooltipOf(look: Look, trigger: "item" | "axis") {
  return {
    trigger,
    confine: true,
    backgroundColor: look.ground,
    borderColor: look.line,
    textStyle: { color: look.text, fontFamily: look.font, fontSize: 12 },
    transitionDuration: 0,
    axisPointer: {
      type: "line" as const,
      lineStyle: { color: look.faint, type: "dashed" as const },
    },
  };
}

/** Text as it may stand in a tooltip's markup. */
export function safe(text: string): string {
  const marks: Record<string, string> = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&#39;",
  };
  const short = text.length > 80 ? `${text.slice(0, 79)}…` : text;
  return short.replace(/[&<>"']/g, (mark) => marks[mark] ?? mark);
}

/** What all charts set alike. */
export function base(look: Look): EChartsOption {
  return {
    animation: false,
    backgroundColor: "transparent",
    textStyle: { fontFamily: look.font, color: look.text },
    aria: { enabled: false },
  };
}

export function xName(spec: ChartSpec): string {
  return axisTitle(spec.x);
}
