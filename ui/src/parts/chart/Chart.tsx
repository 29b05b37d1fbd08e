/**
 * Draws one chart on a canvas, with its legend, and hears what is done on it.
 *
 * Dragging over it zooms (`onZoom` gets the stretch), a double click shows everything again;
 * plus, minus, arrows and 0 do the same by keyboard. Pointing at a row is told to all charts and
 * the table. Legend: a click switches one off, a double click leaves only it.
 */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import type { ECharts } from "echarts/core";
import {
  type KeyboardEvent,
  type PointerEvent,
  type RefObject,
  useEffect,
  useRef,
  useState,
} from "react";
import { init } from "./echarts.ts";
import { hoveredKey, onHovered, setHovered } from "./hover.ts";
import type { Drawing, LegendEntry, Look } from "./options/drawing.ts";
import { colourOf } from "./options/drawing.ts";

const DRAG_MIN = 6;
const LEGEND_MAX = 60;

const useStyles = makeStyles({
  chart: { display: "flex", flexDirection: "column", flexGrow: 1, minHeight: 0, minWidth: 0 },
  top: { flexDirection: "column-reverse" },
  canvas: {
    position: "relative",
    flexGrow: 1,
    minHeight: 0,
    minWidth: 0,
    // Otherwise a phone scrolls instead of zooming; two fingers still do.
    touchAction: "pan-y",
    ":focus-visible": { outline: `2px solid ${tokens.colorStrokeFocus2}` },
  },
  drawn: { position: "absolute", inset: 0 },
  zoom: {
    position: "absolute",
    pointerEvents: "none",
    border: `1px solid ${tokens.colorBrandStroke1}`,
    backgroundColor: tokens.colorBrandBackground2,
    opacity: 0.5,
  },
  legend: {
    display: "flex",
    flexWrap: "wrap",
    flexShrink: 0,
    maxHeight: "54px",
    overflowY: "auto",
    columnGap: tokens.spacingHorizontalS,
    fontSize: tokens.fontSizeBase200,
  },
  entry: {
    display: "inline-flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    maxWidth: "220px",
    minHeight: "24px",
    padding: `0 ${tokens.spacingHorizontalXS}`,
    border: "none",
    borderRadius: tokens.borderRadiusSmall,
    background: "none",
    color: tokens.colorNeutralForeground2,
    fontFamily: "inherit",
    fontSize: "inherit",
    cursor: "pointer",
    ":hover": { backgroundColor: tokens.colorSubtleBackgroundHover },
  },
  off: { color: tokens.colorNeutralForeground4, textDecorationLine: "line-through" },
  mark: { width: "10px", height: "10px", borderRadius: "2px", flexShrink: 0 },
  name: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
});

export interface Zoom {
  readonly xMin: number | null;
  readonly xMax: number | null;
  readonly yMin: number | null;
  readonly yMax: number | null;
}

export const WHOLE: Zoom = { xMin: null, xMax: null, yMin: null, yMax: null };

export interface ChartProps {
  readonly drawing: Drawing;
  readonly look: Look;
  readonly title: string;
  readonly legend: "top" | "bottom" | "none";
  /** Every entry of the legend, those switched off included. */
  readonly entries: readonly LegendEntry[];
  readonly off: ReadonlySet<string>;
  readonly onOff: (off: readonly string[], isItem: boolean) => void;
  readonly onZoom: (zoom: Zoom) => void;
  readonly onOpen?: ((key: string) => void) | undefined;
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly toX: number;
  readonly toY: number;
}

