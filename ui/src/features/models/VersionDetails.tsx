/** Everything known of one version. */
import { makeStyles, Select, Tab, TabList, Text, tokens } from "@fluentui/react-components";
import { plural, sizeText } from "@/lib/format.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { Card } from "@/parts/Card.tsx";
import { CopyButton } from "@/parts/CopyButton.tsx";
import { DatasetList } from "@/parts/DatasetList.tsx";
import { Description } from "@/parts/Description.tsx";
import { EnvironmentView } from "@/parts/EnvironmentView.tsx";
import { Facts } from "@/parts/Facts.tsx";
import { FileBrowser } from "@/parts/files/FileBrowser.tsx";
import { KeyValueTable } from "@/parts/KeyValueTable.tsx";
import { notify, notifyFailure } from "@/parts/notices.ts";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { SignatureView } from "@/parts/SignatureView.tsx";
import { TagList } from "@/parts/TagList.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import { AliasEditor } from "./AliasEditor.tsx";
import { AppliedList } from "./AppliedList.tsx";
import { ApplyMenu } from "./ApplyMenu.tsx";
import { EndpointView } from "./endpoint/EndpointView.tsx";
import { HistoryList } from "./HistoryList.tsx";
import { MetricsCard } from "./MetricsCard.tsx";
import { ScanLabel, ScanView } from "./ScanView.tsx";
import {
  type Model,
  placeOf,
  type Stage,
  tagVersion,
  updateVersion,
  useSettled,
  type Version,
} from "./queries.ts";

const STAGES: readonly Stage[] = ["None", "Staging", "Production", "Archived"];
const TABS = {
  lineage: "Lineage",
  endpoint: "Endpoint",
  applied: "Applied where",
  history: "History",
  environment: "Environment",
  datasets: "Data sets",
  scan: "Scan",
} as const;
type TabName = keyof typeof TABS;

const useStyles = makeStyles({
  page: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalL, minWidth: 0 },
  head: { display: "flex", flexWrap: "wrap", alignItems: "center", gap: tokens.spacingHorizontalM },
  title: { margin: 0 },
  stage: { minWidth: "120px" },
  end: { marginInlineStart: "auto" },
  columns: {
    display: "grid",
    gridTemplateColumns: "repeat(2, minmax(0, 1fr))",
    gap: tokens.spacingHorizontalL,
    alignItems: "start",
    "@media (max-width: 1100px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  column: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalL, minWidth: 0 },
  pair: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(min(300px, 100%), 1fr))",
    gap: tokens.spacingHorizontalL,
    alignItems: "start",
  },
  id: { display: "inline-flex", alignItems: "center", minWidth: 0 },
  tabs: { marginBottom: tokens.spacingVerticalM, overflow: "auto" },
});

export interface VersionDetailsProps {
  readonly workspace: string;
  readonly model: Model;
  readonly version: Version;
}

export function VersionDetails({ workspace, model, version }: VersionDetailsProps) {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const settled = useSettled(workspace, model.name);
  const taken = Object.fromEntries(model.aliases.map((alias) => [alias.name, alias.version]));

  async function move(stage: Stage) {
    const before = STAGES.find((each) => each === version.stage) ?? "None";
    try {
      await settled(updateVersion(workspace, version, { stage }));
      notify({
        title: `Version ${version.version} is in ${stage}`,
        undo: () => settled(updateVersion(workspace, version, { stage: before })),
      });
    } catch (error) {
      notifyFailure("The stage was not changed", error);
    }
  }

  return (
    <article className={styles.page} aria-label={`Version ${version.version}`}>
      <div className={styles.head}>
        <Text as="h2" size={500} weight="semibold" className={styles.title}>
          Version {version.version}
        </Text>
        <AliasEditor workspace={workspace} version={version} taken={taken} />
        <Select
          size="small"
          className={styles.stage}
          aria-label="Stage"
          value={version.stage}
          onChange={(_event, data) => void move(data.value as Stage)}
        >
          {STAGES.map((stage) => (
            <option key={stage} value={stage}>
              {stage === "None" ? "No stage" : stage}
            </option>
          ))}
        </Select>
        <span className={styles.end}>
          <ApplyMenu workspace={workspace} version={version} />
        </span>
      </div>
      <Description
        key={version.version}
        text={version.description}
        keys="e"
        onSave={(description) => settled(updateVersion(workspace, version, { description }))}
      />
      <div className={styles.columns}>
        <div className={styles.column}>
          <Card title="Overview">
            <Overview workspace={workspace} version={version} />
          </Card>
          <Card title="Schema">
            <SignatureView signature={version.signature} />
          </Card>
        </div>
        <div className={styles.column}>
          <MetricsCard workspace={workspace} version={version} />
          <div className={styles.pair}>
            <Card title="Hyperparameters">
              <KeyValueTable
                label="Hyperparameters"
                pairs={version.params}
                none="No hyperparameters were logged"
              />
            </Card>
            <Card title="Tags">
              <TagList
                key={version.version}
                tags={version.tags}
                onChange={(changes) => settled(tagVersion(workspace, version, changes))}
              />
            </Card>
          </div>
        </div>
      </div>
      <Card title="Files">
        <FileBrowser
          place={placeOf(workspace, version)}
          path={search["path"] ?? ""}
          onPath={(path) => change({ path })}
          none="This version has no files"
        />
      </Card>
      <More workspace={workspace} version={version} />
    </article>
  );
}

