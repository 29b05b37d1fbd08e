/** A spec and a frame as a drawing, whatever the type. */
import type { Frame } from "../frame.ts";
import type { ChartSpec } from "../spec.ts";
import { drawBar } from "./bar.ts";
import type { Drawing, Look } from "./drawing.ts";
import { nothing } from "./drawing.ts";
import { drawLine } from "./line.ts";
import { drawScatter } from "./scatter.ts";
import { drawBox, drawHistogram } from "./spread.ts";
import { drawContour, drawParallel } from "./surface.ts";

const DRAW: Readonly<
  Record<ChartSpec["type"], (spec: ChartSpec, frame: Frame, look: Look) => Drawing>
> = {
  bar: drawBar,
  line: drawLine,
  scatter: drawScatter,
  box: drawBox,
  histogram: drawHistogram,
  parallel: drawParallel,
  contour: drawContour,
};

export function draw(spec: ChartSpec, frame: Frame, look: Look): Drawing {
  return spec.y.length === 0 ? nothing("Choose what to draw") : DRAW[spec.type](spec, frame, look);
}
