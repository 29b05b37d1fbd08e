/** The curve of one metric of one run: zoomed by dragging, enlarged, saved. */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  makeStyles,
  Skeleton,
  SkeletonItem,
  Text,
  tokens,
  Tooltip,
} from "@fluentui/react-components";
import { ZoomFitRegular } from "@fluentui/react-icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { shortNumber } from "@/lib/format.ts";
import { Chart, WHOLE, type Zoom } from "@/parts/chart/Chart.tsx";
import { ChartMenu } from "@/parts/chart/ChartMenu.tsx";
import type { Frame } from "@/parts/chart/frame.ts";
import type { Series } from "@/parts/table/source.ts";
import { draw } from "@/parts/chart/options/draw.ts";
import { type ChartSpec, type Course, USUAL } from "@/parts/chart/spec.ts";
import { useLook } from "@/parts/chart/useLook.ts";
import { useNear } from "@/parts/chart/useNear.ts";
import { columnId } from "@/parts/table/columns.ts";
import { loadSeries } from "./queries.ts";
import { useRunSeries } from "./useRunSeries.ts";

const ZOOM_BUCKETS = 1000;
const NONE: ReadonlySet<string> = new Set();

/** How every curve of the page is drawn. */
export interface Curve {
  readonly x: Course;
  /** 0 to 1, of an exponential moving average. */
  readonly smoothing: number;
  readonly isLog: boolean;
}

const useStyles = makeStyles({
  card: {
    display: "flex",
    flexDirection: "column",
    minWidth: 0,
    height: "260px",
    boxSizing: "border-box",
    padding: tokens.spacingHorizontalS,
    backgroundColor: tokens.colorNeutralBackground1,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusLarge,
  },
  head: { display: "flex", alignItems: "center", gap: tokens.spacingHorizontalXXS },
  title: {
    flexGrow: 1,
    minWidth: 0,
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    paddingInline: tokens.spacingHorizontalXS,
  },
  value: {
    flexShrink: 0,
    fontVariantNumeric: "tabular-nums",
    color: tokens.colorNeutralForeground2,
  },
  body: { display: "flex", flexGrow: 1, minHeight: 0, minWidth: 0 },
  bars: { width: "100%", height: "100%" },
  state: { margin: "auto", color: tokens.colorNeutralForeground3 },
  large: { width: "min(1400px, 96vw)", maxWidth: "none" },
  enlarged: { display: "flex", height: "min(70dvh, 800px)" },
});

export interface MetricChartProps {
  readonly workspace: string;
  readonly run: string;
  readonly runName: string;
  readonly metric: string;
  readonly curve: Curve;
}

export function MetricChart(props: MetricChartProps) {
  const { metric } = props;
  const styles = useStyles();
  const card = useRef<HTMLDivElement>(null);
  const isNear = useNear(card);
  const [isLarge, setLarge] = useState(false);
  return (
    <div ref={card} className={styles.card} role="group" aria-label={metric} data-metric={metric}>
      {isNear ? (
        <Drawn {...props} onEnlarge={() => setLarge(true)} />
      ) : (
        <Text weight="semibold" className={styles.title}>
          {metric}
        </Text>
      )}
      {isLarge && (
        <Dialog open onOpenChange={() => setLarge(false)}>
          <DialogSurface className={styles.large}>
            <DialogBody>
              <DialogTitle>{props.runName}</DialogTitle>
              <DialogContent>
                <div className={styles.enlarged}>
                  <div className={styles.bars} style={{ display: "flex", flexDirection: "column" }}>
                    <Drawn {...props} />
                  </div>
                </div>
              </DialogContent>
              <DialogActions>
                <Button onClick={() => setLarge(false)}>Close</Button>
              </DialogActions>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </div>
  );
}

function Drawn(props: MetricChartProps & { readonly onEnlarge?: () => void }) {
  const { workspace, run, runName, metric, curve, onEnlarge } = props;
  const styles = useStyles();
  const body = useRef<HTMLDivElement>(null);
  const look = useLook(body);
  const [zoom, setZoom] = useState<Zoom>(WHOLE);
  const isZoomed = zoom !== WHOLE;
  const [whole] = useRunSeries(workspace, run, [metric]);
  const fine = useZoomed(props, zoom, whole);
  const series = (isZoomed ? fine : undefined) ?? whole;
  const spec = useMemo<ChartSpec>(() => {
    const { x, smoothing, isLog } = curve;
    return {
      ...USUAL,
      id: metric,
      title: metric,
      type: "line",
      x,
      y: [columnId("metrics", metric)],
      yScale: isLog ? "log" : "linear",
      smoothing: smoothing > 0 ? "ema" : "none",
      amount: smoothing,
      ...zoom,
    };
  }, [curve, metric, zoom]);
  const frame = useMemo<Frame | null>(() => {
    if (!series) return null;
    const item = { key: run, label: runName, run, slot: 0, cells: {} };
    return { items: [item], series: [series] };
  }, [series, run, runName]);
  const drawing = useMemo(
    () => (frame && look ? draw(spec, frame, look) : null),
    [frame, look, spec],
  );
  const last = whole?.last.at(-1);

  return (
    <>
      <div className={styles.head}>
        <Text weight="semibold" className={styles.title} title={metric} dir="auto">
          {metric}
        </Text>
        {last !== undefined && (
          <Text size={200} className={styles.value} title={String(last)}>
            {shortNumber(last)}
          </Text>
        )}
        {isZoomed && (
          <Tooltip content={`Show all of ${metric}`} relationship="label">
            <Button
              size="small"
              appearance="subtle"
              icon={<ZoomFitRegular />}
              onClick={() => setZoom(WHOLE)}
            />
          </Tooltip>
        )}
        <ChartMenu
          title={metric}
          spec={spec}
          frame={frame}
          drawing={drawing}
          look={look}
          onEnlarge={onEnlarge}
        />
      </div>
      <div ref={body} className={styles.body}>
        {whole === null || drawing?.isEmpty ? (
          <Text className={styles.state}>
            {curve.isLog ? "Nothing that a logarithmic axis can show" : "No points"}
          </Text>
        ) : drawing && look ? (
          <Chart
            drawing={drawing}
            look={look}
            title={metric}
            legend="none"
            entries={[]}
            off={NONE}
            onOff={() => undefined}
            onZoom={(next) =>
              setZoom(Object.values(next).some((end) => end !== null) ? next : WHOLE)
            }
          />
        ) : (
          <Skeleton className={styles.bars} aria-label="Loading">
            <SkeletonItem className={styles.bars} />
          </Skeleton>
        )}
      </div>
    </>
  );
}

/** The stretch that a drag chose, more finely; undefined while nothing finer is known. */
function useZoomed(
  { workspace, run, metric, curve }: MetricChartProps,
  zoom: Zoom,
  whole: Series | null | undefined,
): Series | undefined {
  const { xMin, xMax } = zoom;
  const scale = curve.x === "relative" ? 1000 : 1;
  const start = xMin === null ? null : Math.floor(xMin * scale);
  const end = xMax === null ? null : Math.ceil(xMax * scale);
  const found = useQuery({
    queryKey: ["ws", workspace, "run", run, "stretch", metric, curve.x, start, end],
    queryFn: ({ signal }) => {
      const body = { runs: [run], keys: [metric], x: curve.x, start, end, buckets: ZOOM_BUCKETS };
      return loadSeries(workspace, body, signal);
    },
    // What came whole is as fine as it gets.
    enabled: (start !== null || end !== null) && whole !== undefined && whole?.whole === false,
    placeholderData: keepPreviousData,
  });
  return found.data?.[0];
}
