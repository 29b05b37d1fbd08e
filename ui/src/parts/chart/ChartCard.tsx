/** A chart in its frame: title, pencil, menu; it fetches only while it can be seen. */
import {
  Button,
  makeStyles,
  MenuItem,
  mergeClasses,
  ProgressBar,
  Skeleton,
  SkeletonItem,
  Text,
  tokens,
  Tooltip,
} from "@fluentui/react-components";
import {
  ArrowLeftRegular,
  ArrowRightRegular,
  DeleteRegular,
  EditRegular,
  ZoomFitRegular,
} from "@fluentui/react-icons";
import { useMemo, useRef, useState } from "react";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Chart, WHOLE, type Zoom } from "./Chart.tsx";
import { ChartMenu } from "./ChartMenu.tsx";
import { draw } from "./options/draw.ts";
import { type LegendEntry, without } from "./options/drawing.ts";
import { type ChartSpec, titleOf } from "./spec.ts";
import { type Rows, useFrame } from "./useFrame.ts";
import { useLook } from "./useLook.ts";
import { useNear } from "./useNear.ts";

const useStyles = makeStyles({
  card: {
    display: "flex",
    flexDirection: "column",
    minWidth: 0,
    minHeight: 0,
    height: "280px",
    boxSizing: "border-box",
    padding: tokens.spacingHorizontalS,
    gap: tokens.spacingVerticalXS,
    backgroundColor: tokens.colorNeutralBackground1,
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusLarge,
  },
  tall: { height: "100%", border: "none" },
  over: { boxShadow: `inset 3px 0 0 ${tokens.colorBrandStroke1}` },
  head: { display: "flex", alignItems: "center", gap: tokens.spacingHorizontalXXS, flexShrink: 0 },
  title: {
    flexGrow: 1,
    minWidth: 0,
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
    cursor: "grab",
    paddingInline: tokens.spacingHorizontalXS,
  },
  body: { position: "relative", display: "flex", flexGrow: 1, minHeight: 0, minWidth: 0 },
  state: {
    margin: "auto",
    padding: tokens.spacingHorizontalL,
    textAlign: "center",
    color: tokens.colorNeutralForeground3,
    overflow: "auto",
    maxHeight: "100%",
  },
  bars: { width: "100%", height: "100%" },
  progress: { position: "absolute", top: 0, left: 0, right: 0 },
});

export interface ChartCardProps {
  readonly rows: Rows;
  readonly spec: ChartSpec;
  readonly zoom: Zoom | undefined;
  readonly isEnlarged?: boolean;
  readonly onZoom: (zoom: Zoom) => void;
  /** Which rows no chart draws. */
  readonly onHidden: (keys: readonly string[]) => void;
  readonly onEdit: () => void;
  readonly onEnlarge?: (() => void) | undefined;
  readonly onRemove?: (() => void) | undefined;
  /** Move it so many places. */
  readonly onMove?: ((by: 1 | -1) => void) | undefined;
  readonly onDropChart?: ((id: string) => void) | undefined;
  readonly onOpen?: ((key: string) => void) | undefined;
}

