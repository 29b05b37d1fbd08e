/** Home: what was changed last, which runs came last, and how the first one comes here. */
import { makeStyles, mergeClasses, Text, tokens } from "@fluentui/react-components";
import { BeakerRegular, BoxMultipleRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { api, ask, type Shapes } from "@/api/client.ts";
import { firstRun } from "@/lib/firstRun.ts";
import { plural } from "@/lib/format.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { Card } from "@/parts/Card.tsx";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { RunStatus } from "@/parts/RunStatus.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { runSource } from "@/parts/table/sources.ts";
import { TimeText } from "@/parts/TimeText.tsx";

const RECENT = 12;
const RECENT_RUNS = 5;

const useStyles = makeStyles({
  page: { maxWidth: "1120px", marginInline: "auto" },
  title: { marginBlock: `${tokens.spacingVerticalL} ${tokens.spacingVerticalXS}` },
  about: { color: tokens.colorNeutralForeground3, marginBottom: tokens.spacingVerticalL },
  columns: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(min(440px, 100%), 1fr))",
    gap: tokens.spacingHorizontalL,
    alignItems: "start",
  },
  column: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalL,
    minWidth: 0,
  },
  run: { gridTemplateColumns: "minmax(0, 1fr) 92px 84px" },
  when: { textAlign: "end" },
  list: { listStyleType: "none", margin: 0, padding: 0 },
  item: {
    display: "grid",
    gridTemplateColumns: "24px minmax(0, 1fr) auto",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    minHeight: "40px",
    borderTop: `1px solid ${tokens.colorNeutralStroke3}`,
  },
  icon: { display: "flex", fontSize: "20px" },
  model: { color: tokens.colorBrandForeground1 },
  experiment: { color: tokens.colorPalettePurpleBorderActive },
  name: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  muted: { color: tokens.colorNeutralForeground3 },
  steps: { margin: `0 0 ${tokens.spacingVerticalM}` },
});

export function HomeScreen() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const { data, error, refetch } = useQuery({
    queryKey: ["ws", workspace, "items", "recent"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/items", {
          params: { path: { workspace }, query: { limit: RECENT } },
          signal,
        }),
      ),
    meta: {
      watch: [
        { kind: "model" },
        { kind: "version" },
        { kind: "alias" },
        { kind: "experiment" },
        { kind: "run" },
      ],
    },
  });
  return (
    <Screen title="Home">
      <div className={styles.page}>
        <Text as="h1" size={600} weight="semibold" block className={styles.title}>
          Welcome to Heddle
        </Text>
        <Text block className={styles.about}>
          The home of your models: runs logged by the MLflow client, versions compared, promoted and
          applied.
        </Text>
        <div className={styles.columns}>
          <Card
            title="Recent items"
            beside={
              <RouteLink to="/w/$workspace" params={{ workspace }}>
                {`All of ${workspace}`}
              </RouteLink>
            }
          >
            {error && <ErrorView error={error} onRetry={() => void refetch()} />}
            {!data && !error && <Loading lines={5} height={32} />}
            {data?.items.length === 0 && (
              <Text className={styles.muted}>
                Nothing here yet. Log a run with the snippet, or create a model.
              </Text>
            )}
            <ul className={styles.list}>
              {data?.items.map((item) => (
                <RecentItem key={`${item.kind} ${item.key}`} workspace={workspace} item={item} />
              ))}
            </ul>
          </Card>
          <div className={styles.column}>
            <RecentRuns workspace={workspace} />
            <Card title="Log a run">
              <Text block className={styles.steps}>
                Any MLflow client works unchanged: <code>pip install mlflow</code>, then name this
                server.
              </Text>
              <CodeBlock
                label="Snippet"
                language="python"
                code={firstRun(window.location.origin, workspace)}
              />
            </Card>
          </div>
        </div>
      </div>
    </Screen>
  );
}

/** The newest runs of all experiments; nothing while there are none, since the snippet says how. */
function RecentRuns({ workspace }: { workspace: string }) {
  const styles = useStyles();
  const source = runSource(workspace, []);
  const { data } = useQuery({
    queryKey: [...source.id, "recent"],
    queryFn: ({ signal }) =>
      source.search(
        {
          columns: ["run_name", "status", "start_time"],
          filter: "",
          orderBy: ["start_time DESC"],
          offset: 0,
          limit: RECENT_RUNS,
        },
        signal,
      ),
    meta: { watch: source.watch },
  });
  if (!data || data.rows.length === 0) return null;
  return (
    <Card
      title="Recent runs"
      beside={
        <RouteLink to="/w/$workspace/runs" params={{ workspace }}>
          All runs
        </RouteLink>
      }
    >
      <ul className={styles.list}>
        {data.rows.map(({ key, cells: [name, status, started] }) => (
          <li key={key} className={mergeClasses(styles.item, styles.run)}>
            <span className={styles.name} dir="auto">
              <RouteLink to="/w/$workspace/runs/$run" params={{ workspace, run: key }}>
                {String(name ?? "") || key.slice(-8)}
              </RouteLink>
            </span>
            {typeof status === "string" ? <RunStatus status={status} /> : <span />}
            <Text size={200} className={mergeClasses(styles.muted, styles.when)}>
              {typeof started === "number" && <TimeText ms={started} />}
            </Text>
          </li>
        ))}
      </ul>
    </Card>
  );
}

function RecentItem({ workspace, item }: { workspace: string; item: Shapes["Item"] }) {
  const styles = useStyles();
  const isModel = item.kind === "model";
  return (
    <li className={styles.item}>
      <span className={mergeClasses(styles.icon, styles[item.kind])} aria-hidden>
        {isModel ? <BoxMultipleRegular /> : <BeakerRegular />}
      </span>
      <span className={styles.name} dir="auto" title={item.name}>
        {isModel ? (
          <RouteLink to="/w/$workspace/models/$model" params={{ workspace, model: item.key }}>
            {item.name}
          </RouteLink>
        ) : (
          <RouteLink
            to="/w/$workspace/experiments/$experiment"
            params={{ workspace, experiment: item.key }}
          >
            {item.name}
          </RouteLink>
        )}
      </span>
      <Text size={200} className={styles.muted}>
        {isModel ? plural(item.versions, "version") : plural(item.runs, "run")} ·{" "}
        <TimeText ms={item.updated_ms} />
      </Text>
    </li>
  );
}
