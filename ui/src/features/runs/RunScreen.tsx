/**
 * One run: what is known of it, its curves as they grow, its images and files.
 *
 * Always holds: the tab and what it shows are in the address; what changes on the server shows
 * without being asked for.
 */
import { Badge, makeStyles, Tab, TabList, Text, tokens } from "@fluentui/react-components";
import {
  ArrowUndoRegular,
  BoxMultipleRegular,
  DeleteRegular,
  RenameRegular,
  StopRegular,
} from "@fluentui/react-icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { useSearchState } from "@/lib/useSearchState.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import type { Command } from "@/parts/commands.ts";
import { DeletedBar } from "@/parts/DeletedBar.tsx";
import { Description } from "@/parts/Description.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { notify, notifyFailure } from "@/parts/notices.ts";
import { RenameDialog } from "@/parts/RenameDialog.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { isLiveStatus, RunStatus } from "@/parts/RunStatus.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { deleteRun, restoreRun, type Run, runQuery, updateRun } from "./queries.ts";
import { RunFiles } from "./RunFiles.tsx";
import { RunOverview } from "./RunOverview.tsx";
import { SaveAsModelDialog } from "./SaveAsModelDialog.tsx";
import { StepImages } from "./StepImages.tsx";
import { useGrowingSeries } from "./useRunSeries.ts";

// ECharts is most of the code of a run's page, and the overview draws no chart.
const MetricCharts = lazy(async () => {
  const { MetricCharts: component } = await import("./MetricCharts.tsx");
  return { default: component };
});

const useStyles = makeStyles({
  head: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalS,
    paddingBottom: tokens.spacingVerticalM,
  },
  title: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    minWidth: 0,
  },
  name: {
    margin: 0,
    minWidth: 0,
    overflowWrap: "anywhere",
    maxHeight: `calc(3 * ${tokens.lineHeightBase500})`,
    overflowY: "auto",
  },
  tabs: {
    marginInline: `calc(-1 * ${tokens.spacingHorizontalS})`,
    paddingBottom: tokens.spacingVerticalM,
    overflowX: "auto",
  },
});

export function RunScreen() {
  const workspace = useWorkspace();
  const { run: id = "" } = useParams({ strict: false });
  const { data: run, error, refetch } = useQuery(runQuery(workspace, id));
  if (run === undefined) {
    return (
      <Screen title="Run" crumbs={crumbsOf(workspace)}>
        {error ? (
          <ErrorView error={error} onRetry={() => void refetch()} />
        ) : (
          <Loading lines={6} height={40} />
        )}
      </Screen>
    );
  }
  return <LoadedRun key={id} workspace={workspace} run={run} />;
}

function crumbsOf(workspace: string, run?: Run): ReactNode[] {
  const crumbs = [
    <RouteLink key="ws" to="/w/$workspace" params={{ workspace }} appearance="subtle">
      {workspace}
    </RouteLink>,
  ];
  if (run) {
    crumbs.push(
      <RouteLink
        key="experiment"
        to="/w/$workspace/experiments/$experiment"
        params={{ workspace, experiment: run.experiment }}
        appearance="subtle"
      >
        {run.experiment_name}
      </RouteLink>,
    );
  }
  return crumbs;
}

type Opened = "rename" | "save" | null;

function LoadedRun({ workspace, run }: { readonly workspace: string; readonly run: Run }) {
  const styles = useStyles();
  const queries = useQueryClient();
  const [opened, setOpened] = useState<Opened>(null);
  const isDeleted = run.deleted_ms !== null;
  useGrowingSeries(workspace, run.id, isLiveStatus(run.status));
  const refresh = () => queries.invalidateQueries({ ...runQuery(workspace, run.id), exact: true });

  async function restore() {
    await restoreRun(workspace, run.id);
    await refresh();
  }

  async function remove() {
    try {
      await deleteRun(workspace, run.id);
      notify({ title: "Run deleted", undo: restore });
    } catch (error) {
      notifyFailure("The run was not deleted", error);
    }
    await refresh();
  }

  async function change(body: Parameters<typeof updateRun>[2]) {
    queries.setQueryData(
      runQuery(workspace, run.id).queryKey,
      await updateRun(workspace, run.id, body),
    );
  }

  const restoreNow = () => {
    restore().catch((error: unknown) => notifyFailure("The run was not restored", error));
  };
  const commands = commandsOf(run, {
    rename: () => setOpened("rename"),
    save: () => setOpened("save"),
    remove: () => void remove(),
    restore: restoreNow,
    stop: () => {
      change({ status: "KILLED" }).catch((error: unknown) =>
        notifyFailure("The run was not marked as stopped", error),
      );
    },
  });
  return (
    <Screen title={run.name} crumbs={crumbsOf(workspace, run)} commands={commands}>
      {isDeleted && (
        <DeletedBar onRestore={restoreNow}>This run is deleted. It can be restored.</DeletedBar>
      )}
      <header className={styles.head}>
        <div className={styles.title}>
          <Text as="h1" size={500} weight="semibold" className={styles.name} dir="auto">
            {run.name}
          </Text>
          <Badge appearance="outline" color="informative" size="large">
            <RunStatus status={run.status} />
          </Badge>
        </div>
        <Description
          text={run.description}
          keys="e"
          onSave={isDeleted ? undefined : (description) => change({ description })}
        />
      </header>
      <RunTabs workspace={workspace} run={run} />
      {opened === "rename" && (
        <RenameDialog
          noun="run"
          name={run.name}
          onRename={(name) => change({ name })}
          onClose={() => setOpened(null)}
        />
      )}
      {opened === "save" && (
        <SaveAsModelDialog workspace={workspace} run={run} onClose={() => setOpened(null)} />
      )}
    </Screen>
  );
}

