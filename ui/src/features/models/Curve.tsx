/** The curve of one metric of a version's run. */
import { makeStyles } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useRef } from "react";
import { Chart } from "@/parts/chart/Chart.tsx";
import { draw } from "@/parts/chart/options/draw.ts";
import { USUAL } from "@/parts/chart/spec.ts";
import { useLook } from "@/parts/chart/useLook.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { columnId } from "@/parts/table/columns.ts";
import { curveQuery } from "./queries.ts";

const NONE: ReadonlySet<string> = new Set();

const useStyles = makeStyles({
  frame: { height: "360px", display: "flex", flexDirection: "column" },
});

export interface CurveProps {
  readonly workspace: string;
  readonly run: string;
  readonly runName: string;
  readonly metric: string;
}

export function Curve({ workspace, run, runName, metric }: CurveProps) {
  const styles = useStyles();
  const frame = useRef<HTMLDivElement>(null);
  const look = useLook(frame);
  const { data, error } = useQuery({ ...curveQuery(workspace, run, metric), enabled: run !== "" });
  const drawing = useMemo(() => {
    if (!data || !look) return null;
    const spec = {
      ...USUAL,
      id: metric,
      title: metric,
      type: "line" as const,
      x: "step",
      y: [columnId("metrics", metric)],
    };
    const item = { key: run, label: runName, run, slot: 0, cells: {} };
    return draw(spec, { items: [item], series: [data] }, look);
  }, [data, look, metric, run, runName]);
  return (
    <div ref={frame} className={styles.frame}>
      {error && <ErrorView error={error} />}
      {(run === "" || data === null) && (
        <EmptyState title="No curve">
          The run that logged it is gone; its last value is kept.
        </EmptyState>
      )}
      {drawing && look && (
        <Chart
          drawing={drawing}
          look={look}
          title={metric}
          legend="none"
          entries={[]}
          off={NONE}
          onOff={() => undefined}
          onZoom={() => undefined}
        />
      )}
    </div>
  );
}
