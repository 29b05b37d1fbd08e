/** What is known of a run, on one page of cards. */
import { Link, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { plural, sizeText } from "@/lib/format.ts";
import { Card } from "@/parts/Card.tsx";
import { CopyButton } from "@/parts/CopyButton.tsx";
import { DatasetList } from "@/parts/DatasetList.tsx";
import { Facts } from "@/parts/Facts.tsx";
import { KeyValueTable } from "@/parts/KeyValueTable.tsx";
import { type ListColumn, ListTable } from "@/parts/ListTable.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { isLiveStatus, RunStatus } from "@/parts/RunStatus.tsx";
import { durationText } from "@/parts/table/cellText.ts";
import type { Row } from "@/parts/table/source.ts";
import { TagList } from "@/parts/TagList.tsx";
import { Elapsed, TimeText } from "@/parts/TimeText.tsx";
import { childrenQuery, type Run, type RunModel, runQuery, tagRun } from "./queries.ts";
import { RunMetricTable } from "./RunMetricTable.tsx";

const useStyles = makeStyles({
  grid: {
    display: "grid",
    gridTemplateColumns: "repeat(2, minmax(0, 1fr))",
    alignItems: "start",
    gap: tokens.spacingHorizontalM,
    "@media (max-width: 960px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  column: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalM, minWidth: 0 },
  none: { color: tokens.colorNeutralForeground3 },
  id: { display: "flex", alignItems: "center", gap: tokens.spacingHorizontalXS, minWidth: 0 },
  cut: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  models: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalS },
  model: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    overflowWrap: "anywhere",
  },
  children: { display: "flex", maxHeight: "400px" },
});

export interface RunOverviewProps {
  readonly workspace: string;
  readonly run: Run;
}

export function RunOverview({ workspace, run }: RunOverviewProps) {
  const styles = useStyles();
  const isDeleted = run.deleted_ms !== null;
  const metrics = run.metrics.filter((metric) => !metric.key.startsWith("system/"));
  return (
    <div className={styles.grid}>
      <div className={styles.column}>
        <Card title="Details">
          <RunFacts workspace={workspace} run={run} />
        </Card>
        <Card title="Hyperparameters" beside={<Count of={Object.keys(run.params).length} />}>
          <KeyValueTable
            label="Hyperparameters"
            pairs={run.params}
            none="No hyperparameters were logged"
          />
        </Card>
        <Card title="Data sets">
          <DatasetList datasets={run.datasets} />
        </Card>
      </div>
      <div className={styles.column}>
        <Card title="Metrics" beside={<Count of={metrics.length} />}>
          <RunMetricTable workspace={workspace} run={run.id} metrics={metrics} />
        </Card>
        <Card title="Tags">
          <TagList
            tags={run.tags}
            onChange={
              isDeleted
                ? undefined
                : async (changes) => {
                    await tagRun(workspace, run.id, changes);
                  }
            }
          />
        </Card>
        <Card title="Models">
          <Models workspace={workspace} models={run.models} />
        </Card>
      </div>
      <Children workspace={workspace} run={run} />
    </div>
  );
}

function Count({ of }: { readonly of: number }) {
  return of > 0 ? <Text size={200}>{of}</Text> : null;
}

function RunFacts({ workspace, run }: RunOverviewProps) {
  const styles = useStyles();
  const { code } = run;
  return (
    <Facts
      facts={[
        { word: "Status", what: <RunStatus status={run.status} /> },
        { word: "Started", what: run.start_ms !== null && <TimeText ms={run.start_ms} /> },
        { word: "Duration", what: <Duration run={run} /> },
        { word: "User", what: run.user },
        {
          word: "Experiment",
          what: (
            <RouteLink
              to="/w/$workspace/experiments/$experiment"
              params={{ workspace, experiment: run.experiment }}
            >
              {run.experiment_name}
            </RouteLink>
          ),
        },
        {
          word: "Parent run",
          what: run.parent !== "" && <Parent workspace={workspace} run={run} />,
        },
        { word: "Source", what: code.name === "" ? "" : sourceText(code) },
        { word: "Git commit", what: code.commit === "" ? "" : <Commit code={code} /> },
        { word: "Git branch", what: code.branch },
        {
          word: "Files",
          what: `${plural(run.files_total, "file")}, ${sizeText(run.size_bytes)}`,
        },
        {
          word: "Run id",
          what: (
            <span className={styles.id}>
              <code className={styles.cut} title={run.id}>
                {run.id}
              </code>
              <CopyButton text={run.id} what="run id" />
            </span>
          ),
        },
      ].map((fact) => ({ ...fact, what: fact.what === false ? null : fact.what }))}
    />
  );
}