export function Chart(props: ChartProps) {
  const { drawing, look, title } = props;
  const styles = useStyles();
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<ECharts | null>(null);
  const [drag, setDrag] = useState<Box | null>(null);
  const { onOpen } = props;

  useEffect(() => {
    const element = place.current;
    if (!element) return;
    const made = init(element, undefined, { renderer: "canvas" });
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(element);
    made.on("mouseover", (event) => setHovered(keyOf(event)));
    made.on("globalout", () => setHovered(""));
    made.on("mouseout", () => setHovered(""));
    return () => {
      observer.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, []);
  useEffect(() => {
    const made = chart.current;
    if (!made || !onOpen) return;
    const open = (event: unknown) => {
      const key = keyOf(event);
      if (key !== "") onOpen(key);
    };
    made.on("click", open);
    return () => void made.off("click", open);
  }, [onOpen]);
  useEffect(() => {
    chart.current?.setOption(drawing.option, { notMerge: true, lazyUpdate: true });
  }, [drawing]);
  useLinkedHover(chart, drawing);

  const zoomTo = (box: Box) => {
    const made = chart.current;
    if (!made) return;
    const from = made.convertFromPixel({ gridIndex: 0 }, [
      Math.min(box.x, box.toX),
      Math.max(box.y, box.toY),
    ]);
    const to = made.convertFromPixel({ gridIndex: 0 }, [
      Math.max(box.x, box.toX),
      Math.min(box.y, box.toY),
    ]);
    const isWide = Math.abs(box.toX - box.x) > DRAG_MIN && drawing.zoomsX;
    const isTall = Math.abs(box.toY - box.y) > 4 * DRAG_MIN && drawing.zoomsY;
    const [x0, y0] = from;
    const [x1, y1] = to;
    const zoom = {
      xMin: isWide && x0 !== undefined ? x0 : null,
      xMax: isWide && x1 !== undefined ? x1 : null,
      yMin: isTall && y0 !== undefined ? y0 : null,
      yMax: isTall && y1 !== undefined ? y1 : null,
    };
    if (isWide || isTall) props.onZoom(zoom);
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0 || event.pointerType === "touch") return;
    if (!drawing.zoomsX && !drawing.zoomsY) return;
    const bounds = event.currentTarget.getBoundingClientRect();
    const x = event.clientX - bounds.left;
    const y = event.clientY - bounds.top;
    if (chart.current?.containPixel("grid", [x, y]) !== true) return;
    setDrag({ x, y, toX: x, toY: y });
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent) => {
    if (!drag) return;
    const bounds = event.currentTarget.getBoundingClientRect();
    setDrag({ ...drag, toX: event.clientX - bounds.left, toY: event.clientY - bounds.top });
  };
  const onPointerUp = () => {
    if (drag && (Math.abs(drag.toX - drag.x) > DRAG_MIN || Math.abs(drag.toY - drag.y) > DRAG_MIN))
      zoomTo(drag);
    setDrag(null);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const element = place.current;
    if (!element || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "0") props.onZoom(WHOLE);
    else {
      const step = KEY_ZOOMS[event.key];
      const made = chart.current;
      if (!step || !made || !drawing.zoomsX) return;
      const { clientWidth: width, clientHeight: height } = element;
      const middle = height / 2;
      zoomTo({
        x: 60 + width * step[0],
        toX: width - 20 + width * step[1],
        y: middle,
        toY: middle,
      });
    }
    event.preventDefault();
  };

  // What was off before the first click of a double one, which switches too.
  const before = useRef(props.off);
  const isOn = (entry: LegendEntry) => !props.off.has(entry.key);
  const isAlone = (entry: LegendEntry, off: ReadonlySet<string>) =>
    props.entries.every((each) => off.has(each.key) === (each.key !== entry.key));
  const isolate = (entry: LegendEntry) => {
    const others = props.entries.filter((each) => each.key !== entry.key).map(({ key }) => key);
    props.onOff(isAlone(entry, before.current) ? [] : others, entry.isItem);
  };
  const toggle = (entry: LegendEntry) => {
    before.current = props.off;
    // A chart of nothing is of no use.
    if (isAlone(entry, props.off)) return;
    const off = [...props.off].filter((key) => key !== entry.key);
    props.onOff(isOn(entry) ? [...off, entry.key] : off, entry.isItem);
  };
  return (
    <div className={mergeClasses(styles.chart, props.legend === "top" && styles.top)}>
      <div
        className={styles.canvas}
        role="img"
        aria-label={`${title}. ${drawing.summary}`}
        tabIndex={0}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={onPointerUp}
        onPointerCancel={() => setDrag(null)}
        onDoubleClick={() => props.onZoom(WHOLE)}
        onKeyDown={onKeyDown}
      >
        <div ref={place} className={styles.drawn} aria-hidden />
        {drag && (
          <div
            className={styles.zoom}
            style={{
              left: Math.min(drag.x, drag.toX),
              top: drawing.zoomsY ? Math.min(drag.y, drag.toY) : 0,
              width: Math.abs(drag.toX - drag.x),
              height: drawing.zoomsY ? Math.abs(drag.toY - drag.y) : "100%",
            }}
          />
        )}
      </div>
      {props.legend !== "none" && props.entries.length > 1 && (
        <div className={styles.legend} role="group" aria-label={`Legend of ${title}`}>
          {props.entries.slice(0, LEGEND_MAX).map((entry) => (
            <button
              key={entry.key}
              type="button"
              aria-pressed={isOn(entry)}
              title={`${entry.name}\nClick switches it, a double click leaves only it`}
              className={mergeClasses(styles.entry, !isOn(entry) && styles.off)}
              onClick={(event) => {
                if (event.detail > 1) isolate(entry);
                else toggle(entry);
              }}
              onPointerEnter={() => setHovered(entry.isItem ? entry.key : "")}
              onPointerLeave={() => setHovered("")}
            >
              <span
                className={styles.mark}
                style={{ backgroundColor: colourOf(entry.slot, look) }}
              />
              <span className={styles.name}>{entry.name}</span>
            </button>
          ))}
          {props.entries.length > LEGEND_MAX && (
            <span>+{props.entries.length - LEGEND_MAX} more</span>
          )}
        </div>
      )}
    </div>
  );
}

/** Parts of the width by which keys move the left and right ends. */
const KEY_ZOOMS: Readonly<Record<string, readonly [number, number]>> = {
  "+": [0.15, -0.15],
  "=": [0.15, -0.15],
  "-": [-0.3, 0.3],
  ArrowLeft: [-0.2, -0.2],
  ArrowRight: [0.2, 0.2],
};

/** The item that an event of a chart is about; empty for none. */
function keyOf(event: unknown): string {
  const { data, seriesId, seriesType } = event as {
    data?: { id?: string };
    seriesId?: string;
    seriesType?: string;
  };
  if (typeof data?.id === "string") return data.id.split("\n")[0] ?? "";
  return seriesType === "line" ? (seriesId?.split("\n")[0] ?? "") : "";
}

/** Emphasises what is pointed at elsewhere; what a new drawing lacks dims nothing in it. */
function useLinkedHover(chart: RefObject<ECharts | null>, drawing: Drawing) {
  useEffect(() => {
    let shown: object[] = [];
    const point = (key: string) => {
      for (const target of shown) chart.current?.dispatchAction({ type: "downplay", ...target });
      shown = key === "" ? [] : targetsOf(drawing, key);
      for (const target of shown) chart.current?.dispatchAction({ type: "highlight", ...target });
    };
    const leave = onHovered(() => point(hoveredKey()));
    return () => {
      leave();
      point("");
    };
  }, [chart, drawing]);
}

function targetsOf(drawing: Drawing, key: string): object[] {
  const { series } = drawing.option;
  const list = Array.isArray(series) ? series : series ? [series] : [];
  return list.flatMap((each, seriesIndex) => {
    if (each.type === "line") {
      return typeof each.id === "string" && each.id.startsWith(`${key}\n`) ? [{ seriesIndex }] : [];
    }
    const data: unknown = each.data;
    if (!Array.isArray(data)) return [];
    const dataIndex = data.flatMap((point, n) => {
      const { id } = (point ?? {}) as { id?: unknown };
      return typeof id === "string" && id.split("\n")[0] === key ? [n] : [];
    });
    return dataIndex.length === 0 ? [] : [{ seriesIndex, dataIndex }];
  });
}