function Overview({ workspace, version }: { workspace: string; version: Version }) {
  const styles = useStyles();
  const { run, code } = version;
  return (
    <Facts
      facts={[
        { word: "Time created", what: <TimeText ms={version.created_ms} /> },
        {
          word: "Run name",
          what: run && (
            <RouteLink to="/w/$workspace/runs/$run" params={{ workspace, run: run.id }}>
              {run.name}
            </RouteLink>
          ),
        },
        { word: "Registered by", what: version.registered_by },
        { word: "Status", what: [version.status, version.status_message].join(" ").trim() },
        { word: "Source code", what: code.name },
        { word: "Git commit", what: code.commit && <code>{code.commit.slice(0, 12)}</code> },
        {
          word: "Scan",
          what: <ScanLabel scan={version.scan} />,
        },
        { word: "Flavors", what: version.flavors.map((flavor) => flavor.name).join(", ") },
        { word: "Python", what: version.environment.python },
        {
          word: "Size",
          what: `${sizeText(version.size_bytes)} in ${plural(version.files_total, "file")}`,
        },
        {
          word: "Digest",
          what: (
            <span className={styles.id}>
              <code title={version.digest}>{version.digest.slice(0, 16)}…</code>
              <CopyButton text={version.digest} what="digest" />
            </span>
          ),
        },
        {
          word: "Address",
          what: (
            <span className={styles.id}>
              <code>{`models:/${version.model}/${version.version}`}</code>
              <CopyButton text={`models:/${version.model}/${version.version}`} what="address" />
            </span>
          ),
        },
      ]}
    />
  );
}

function More({ workspace, version }: { workspace: string; version: Version }) {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const tab =
    Object.keys(TABS).find((each): each is TabName => each === search["tab"]) ?? "lineage";
  return (
    <Card title="More">
      <TabList
        size="small"
        className={styles.tabs}
        selectedValue={tab}
        onTabSelect={(_event, data) => change({ tab: String(data.value) })}
        aria-label="More of this version"
      >
        {Object.entries(TABS).map(([value, label]) => (
          <Tab key={value} value={value}>
            {label}
          </Tab>
        ))}
      </TabList>
      {tab === "lineage" && <Lineage workspace={workspace} version={version} />}
      {tab === "endpoint" && <EndpointView workspace={workspace} version={version} />}
      {tab === "applied" && <AppliedList workspace={workspace} version={version} />}
      {tab === "scan" && <ScanView workspace={workspace} version={version} />}
      {tab === "history" && <HistoryList changes={version.history} />}
      {tab === "environment" && (
        <EnvironmentView environment={version.environment} flavors={version.flavors} />
      )}
      {tab === "datasets" && <DatasetList datasets={version.datasets} />}
    </Card>
  );
}

function Lineage({ workspace, version }: { workspace: string; version: Version }) {
  const { run, source, copies, datasets } = version;
  const from = source.copied_from;
  return (
    <Facts
      facts={[
        {
          word: "Experiment",
          what: run && (
            <RouteLink
              to="/w/$workspace/experiments/$experiment"
              params={{ workspace, experiment: run.experiment }}
            >
              {run.experiment_name}
            </RouteLink>
          ),
        },
        {
          word: "Run",
          what: run && (
            <RouteLink to="/w/$workspace/runs/$run" params={{ workspace, run: run.id }}>
              {run.deleted ? `${run.name} (deleted since)` : run.name}
            </RouteLink>
          ),
        },
        {
          word: "Logged model",
          what: source.logged_model !== "" && (
            <RouteLink
              to="/w/$workspace/logged-models/$loggedModel"
              params={{ workspace, loggedModel: source.logged_model }}
            >
              {source.logged_model}
            </RouteLink>
          ),
        },
        { word: "Registered from", what: <code>{source.uri}</code> },
        {
          word: "Data sets",
          what: datasets.map((each) => `${each.name} (${each.digest})`).join(", "),
        },
        { word: "Copied from", what: from && <Ref workspace={workspace} of={from} /> },
        {
          word: "Copies",
          what:
            copies.length > 0 &&
            copies.map((copy) => (
              <div key={`${copy.model}/${copy.version}`}>
                <Ref workspace={workspace} of={copy} />
              </div>
            )),
        },
      ].map((fact) => ({ ...fact, what: fact.what === false ? null : fact.what }))}
    />
  );
}

function Ref({ workspace, of }: { workspace: string; of: { model: string; version: number } }) {
  return (
    <RouteLink
      to="/w/$workspace/models/$model/versions/$version"
      params={{ workspace, model: of.model, version: String(of.version) }}
    >
      {`${of.model}, version ${of.version}`}
    </RouteLink>
  );
}
