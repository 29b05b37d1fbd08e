/**
 * One experiment: what it is about, and its runs.
 *
 * Always holds: the list's state is in the address; runs that are logged meanwhile appear by
 * themselves.
 */
import { Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import {
  ArrowUndoRegular,
  BeakerRegular,
  ChevronDownRegular,
  ChevronUpRegular,
  DeleteRegular,
  RenameRegular,
} from "@fluentui/react-icons";
import { type QueryClient, useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { plural } from "@/lib/format.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import type { Command } from "@/parts/commands.ts";
import { DeletedBar } from "@/parts/DeletedBar.tsx";
import { Description } from "@/parts/Description.tsx";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { notify, notifyFailure } from "@/parts/notices.ts";
import { RenameDialog } from "@/parts/RenameDialog.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { TagList } from "@/parts/TagList.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import {
  deleteExperiment,
  type Experiment,
  experimentQuery,
  restoreExperiment,
  tagExperiment,
  updateExperiment,
} from "./queries.ts";
import { askForRunCharts, RunList } from "./RunList.tsx";
import { snippetOf } from "./snippet.ts";

const useStyles = makeStyles({
  head: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalXS,
    flexShrink: 0,
    maxHeight: "45%",
    overflowY: "auto",
    paddingBlock: tokens.spacingVerticalS,
    paddingInline: tokens.spacingHorizontalL,
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  title: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    columnGap: tokens.spacingHorizontalM,
    minWidth: 0,
  },
  name: {
    margin: 0,
    minWidth: 0,
    overflowWrap: "anywhere",
    maxHeight: `calc(2 * ${tokens.lineHeightBase500})`,
    overflowY: "auto",
  },
  facts: { color: tokens.colorNeutralForeground2 },
  more: { marginInlineStart: "auto" },
  about: {
    display: "grid",
    gridTemplateColumns: "minmax(0, 2fr) minmax(0, 1fr)",
    gap: tokens.spacingHorizontalXL,
    "@media (max-width: 720px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  loading: { padding: tokens.spacingHorizontalL },
});

export function askAhead(
  queries: QueryClient,
  { workspace = "", experiment = "" }: Readonly<Record<string, string>>,
  search: string,
): void {
  askForRunCharts(queries, workspace, [experiment], search);
}

export function ExperimentScreen() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const { experiment: id = "" } = useParams({ strict: false });
  const { data: experiment, error, refetch } = useQuery(experimentQuery(workspace, id));
  if (experiment === undefined) {
    return (
      <Screen title="Experiment" crumbs={crumbsOf(workspace)}>
        {error ? (
          <ErrorView error={error} onRetry={() => void refetch()} />
        ) : (
          <div className={styles.loading}>
            <Loading lines={8} height={32} />
          </div>
        )}
      </Screen>
    );
  }
  return <LoadedExperiment key={id} workspace={workspace} experiment={experiment} />;
}

function crumbsOf(workspace: string): ReactNode[] {
  return [
    <RouteLink key="ws" to="/w/$workspace" params={{ workspace }} appearance="subtle">
      {workspace}
    </RouteLink>,
  ];
}

interface LoadedProps {
  readonly workspace: string;
  readonly experiment: Experiment;
}

function LoadedExperiment({ workspace, experiment }: LoadedProps) {
  const queries = useQueryClient();
  const [isRenaming, setRenaming] = useState(false);
  const { id } = experiment;
  const { queryKey } = experimentQuery(workspace, id);
  const isDeleted = experiment.deleted_ms !== null;

  async function change(body: Parameters<typeof updateExperiment>[2]) {
    queries.setQueryData(queryKey, await updateExperiment(workspace, id, body));
  }
  async function restore() {
    queries.setQueryData(queryKey, await restoreExperiment(workspace, id));
    await queries.invalidateQueries({ queryKey: ["runs", workspace] });
  }
  async function remove() {
    try {
      await deleteExperiment(workspace, id);
      notify({ title: "Experiment deleted, with its runs", undo: restore });
    } catch (error) {
      notifyFailure("The experiment was not deleted", error);
    }
    await queries.invalidateQueries({ queryKey });
    await queries.invalidateQueries({ queryKey: ["runs", workspace] });
  }
  const restoreNow = () => {
    restore().catch((error: unknown) => notifyFailure("The experiment was not restored", error));
  };
  const commands: Command[] = [
    {
      id: "rename",
      label: "Rename",
      icon: <RenameRegular />,
      run: () => setRenaming(true),
      refusal: isDeleted ? "Restore the experiment first" : undefined,
    },
    isDeleted
      ? { id: "restore", label: "Restore", icon: <ArrowUndoRegular />, run: restoreNow }
      : { id: "delete", label: "Delete", icon: <DeleteRegular />, run: () => void remove() },
  ];
  return (
    <Screen title={experiment.name} crumbs={crumbsOf(workspace)} commands={commands} isFixed>
      {isDeleted && (
        <DeletedBar onRestore={restoreNow}>This experiment is deleted, with its runs.</DeletedBar>
      )}
      <Head
        workspace={workspace}
        experiment={experiment}
        onDescribe={isDeleted ? undefined : (description) => change({ description })}
      />
      <RunList
        workspace={workspace}
        experiments={[id]}
        scope={`experiment/${id}`}
        label={`Runs of ${experiment.name}`}
        empty={
          isDeleted ? (
            <Text>
              Its runs were deleted with it and come back with it; until then they are among the
              deleted runs.
            </Text>
          ) : (
            <Teaching name={experiment.name} workspace={workspace} />
          )
        }
      />
      {isRenaming && (
        <RenameDialog
          noun="experiment"
          name={experiment.name}
          onRename={(name) => change({ name })}
          onClose={() => setRenaming(false)}
        />
      )}
    </Screen>
  );
}

function Head({
  workspace,
  experiment,
  onDescribe,
}: LoadedProps & { readonly onDescribe: ((text: string) => Promise<void>) | undefined }) {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const isOpen = search["about"] === "1";
  return (
    <header className={styles.head}>
      <div className={styles.title}>
        <Text as="h1" size={500} weight="semibold" className={styles.name} dir="auto">
          {experiment.name}
        </Text>
        <Text size={200} className={styles.facts}>
          {plural(experiment.runs, "run")}
          {experiment.last_run_ms !== null && (
            <>
              , the newest <TimeText ms={experiment.last_run_ms} />
            </>
          )}
        </Text>
        <Button
          className={styles.more}
          size="small"
          appearance="subtle"
          aria-expanded={isOpen}
          icon={isOpen ? <ChevronUpRegular /> : <ChevronDownRegular />}
          iconPosition="after"
          onClick={() => change({ about: isOpen ? "" : "1" })}
        >
          Description and tags
        </Button>
      </div>
      {isOpen && (
        <div className={styles.about}>
          <Description text={experiment.description} keys="e" onSave={onDescribe} />
          <TagList
            tags={experiment.tags}
            onChange={onDescribe && ((changes) => tagExperiment(workspace, experiment.id, changes))}
          />
        </div>
      )}
    </header>
  );
}

function Teaching({ name, workspace }: { readonly name: string; readonly workspace: string }) {
  return (
    <EmptyState
      title="No runs yet"
      icon={<BeakerRegular />}
      more={
        <CodeBlock
          code={snippetOf(window.location.origin, workspace, name)}
          language="python"
          label="Snippet"
        />
      }
    >
      Runs appear here by themselves as soon as training code logs them.
    </EmptyState>
  );
}