export function ChartCard(props: ChartCardProps) {
  const { rows, spec: own, zoom, isEnlarged = false } = props;
  const styles = useStyles();
  const card = useRef<HTMLDivElement>(null);
  const wasSeen = useNear(card);
  const look = useLook(card);
  const [off, setOff] = useState<readonly string[]>([]);
  const [isOver, setOver] = useState(false);
  const spec = useMemo(() => (zoom ? { ...own, ...withoutNulls(zoom) } : own), [own, zoom]);
  const { frame, all, error, isFetching } = useFrame(rows, spec, wasSeen);
  const title = titleOf(spec);
  const drawing = useMemo(() => {
    if (!frame || !look) return null;
    const made = draw(spec, frame, look);
    return off.length === 0 ? made : without(made, new Set(off));
  }, [frame, look, spec, off]);
  // Entries of hidden rows stay in the legend, in their places: the second click of a double one
  // must meet what the first has switched.
  const entries = useMemo((): readonly LegendEntry[] => {
    const shown = drawing?.legend ?? [];
    if (!shown.some((entry) => entry.isItem) && !(shown.length === 0 && rows.hidden.size > 0))
      return shown;
    const byKey = new Map(shown.map((entry) => [entry.key, entry]));
    const items = all.flatMap(({ key, label, slot }) => {
      const entry = byKey.get(key);
      byKey.delete(key);
      if (entry) return [entry];
      return rows.hidden.has(key) ? [{ key, name: label, slot, isItem: true }] : [];
    });
    return [...items, ...byKey.values()];
  }, [drawing, all, rows.hidden]);
  const offKeys = useMemo(() => new Set([...off, ...rows.hidden]), [off, rows.hidden]);

  return (
    <div
      ref={card}
      className={mergeClasses(styles.card, isEnlarged && styles.tall, isOver && styles.over)}
      role="group"
      aria-label={title}
      data-chart={spec.id}
      onDragOver={(event) => {
        if (!props.onDropChart || !event.dataTransfer.types.includes("text/x-chart")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        setOver(false);
        props.onDropChart?.(event.dataTransfer.getData("text/x-chart"));
      }}
    >
      <div className={styles.head}>
        <Text
          weight="semibold"
          className={styles.title}
          title={title}
          draggable={!isEnlarged}
          onDragStart={(event) => event.dataTransfer.setData("text/x-chart", spec.id)}
        >
          {title}
        </Text>
        {zoom && (
          <Tooltip content="Show everything" relationship="label">
            <Button
              size="small"
              appearance="subtle"
              icon={<ZoomFitRegular />}
              onClick={() => props.onZoom(WHOLE)}
            />
          </Tooltip>
        )}
        <Tooltip content={`Edit ${title}`} relationship="label">
          <Button size="small" appearance="subtle" icon={<EditRegular />} onClick={props.onEdit} />
        </Tooltip>
        <ChartMenu
          title={title}
          spec={spec}
          frame={frame ?? null}
          drawing={drawing}
          look={look}
          onEnlarge={props.onEnlarge}
        >
          {props.onMove && (
            <>
              <MenuItem icon={<ArrowLeftRegular />} onClick={() => props.onMove?.(-1)}>
                Move earlier
              </MenuItem>
              <MenuItem icon={<ArrowRightRegular />} onClick={() => props.onMove?.(1)}>
                Move later
              </MenuItem>
            </>
          )}
          {props.onRemove && (
            <MenuItem icon={<DeleteRegular />} onClick={props.onRemove}>
              Remove
            </MenuItem>
          )}
        </ChartMenu>
      </div>
      <div className={styles.body}>
        {error ? (
          <div className={styles.state}>
            <ErrorView error={error} what="This chart could not be drawn" />
          </div>
        ) : !drawing || !look ? (
          <Skeleton className={styles.bars} aria-label="Loading">
            <SkeletonItem className={styles.bars} />
          </Skeleton>
        ) : drawing.isEmpty ? (
          <Text className={styles.state}>{whyEmpty(spec, rows)}</Text>
        ) : (
          <Chart
            drawing={drawing}
            look={look}
            title={title}
            legend={spec.legend}
            entries={entries}
            off={offKeys}
            onOff={(keys, isItem) => {
              if (isItem) props.onHidden(keys.filter((key) => rows.keys.includes(key)));
              else setOff(keys.filter((key) => !rows.keys.includes(key)));
            }}
            onZoom={props.onZoom}
            onOpen={props.onOpen}
          />
        )}
        {isFetching && drawing && (
          <ProgressBar className={styles.progress} thickness="medium" aria-label="Loading" />
        )}
      </div>
    </div>
  );
}

function whyEmpty(spec: ChartSpec, rows: Rows): string {
  if (spec.y.length === 0) return "Choose what to draw: the pencil opens the settings.";
  if (spec.type === "parallel" && spec.y.length < 2)
    return "Parallel coordinates need two axes or more.";
  if (spec.type === "contour" && spec.y.length < 2)
    return "A contour needs two Y columns: its vertical axis and its value.";
  if (rows.hidden.size >= rows.keys.length) return "All chosen rows are hidden.";
  return `No data: these ${rows.source.noun.many} did not log it.`;
}

function withoutNulls(zoom: Zoom): Partial<Zoom> {
  return Object.fromEntries(Object.entries(zoom).filter(([, value]) => value !== null));
}