function sourceText(code: Run["code"]): string {
  return code.kind === "" ? code.name : `${code.name} (${code.kind.toLowerCase()})`;
}

function Duration({ run }: { readonly run: Run }) {
  if (run.start_ms === null) return null;
  if (run.end_ms !== null) return durationText(run.end_ms - run.start_ms);
  if (!isLiveStatus(run.status)) return null;
  return (
    <>
      <Elapsed since={run.start_ms} /> so far
    </>
  );
}

function Commit({ code }: { readonly code: Run["code"] }) {
  const address = commitAddress(code.repository, code.commit);
  const short = code.commit.slice(0, 10);
  if (address === null) return <code title={code.commit}>{short}</code>;
  return (
    <Link href={address} target="_blank" rel="noopener noreferrer" title={code.commit}>
      <code>{short}</code>
    </Link>
  );
}

/** Where a commit can be looked at, for repositories on the web; null for others. */
function commitAddress(repository: string, commit: string): string | null {
  const web = repository
    .replace(/^git@([\w.-]+):/, "https://$1/")
    .replace(/\.git$/, "")
    .replace(/\/$/, "");
  if (!/^https:\/\/[\w.-]+\/[\w./~-]+$/.test(web) || !/^[0-9a-f]{7,64}$/i.test(commit)) return null;
  return `${web}/commit/${commit}`;
}

function Parent({ workspace, run }: RunOverviewProps) {
  const parent = useQuery({ ...runQuery(workspace, run.parent), retry: false });
  return (
    <RouteLink to="/w/$workspace/runs/$run" params={{ workspace, run: run.parent }}>
      {parent.data?.name ?? run.parent}
    </RouteLink>
  );
}

function Models({
  workspace,
  models,
}: {
  readonly workspace: string;
  readonly models: readonly RunModel[];
}) {
  const styles = useStyles();
  if (models.length === 0) return <Text className={styles.none}>This run made no model</Text>;
  return (
    <div className={styles.models}>
      {models.map((model) => (
        <div key={`${model.logged_model} ${model.path}`} className={styles.model}>
          {model.logged_model === "" ? (
            <RouteLink
              to="."
              search={{ tab: "files", path: `${model.path}/MLmodel`.replace(/^\//, "") }}
              title="A folder among the files"
            >
              {model.path === "" ? "All files" : model.path}
            </RouteLink>
          ) : (
            <RouteLink
              to="/w/$workspace/logged-models/$loggedModel"
              params={{ workspace, loggedModel: model.logged_model }}
              title="A logged model"
            >
              {model.name}
            </RouteLink>
          )}
          {model.versions.length === 0 ? (
            <Text size={200} className={styles.none}>
              not saved as ML model
            </Text>
          ) : (
            model.versions.map((ref) => (
              <Text key={`${ref.model} ${ref.version}`} size={200}>
                {"→ "}
                <RouteLink
                  to="/w/$workspace/models/$model/versions/$version"
                  params={{ workspace, model: ref.model, version: String(ref.version) }}
                >
                  {ref.model} v{ref.version}
                </RouteLink>
              </Text>
            ))
          )}
        </div>
      ))}
    </div>
  );
}

function Children({ workspace, run }: RunOverviewProps) {
  const styles = useStyles();
  const found = useQuery(childrenQuery(workspace, run.id, run.experiment)).data;
  if (!found || found.total === 0) return null;
  const columns: ListColumn<Row>[] = [
    {
      id: "name",
      title: "Run name",
      track: "minmax(120px, 1fr)",
      render: (row) => (
        <RouteLink to="/w/$workspace/runs/$run" params={{ workspace, run: row.key }}>
          {row.cells[0] ?? row.key}
        </RouteLink>
      ),
    },
    {
      id: "status",
      title: "Status",
      track: "112px",
      render: (row) => <RunStatus status={String(row.cells[1] ?? "")} />,
    },
    {
      id: "start",
      title: "Started",
      track: "112px",
      isExtra: true,
      render: (row) => typeof row.cells[2] === "number" && <TimeText ms={row.cells[2]} />,
    },
    {
      id: "duration",
      title: "Duration",
      track: "96px",
      isNumber: true,
      render: (row) =>
        typeof row.cells[3] === "number" ? (
          durationText(row.cells[3])
        ) : typeof row.cells[2] === "number" && isLiveStatus(String(row.cells[1])) ? (
          <Elapsed since={row.cells[2]} />
        ) : null,
    },
  ];
  return (
    <Card title="Child runs" beside={<Count of={found.total} />}>
      <div className={styles.children}>
        <ListTable
          label="Child runs"
          columns={columns}
          rows={found.rows}
          keyOf={(row) => row.key}
        />
      </div>
    </Card>
  );
}
