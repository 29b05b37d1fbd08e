/** One logged model: where it came from, what it takes and gives, what was measured on it. */
import { Badge, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { plural, shortNumber, sizeText, wholeNumber } from "@/lib/format.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { Card } from "@/parts/Card.tsx";
import { CopyButton } from "@/parts/CopyButton.tsx";
import { DatasetList } from "@/parts/DatasetList.tsx";
import { EnvironmentView } from "@/parts/EnvironmentView.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Facts } from "@/parts/Facts.tsx";
import { KeyValueTable } from "@/parts/KeyValueTable.tsx";
import { type ListColumn, ListTable } from "@/parts/ListTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { RunStatus } from "@/parts/RunStatus.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { SignatureView } from "@/parts/SignatureView.tsx";
import { TagList } from "@/parts/TagList.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import { RunFiles } from "./RunFiles.tsx";
import { type LoggedModel, loggedModelQuery, type Metric, tagLoggedModel } from "./queries.ts";

const STATUS: Readonly<Record<string, string>> = {
  PENDING: "Being uploaded",
  READY: "Ready",
  UPLOAD_FAILED: "Upload failed",
};

const useStyles = makeStyles({
  // Far enough apart to be hit one by one.
  version: { minHeight: "24px" },
  title: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    paddingBottom: tokens.spacingVerticalM,
    minWidth: 0,
  },
  name: { margin: 0, minWidth: 0, overflowWrap: "anywhere" },
  grid: {
    display: "grid",
    gridTemplateColumns: "repeat(2, minmax(0, 1fr))",
    alignItems: "start",
    gap: tokens.spacingHorizontalM,
    paddingBottom: tokens.spacingVerticalL,
    "@media (max-width: 960px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  none: { color: tokens.colorNeutralForeground3 },
  id: { display: "flex", alignItems: "center", minWidth: 0 },
  cut: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  metrics: { display: "flex", maxHeight: "400px" },
  inline: { display: "inline-flex", alignItems: "center", gap: tokens.spacingHorizontalS },
});

export function LoggedModelScreen() {
  const workspace = useWorkspace();
  const styles = useStyles();
  const { loggedModel: id = "" } = useParams({ strict: false });
  const { data: model, error, refetch } = useQuery(loggedModelQuery(workspace, id));
  return (
    <Screen title={model?.name ?? "Logged model"} crumbs={crumbsOf(workspace, model)}>
      {model ? (
        <>
          <header className={styles.title}>
            <Text as="h1" size={500} weight="semibold" className={styles.name} dir="auto">
              {model.name}
            </Text>
            <Badge appearance="outline" color={model.status === "READY" ? "success" : "warning"}>
              {STATUS[model.status] ?? model.status}
            </Badge>
          </header>
          <Cards workspace={workspace} model={model} />
          <Card title="Files">
            <RunFiles workspace={workspace} kind="logged_model" id={model.id} />
          </Card>
        </>
      ) : error ? (
        <ErrorView error={error} onRetry={() => void refetch()} />
      ) : (
        <Loading lines={6} height={40} />
      )}
    </Screen>
  );
}

function crumbsOf(workspace: string, model: LoggedModel | undefined) {
  const crumbs = [
    <RouteLink key="ws" to="/w/$workspace" params={{ workspace }} appearance="subtle">
      {workspace}
    </RouteLink>,
  ];
  if (model) {
    crumbs.push(
      <RouteLink
        key="experiment"
        to="/w/$workspace/experiments/$experiment"
        params={{ workspace, experiment: model.experiment }}
        appearance="subtle"
      >
        {model.experiment_name}
      </RouteLink>,
    );
  }
  if (model?.run) {
    crumbs.push(
      <RouteLink
        key="run"
        to="/w/$workspace/runs/$run"
        params={{ workspace, run: model.run.id }}
        appearance="subtle"
      >
        {model.run.name}
      </RouteLink>,
    );
  }
  return crumbs;
}

function Cards({ workspace, model }: { readonly workspace: string; readonly model: LoggedModel }) {
  const styles = useStyles();
  const { run } = model;
  return (
    <div className={styles.grid}>
      <Card title="Details">
        <Facts
          facts={[
            { word: "Made", what: <TimeText ms={model.created_ms} /> },
            {
              word: "Run",
              what: run && (
                <span className={styles.inline}>
                  <RunStatus status={run.status} isBare />
                  <RouteLink to="/w/$workspace/runs/$run" params={{ workspace, run: run.id }}>
                    {run.name}
                  </RouteLink>
                </span>
              ),
            },
            { word: "Kind", what: model.kind },
            {
              word: "Files",
              what: `${plural(model.files_total, "file")}, ${sizeText(model.size_bytes)}`,
            },
            {
              word: "Saved as",
              what: model.versions.length > 0 && (
                <>
                  {model.versions.map((ref) => (
                    <div key={`${ref.model} ${ref.version}`} className={styles.version}>
                      <RouteLink
                        to="/w/$workspace/models/$model/versions/$version"
                        params={{ workspace, model: ref.model, version: String(ref.version) }}
                      >
                        {ref.model} v{ref.version}
                      </RouteLink>
                    </div>
                  ))}
                </>
              ),
            },
            {
              word: "Address",
              what: (
                <span className={styles.id}>
                  <code className={styles.cut}>models:/{model.id}</code>
                  <CopyButton text={`models:/${model.id}`} what="address" />
                </span>
              ),
            },
          ].map((fact) => ({ ...fact, what: fact.what === false ? null : fact.what }))}
        />
      </Card>
      <Card title="Signature">
        <SignatureView signature={model.signature} />
      </Card>
      <Card title="Metrics">
        {model.metrics.length === 0 ? (
          <Text className={styles.none}>Nothing was measured on this model</Text>
        ) : (
          <div className={styles.metrics}>
            <ListTable
              label="Metrics"
              columns={METRIC_COLUMNS}
              rows={model.metrics}
              keyOf={(metric) => `${metric.key} ${metric.dataset} ${metric.step} ${metric.time_ms}`}
            />
          </div>
        )}
      </Card>
      <Card title="Hyperparameters">
        <KeyValueTable
          label="Hyperparameters"
          pairs={model.params}
          none="No hyperparameters were logged"
        />
      </Card>
      <Card title="Environment">
        <EnvironmentView environment={model.environment} flavors={model.flavors} />
      </Card>
      <Card title="Data sets">
        <DatasetList datasets={model.datasets} />
      </Card>
      <Card title="Tags">
        <TagList
          tags={model.tags}
          onChange={(changes) => tagLoggedModel(workspace, model.id, changes)}
        />
      </Card>
    </div>
  );
}

const METRIC_COLUMNS: readonly ListColumn<Metric>[] = [
  { id: "name", title: "Name", track: "minmax(88px, 1fr)", render: (metric) => metric.key },
  {
    id: "value",
    title: "Value",
    track: "96px",
    isNumber: true,
    render: (metric) => <span title={wholeNumber(metric.value)}>{shortNumber(metric.value)}</span>,
  },
  { id: "dataset", title: "Data set", track: "minmax(72px, 1fr)", render: (each) => each.dataset },
  { id: "step", title: "Step", track: "72px", isNumber: true, render: (metric) => metric.step },
];
