/** Metrics of a run: the latest value, its range, and how it got there. */
import { Input, makeStyles, Text, tokens } from "@fluentui/react-components";
import { SearchRegular } from "@fluentui/react-icons";
import { useMemo, useState } from "react";
import { shortNumber, wholeNumber } from "@/lib/format.ts";
import { type ListColumn, ListTable } from "@/parts/ListTable.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Sparkline } from "@/parts/Sparkline.tsx";
import { sparkPoints } from "./liveSeries.ts";
import type { Metric } from "./queries.ts";
import { useRunSeries } from "./useRunSeries.ts";

const SEARCHED_FROM = 8;
const SPARK_POINTS = 44;

const useStyles = makeStyles({
  frame: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalS,
    maxHeight: "400px",
    minHeight: 0,
  },
  none: { color: tokens.colorNeutralForeground3 },
});

export interface RunMetricTableProps {
  readonly workspace: string;
  readonly run: string;
  readonly metrics: readonly Metric[];
}

export function RunMetricTable({ workspace, run, metrics }: RunMetricTableProps) {
  const styles = useStyles();
  const [text, setText] = useState("");
  const rows = useMemo(() => {
    const wanted = text.toLowerCase();
    return metrics.filter((metric) => metric.key.toLowerCase().includes(wanted));
  }, [metrics, text]);
  const columns = useMemo(() => columnsOf(workspace, run), [workspace, run]);
  if (metrics.length === 0) {
    return <Text className={styles.none}>No metrics were logged</Text>;
  }
  return (
    <div className={styles.frame}>
      {metrics.length >= SEARCHED_FROM && (
        <Input
          size="small"
          aria-label="Search metrics"
          placeholder="Search"
          contentBefore={<SearchRegular />}
          value={text}
          onChange={(_event, data) => setText(data.value)}
        />
      )}
      <ListTable label="Metrics" columns={columns} rows={rows} keyOf={(metric) => metric.key} />
    </div>
  );
}

function columnsOf(workspace: string, run: string): ListColumn<Metric>[] {
  return [
    {
      id: "name",
      title: "Name",
      track: "minmax(88px, 1.4fr)",
      render: (metric) => (
        <RouteLink
          to="/w/$workspace/runs/$run"
          params={{ workspace, run }}
          search={{ tab: "metrics", find: metric.key }}
          title={`Curve of ${metric.key}`}
          dir="auto"
        >
          {metric.key}
        </RouteLink>
      ),
    },
    {
      id: "value",
      title: "Latest",
      track: "104px",
      isNumber: true,
      render: (metric) => (
        <span title={wholeNumber(metric.value)}>{shortNumber(metric.value)}</span>
      ),
    },
    {
      id: "curve",
      title: "Curve",
      track: "112px",
      render: (metric) => <Spark workspace={workspace} run={run} metric={metric.key} />,
    },
    {
      id: "least",
      title: "Min",
      track: "104px",
      isNumber: true,
      isExtra: true,
      render: ({ min }) => min !== null && <span title={wholeNumber(min)}>{shortNumber(min)}</span>,
    },
    {
      id: "greatest",
      title: "Max",
      track: "104px",
      isNumber: true,
      isExtra: true,
      render: ({ max }) => max !== null && <span title={wholeNumber(max)}>{shortNumber(max)}</span>,
    },
    {
      id: "step",
      title: "Step",
      track: "72px",
      isNumber: true,
      isExtra: true,
      render: (metric) => metric.step,
    },
  ];
}

interface SparkProps {
  readonly workspace: string;
  readonly run: string;
  readonly metric: string;
}

function Spark({ workspace, run, metric }: SparkProps) {
  const [series] = useRunSeries(workspace, run, [metric]);
  if (!series || series.count < 2) return null;
  return <Sparkline points={sparkPoints(series, SPARK_POINTS)} label={`${series.count} points`} />;
}
