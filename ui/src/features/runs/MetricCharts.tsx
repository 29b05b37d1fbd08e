/**
 * The curves of a run, one chart for each metric, growing while the run logs.
 *
 * Always holds: which metrics, the axis, smoothing and scale are in the address; a chart asks for
 * nothing before it comes near the window; what a drag chooses is asked for again more finely.
 */
import {
  Button,
  Field,
  Input,
  makeStyles,
  Select,
  Slider,
  Switch,
  tokens,
} from "@fluentui/react-components";
import { DataLineRegular, SearchRegular } from "@fluentui/react-icons";
import { useMemo, useState } from "react";
import { plural } from "@/lib/format.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { COURSES, type Course, isCourse } from "@/parts/chart/spec.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { type Curve, MetricChart } from "./MetricChart.tsx";

/** Charts that are there at first, and so many more each time. */
const SHOWN = 60;
const AXES: Readonly<Record<Course, string>> = {
  step: "Step",
  time: "Time",
  relative: "Relative time",
};

const useStyles = makeStyles({
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "flex-end",
    gap: tokens.spacingHorizontalM,
    paddingBottom: tokens.spacingVerticalM,
  },
  find: { width: "220px", maxWidth: "100%" },
  smooth: { width: "160px" },
  grid: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fill, minmax(min(340px, 100%), 1fr))",
    gap: tokens.spacingHorizontalM,
  },
  more: { display: "flex", justifyContent: "center", padding: tokens.spacingVerticalL },
  count: { marginInlineStart: "auto", color: tokens.colorNeutralForeground2 },
});

export interface MetricChartsProps {
  readonly workspace: string;
  readonly run: string;
  readonly runName: string;
  readonly metrics: readonly string[];
  /** Whether more may come. */
  readonly isLive: boolean;
}

export function MetricCharts({ workspace, run, runName, metrics, isLive }: MetricChartsProps) {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const [most, setMost] = useState(SHOWN);
  const find = search["find"] ?? "";
  const curve = useMemo<Curve>(
    () => ({
      x: isCourse(search["x"] ?? "") ? (search["x"] as Course) : "step",
      smoothing: Math.min(Math.max(Number(search["smooth"]) || 0, 0), 0.99),
      isLog: search["log"] === "1",
    }),
    [search],
  );
  const found = useMemo(() => {
    const wanted = find.toLowerCase();
    return metrics.filter((metric) => metric.toLowerCase().includes(wanted));
  }, [metrics, find]);
  if (metrics.length === 0) {
    return (
      <EmptyState title="No metrics yet" icon={<DataLineRegular />}>
        {isLive
          ? "The curves are drawn here as the points arrive."
          : "Points that the training logs with mlflow.log_metric are drawn here."}
      </EmptyState>
    );
  }
  return (
    <>
      <div className={styles.bar}>
        <Field label="Metrics" className={styles.find}>
          <Input
            placeholder="Search"
            contentBefore={<SearchRegular />}
            value={find}
            onChange={(_event, data) => change({ find: data.value })}
          />
        </Field>
        <Field label="X axis">
          <Select
            value={curve.x}
            onChange={(_event, data) => change({ x: data.value === "step" ? "" : data.value })}
          >
            {COURSES.map((course) => (
              <option key={course} value={course}>
                {AXES[course]}
              </option>
            ))}
          </Select>
        </Field>
        <Field label={`Smoothing ${curve.smoothing.toFixed(2)}`} className={styles.smooth}>
          <Slider
            min={0}
            max={99}
            value={Math.round(curve.smoothing * 100)}
            onChange={(_event, data) =>
              change({ smooth: data.value === 0 ? "" : (data.value / 100).toFixed(2) })
            }
          />
        </Field>
        <Switch
          label="Logarithmic"
          checked={curve.isLog}
          onChange={(_event, data) => change({ log: data.checked ? "1" : "" })}
        />
        <span className={styles.count} role="status">
          {found.length === metrics.length
            ? plural(metrics.length, "metric")
            : `${found.length} of ${plural(metrics.length, "metric")}`}
        </span>
      </div>
      <div className={styles.grid}>
        {found.slice(0, most).map((metric) => (
          <MetricChart
            key={metric}
            workspace={workspace}
            run={run}
            runName={runName}
            metric={metric}
            curve={curve}
          />
        ))}
      </div>
      {found.length > most && (
        <div className={styles.more}>
          <Button onClick={() => setMost(most + SHOWN)}>
            Show {Math.min(SHOWN, found.length - most)} more
          </Button>
        </div>
      )}
    </>
  );
}
