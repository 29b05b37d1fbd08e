/** Metrics of a version with their curves: small in the table, large on a click. */
import {
  Button,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  Link,
  makeStyles,
  Text,
  tokens,
} from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import { shortNumber, wholeNumber } from "@/lib/format.ts";
import { Card } from "@/parts/Card.tsx";
import { type ListColumn, ListTable } from "@/parts/ListTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { Sparkline } from "@/parts/Sparkline.tsx";
import { sparksQuery, type Version } from "./queries.ts";

const Curve = lazy(async () => ({ default: (await import("./Curve.tsx")).Curve }));

type Metric = Version["metrics"][number];

const useStyles = makeStyles({
  none: { color: tokens.colorNeutralForeground3 },
  name: {
    maxWidth: "100%",
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
  },
  surface: { maxWidth: "min(900px, 94vw)" },
});

export function MetricsCard({ workspace, version }: { workspace: string; version: Version }) {
  const styles = useStyles();
  const { metrics } = version;
  const run = version.run?.deleted === false ? version.run.id : "";
  const [shown, setShown] = useState<string | null>(null);
  const { data: sparks } = useQuery(
    sparksQuery(
      workspace,
      run,
      metrics.map((metric) => metric.key),
    ),
  );
  const columns = useMemo<ListColumn<Metric>[]>(
    () => [
      {
        id: "key",
        title: "Metric",
        track: "minmax(100px, 2fr)",
        render: (metric) => (
          <Link
            as="button"
            className={styles.name}
            title={metric.key}
            onClick={() => setShown(metric.key)}
          >
            {metric.key}
            {metric.dataset && ` (${metric.dataset})`}
          </Link>
        ),
      },
      {
        id: "value",
        title: "Value",
        track: "minmax(88px, 1fr)",
        isNumber: true,
        render: (metric) => (
          <span title={wholeNumber(metric.value)}>{shortNumber(metric.value)}</span>
        ),
      },
      {
        id: "curve",
        title: "Curve",
        track: "104px",
        render: (metric) => {
          const series = sparks?.get(metric.key);
          if (!series || series.last.length < 2) return null;
          const points = series.last.flatMap((value, at) =>
            value === "NaN" ? [] : [[series.steps[at] ?? at, value] as const],
          );
          return <Sparkline points={points} label={`Curve of ${metric.key}`} />;
        },
      },
    ],
    [sparks, styles],
  );
  return (
    <Card title="Metrics" beside={metrics.length > 0 && <Text size={200}>{metrics.length}</Text>}>
      {metrics.length === 0 ? (
        <Text className={styles.none}>No metrics were logged</Text>
      ) : (
        <div style={{ display: "flex", maxHeight: 420 }}>
          <div style={{ flexGrow: 1, minWidth: 0, display: "grid" }}>
            <ListTable
              label="Metrics"
              columns={columns}
              rows={metrics}
              keyOf={(metric) => `${metric.key} ${metric.dataset}`}
            />
          </div>
        </div>
      )}
      {shown !== null && (
        <Dialog open onOpenChange={() => setShown(null)}>
          <DialogSurface className={styles.surface}>
            <DialogBody>
              <DialogTitle>{shown}</DialogTitle>
              <DialogContent>
                <Suspense fallback={<Loading lines={6} height={40} />}>
                  <Curve
                    workspace={workspace}
                    run={run}
                    runName={version.run?.name ?? ""}
                    metric={shown}
                  />
                </Suspense>
              </DialogContent>
              <DialogActions>
                <Button onClick={() => setShown(null)}>Close</Button>
              </DialogActions>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </Card>
  );
}