function commandsOf(
  run: Run,
  act: Readonly<Record<"rename" | "save" | "remove" | "restore" | "stop", () => void>>,
): Command[] {
  const deleted = run.deleted_ms === null ? undefined : "Restore the run first";
  const commands: Command[] = [
    {
      id: "save",
      label: "Save as ML model",
      icon: <BoxMultipleRegular />,
      isPrimary: true,
      keys: "s",
      run: act.save,
      refusal: deleted ?? (run.models.length === 0 ? "This run made no model" : undefined),
    },
    {
      id: "rename",
      label: "Rename",
      icon: <RenameRegular />,
      run: act.rename,
      refusal: deleted,
    },
  ];
  if (isLiveStatus(run.status)) {
    commands.push({
      id: "stop",
      label: "Mark as stopped",
      icon: <StopRegular />,
      run: act.stop,
      refusal: deleted,
    });
  }
  commands.push(
    deleted === undefined
      ? { id: "delete", label: "Delete", icon: <DeleteRegular />, run: act.remove }
      : { id: "restore", label: "Restore", icon: <ArrowUndoRegular />, run: act.restore },
  );
  return commands;
}

const TABS = ["overview", "metrics", "system", "images", "files"] as const;
type TabName = (typeof TABS)[number];
const TITLES: Readonly<Record<TabName, string>> = {
  overview: "Overview",
  metrics: "Metric charts",
  system: "System metrics",
  images: "Images",
  files: "Files",
};

function RunTabs({ workspace, run }: { readonly workspace: string; readonly run: Run }) {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const tab = TABS.find((each) => each === search["tab"]) ?? "overview";
  const system = run.metrics.filter((metric) => metric.key.startsWith("system/"));
  const own = run.metrics.filter((metric) => !metric.key.startsWith("system/"));
  const hasImages = run.files.some((file) => file.is_folder && file.name === "images");
  const offered: Readonly<Record<TabName, boolean>> = {
    overview: true,
    metrics: true,
    system: system.length > 0 || tab === "system",
    images: hasImages || tab === "images",
    files: true,
  };
  return (
    <>
      <TabList
        className={styles.tabs}
        selectedValue={tab}
        onTabSelect={(_event, data) =>
          change({ tab: data.value === "overview" ? "" : (data.value as TabName) }, "push")
        }
      >
        {TABS.filter((each) => offered[each]).map((each) => (
          <Tab key={each} value={each} id={`tab-${each}`}>
            {TITLES[each]}
          </Tab>
        ))}
      </TabList>
      <div role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === "overview" && <RunOverview workspace={workspace} run={run} />}
        {tab === "files" && <RunFiles workspace={workspace} kind="run" id={run.id} />}
        {tab === "images" && (
          <StepImages
            workspace={workspace}
            run={run.id}
            step={search["step"] === undefined ? undefined : Number(search["step"])}
            onStep={(step) => change({ step: String(step) })}
          />
        )}
        {(tab === "metrics" || tab === "system") && (
          <Suspense fallback={<Loading lines={6} height={40} />}>
            <MetricCharts
              key={tab}
              workspace={workspace}
              run={run.id}
              runName={run.name}
              metrics={(tab === "system" ? system : own).map((metric) => metric.key)}
              isLive={isLiveStatus(run.status)}
            />
          </Suspense>
        )}
      </div>
    </>
  );
}
