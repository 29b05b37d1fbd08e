/**
 * What opens with a selection: charts, differences, and files of the chosen rows.
 *
 * `PaneTabs` is the bar of tabs, `ComparisonPane` what stands below; both show the same state.
 */
import {
  makeStyles,
  Skeleton,
  SkeletonItem,
  Tab,
  TabList,
  Text,
  tokens,
} from "@fluentui/react-components";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useMemo, useState } from "react";
import { useShownLook } from "@/lib/look.ts";
import { type ChartSpec, usualCharts } from "../chart/spec.ts";
import { type Rows, useFrame } from "../chart/useFrame.ts";
import { splitId } from "../table/columns.ts";
import { filterOfKeys, type TableSource } from "../table/source.ts";
import { countOf } from "../table/sources.ts";
import { CHARTS_AHEAD } from "./ahead.ts";
import { DifferencesTable } from "./DifferencesTable.tsx";
import { FilesDiff } from "./FilesDiff.tsx";
import type { ChangeView } from "./useViewState.ts";
import type { Pane, ViewState } from "./viewState.ts";

// ECharts is most of the code of a comparison, and of no use before something is chosen.
const ChartGrid = lazy(async () => ({
  default: (await import("../chart/ChartGrid.tsx")).ChartGrid,
}));
const CHARTS_FIRST = 24;
const METRICS_LOOKED_AT = 100;
const METRIC = new Set(["metrics", "min", "max", "mean"]);
const TABS: readonly (readonly [Pane, string])[] = [
  ["charts", "Charts"],
  ["differences", "Differences"],
  ["files", "Files"],
];

const useStyles = makeStyles({
  scroll: { flexGrow: 1, minHeight: 0, overflow: "auto" },
  count: {
    whiteSpace: "nowrap",
    color: tokens.colorNeutralForeground2,
    // On a telephone the tabs need its place, or the bar would have two lines.
    "@media (max-width: 480px)": { display: "none" },
  },
  places: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fill, minmax(min(360px, 100%), 1fr))",
    gap: tokens.spacingHorizontalM,
    padding: tokens.spacingHorizontalM,
  },
  place: { height: "280px" },
});

interface PaneTabsProps {
  readonly source: TableSource;
  readonly state: ViewState;
  readonly onChange: ChangeView;
}

export function PaneTabs({ source, state, onChange }: PaneTabsProps) {
  const styles = useStyles();
  return (
    <>
      <Text size={200} className={styles.count}>
        {countOf(source, state.selection.length)}
      </Text>
      <TabList
        size="small"
        aria-label="Comparison"
        selectedValue={state.pane}
        onTabSelect={(_event, data) => {
          const share = state.share === 0 ? 0.5 : state.share;
          onChange({ pane: data.value as Pane, share });
        }}
      >
        {TABS.map(([value, label]) => (
          <Tab key={value} value={value}>
            {label}
          </Tab>
        ))}
      </TabList>
    </>
  );
}

/** Asks for what a chart is drawn from while the code that draws it is still fetched. */
function Ahead({ rows, spec }: { rows: Rows; spec: ChartSpec }) {
  useFrame(rows, spec, true);
  return null;
}

function Places({ count }: { count: number }) {
  const styles = useStyles();
  return (
    <Skeleton className={styles.places} aria-label="Loading">
      {Array.from({ length: count }, (_, n) => (
        <SkeletonItem key={n} className={styles.place} />
      ))}
    </Skeleton>
  );
}

/** Those of the metrics shown that a chosen row has logged, or all where none has; undefined until it is known. */
function useLogged(
  { source, keys }: Rows,
  shown: readonly string[],
  isWanted: boolean,
): readonly string[] | undefined {
  const metrics = useMemo(
    () => shown.filter((id) => METRIC.has(splitId(id).prefix)).slice(0, METRICS_LOOKED_AT),
    [shown],
  );
  const { data, isError } = useQuery({
    queryKey: [...source.id, "logged", metrics, keys.join(" ")],
    queryFn: ({ signal }) =>
      source.search(
        { columns: metrics, filter: filterOfKeys(source, keys), orderBy: [], offset: 0 },
        signal,
      ),
    enabled: isWanted && metrics.length > 0 && keys.length > 0,
    placeholderData: keepPreviousData,
    meta: { watch: source.watch },
  });
  return useMemo(() => {
    const found = data?.columns.flatMap(({ id }, n) =>
      data.rows.some((row) => row.cells[n] !== null) ? [id] : [],
    );
    if (found === undefined && metrics.length > 0 && !isError) return undefined;
    return found === undefined || found.length === 0 ? metrics : found;
  }, [data, metrics, isError]);
}

export interface ComparisonPaneProps extends PaneTabsProps {
  readonly workspace: string;
  /** The columns that the table shows; its metrics are charted when no charts were chosen. */
  readonly shown: readonly string[];
  readonly onOpen?: ((key: string) => void) | undefined;
}

export function ComparisonPane({
  source,
  workspace,
  state,
  shown,
  onChange,
  onOpen,
}: ComparisonPaneProps) {
  const styles = useStyles();
  const isDark = useShownLook() !== "light";
  const [file, setFile] = useState("");
  const { selection, hidden } = state;
  const rows: Rows = useMemo(
    () => ({ source, keys: selection, hidden: new Set(hidden) }),
    [source, selection, hidden],
  );
  const logged = useLogged(rows, shown, state.charts === null && state.pane === "charts");
  const charts: readonly ChartSpec[] | undefined = useMemo(
    () => state.charts ?? (logged && usualCharts(logged.slice(0, CHARTS_FIRST))),
    [state.charts, logged],
  );
  const items = useMemo(() => selection.map((key) => source.item(key)), [source, selection]);
  const baseline = Math.max(0, selection.indexOf(state.baseline));
  if (state.pane === "charts") {
    if (charts === undefined) return <Places count={CHARTS_AHEAD} />;
    return (
      <div className={styles.scroll}>
        {charts.slice(0, CHARTS_AHEAD).map((chart) => (
          <Ahead key={chart.id} rows={rows} spec={chart} />
        ))}
        <Suspense fallback={<Places count={Math.min(charts.length, CHARTS_AHEAD)} />}>
          <ChartGrid
            rows={rows}
            charts={charts}
            zooms={state.zooms}
            onCharts={(next, isLive) => onChange({ charts: next }, isLive)}
            onZooms={(zooms) => onChange({ zooms })}
            onHidden={(keys) => onChange({ hidden: keys })}
            onOpen={onOpen}
          />
        </Suspense>
      </div>
    );
  }
  if (state.pane === "differences") {
    return (
      <DifferencesTable
        workspace={workspace}
        items={items}
        keys={selection}
        labelOf={(key, name) => source.label(key, name)}
        baseline={state.baseline}
        withEqual={state.withEqual}
        isDark={isDark}
        onBaseline={(key) => onChange({ baseline: key })}
        onWithEqual={(withEqual) => onChange({ withEqual })}
        onFile={(path) => {
          setFile(path);
          onChange({ pane: "files" });
        }}
      />
    );
  }
  return (
    <FilesDiff
      workspace={workspace}
      items={items}
      labels={selection.map((key) => source.label(key, null))}
      baseline={baseline}
      path={file}
      onPath={setFile}
    />
  );
}
