/**
 * Charts of chosen rows, side by side: add, edit, move, enlarge, remove.
 *
 * `charts` are what is drawn; `onCharts` hears of others, with `isLive` while an editor is open, so
 * that the caller does not make a step of history of every key press. Zooms are by chart.
 */
import {
  Button,
  Dialog,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  DialogTrigger,
  makeStyles,
  tokens,
} from "@fluentui/react-components";
import { AddRegular, DismissRegular } from "@fluentui/react-icons";
import { useState } from "react";
import { type Zoom } from "./Chart.tsx";
import { ChartCard } from "./ChartCard.tsx";
import { ChartEditor } from "./ChartEditor.tsx";
import { CHARTS_MAX, type ChartSpec, freshId, titleOf, USUAL } from "./spec.ts";
import type { Rows } from "./useFrame.ts";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fill, minmax(min(360px, 100%), 1fr))",
    gap: tokens.spacingHorizontalM,
    padding: tokens.spacingHorizontalM,
  },
  add: {
    height: "280px",
    border: `1px dashed ${tokens.colorNeutralStroke1}`,
    borderRadius: tokens.borderRadiusLarge,
  },
  large: { width: "min(1400px, 96vw)", maxWidth: "none" },
  body: { height: "min(80dvh, 900px)", display: "flex", flexDirection: "column" },
  content: { flexGrow: 1, minHeight: 0 },
});

export interface ChartGridProps {
  readonly rows: Rows;
  readonly charts: readonly ChartSpec[];
  readonly zooms: Readonly<Record<string, Zoom>>;
  readonly onCharts: (charts: readonly ChartSpec[], isLive: boolean) => void;
  readonly onZooms: (zooms: Readonly<Record<string, Zoom>>) => void;
  readonly onHidden: (keys: readonly string[]) => void;
  readonly onOpen?: ((key: string) => void) | undefined;
}

export function ChartGrid({
  rows,
  charts,
  zooms,
  onCharts,
  onZooms,
  onHidden,
  onOpen,
}: ChartGridProps) {
  const styles = useStyles();
  const [edited, setEdited] = useState("");
  const [enlarged, setEnlarged] = useState("");
  const editing = charts.find((chart) => chart.id === edited);
  const large = charts.find((chart) => chart.id === enlarged);
  const zoomOf = (id: string) => (next: Zoom) => {
    const rest = Object.fromEntries(Object.entries(zooms).filter(([each]) => each !== id));
    const before = zooms[id];
    const isWhole = Object.values(next).every((end) => end === null);
    // An axis that was not dragged along keeps its zoom.
    const merged = Object.fromEntries(
      Object.entries(next).map(([end, value]) => [
        end,
        value ?? before?.[end as keyof Zoom] ?? null,
      ]),
    ) as unknown as Zoom;
    onZooms(isWhole ? rest : { ...rest, [id]: merged });
  };
  const place = (id: string, to: number) => {
    const chart = charts.find((each) => each.id === id);
    if (!chart) return;
    const others = charts.filter((each) => each.id !== id);
    onCharts([...others.slice(0, Math.max(0, to)), chart, ...others.slice(Math.max(0, to))], false);
  };
  const add = () => {
    const chart = { ...USUAL, id: freshId(charts), x: rows.source.nameColumn };
    onCharts([...charts, chart], false);
    setEdited(chart.id);
  };
  const card = (chart: ChartSpec, n: number, isEnlarged: boolean) => (
    <ChartCard
      key={chart.id}
      rows={rows}
      spec={chart}
      zoom={zooms[chart.id]}
      isEnlarged={isEnlarged}
      onZoom={zoomOf(chart.id)}
      onHidden={onHidden}
      onEdit={() => {
        setEnlarged("");
        setEdited(chart.id);
      }}
      onOpen={onOpen}
      {...(!isEnlarged && {
        onEnlarge: () => setEnlarged(chart.id),
        onRemove: () =>
          onCharts(
            charts.filter((each) => each.id !== chart.id),
            false,
          ),
        onMove: (by: 1 | -1) => place(chart.id, n + by),
        onDropChart: (id: string) => place(id, n),
      })}
    />
  );
  return (
    <div className={styles.grid}>
      {charts.map((chart, n) => card(chart, n, false))}
      {charts.length < CHARTS_MAX && (
        <Button appearance="subtle" icon={<AddRegular />} className={styles.add} onClick={add}>
          Add chart
        </Button>
      )}
      {editing && (
        <ChartEditor
          key={editing.id}
          source={rows.source}
          spec={editing}
          onChange={(spec) =>
            onCharts(
              charts.map((each) => (each.id === spec.id ? spec : each)),
              true,
            )
          }
          onClose={() => setEdited("")}
        />
      )}
      {large && (
        <Dialog open onOpenChange={(_event, data) => data.open || setEnlarged("")}>
          <DialogSurface className={styles.large} aria-label={titleOf(large)}>
            <DialogBody className={styles.body}>
              <DialogTitle
                action={
                  <DialogTrigger action="close" disableButtonEnhancement>
                    <Button appearance="subtle" icon={<DismissRegular />} aria-label="Close" />
                  </DialogTrigger>
                }
              >
                {titleOf(large)}
              </DialogTitle>
              <DialogContent className={styles.content}>{card(large, 0, true)}</DialogContent>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </div>
  );
}
