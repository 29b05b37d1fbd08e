/**
 * One job: how far it is, what it was told, what came of it.
 *
 * Always holds: state and progress follow the worker by themselves. The result is read by a worker,
 * so it is asked for only when somebody opens it (`result=1` in the address).
 */
import {
  Button,
  makeStyles,
  MessageBar,
  MessageBarBody,
  MessageBarTitle,
  Text,
  tokens,
} from "@fluentui/react-components";
import { ArrowClockwiseRegular, DismissCircleRegular, TableRegular } from "@fluentui/react-icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useSearchState } from "@/lib/useSearchState.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { Card } from "@/parts/Card.tsx";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import type { Command } from "@/parts/commands.ts";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Facts } from "@/parts/Facts.tsx";
import { PreviewTable } from "@/parts/files/PreviewTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { notifyFailure } from "@/parts/notices.ts";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { RunStatus } from "@/parts/RunStatus.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import { Duration, JobProgress, ModelLink } from "./JobsScreen.tsx";
import { cancelJob, type Job, jobQuery, resultQuery, retryJob } from "./queries.ts";
import { ReceiptView } from "./ReceiptView.tsx";

const useStyles = makeStyles({
  page: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalL, minWidth: 0 },
  head: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    columnGap: tokens.spacingHorizontalL,
    rowGap: tokens.spacingVerticalS,
  },
  title: { margin: 0 },
  progress: { flexGrow: 1, maxWidth: "420px", minWidth: "180px" },
  columns: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(min(400px, 100%), 1fr))",
    gap: tokens.spacingHorizontalL,
    alignItems: "start",
  },
  address: { overflowWrap: "anywhere" },
  error: { whiteSpace: "pre-wrap", overflowWrap: "anywhere", paddingBlock: "8px" },
});

export function JobScreen() {
  const workspace = useWorkspace();
  const { job: id = "" } = useParams({ strict: false });
  const queries = useQueryClient();
  const [search, change] = useSearchState();
  const query = jobQuery(workspace, id);
  const { data: job, error, refetch } = useQuery(query);
  const isResultShown = search["result"] === "1";

  function act(call: Promise<Job>, failed: string) {
    call
      .then((next) => queries.setQueryData(query.queryKey, next))
      .catch((failure: unknown) => notifyFailure(failed, failure));
  }

  return (
    <Screen
      title={`Job ${id}`}
      crumbs={[
        <RouteLink key="ws" to="/w/$workspace" params={{ workspace }} appearance="subtle">
          {workspace}
        </RouteLink>,
        <RouteLink key="jobs" to="/w/$workspace/jobs" params={{ workspace }} appearance="subtle">
          Monitor
        </RouteLink>,
      ]}
      commands={
        job
          ? commandsOf(job, {
              cancel: () => act(cancelJob(workspace, id), "The job was not cancelled"),
              retry: () => act(retryJob(workspace, id), "The job was not begun again"),
              result: () => change({ result: isResultShown ? "" : "1" }),
            })
          : []
      }
    >
      {error && (
        <ErrorView
          error={error}
          what="This job could not be shown"
          onRetry={() => void refetch()}
        />
      )}
      {!job && !error && <Loading lines={8} height={32} />}
      {job && (
        <Details
          workspace={workspace}
          job={job}
          isResultShown={isResultShown}
          onResult={() => change({ result: "1" })}
        />
      )}
    </Screen>
  );
}

interface Acts {
  readonly cancel: () => void;
  readonly retry: () => void;
  readonly result: () => void;
}

function commandsOf(job: Job, acts: Acts): Command[] {
  const hasEnded = ["done", "failed", "cancelled"].includes(job.state);
  return [
    {
      id: "cancel",
      label: "Cancel",
      icon: <DismissCircleRegular />,
      run: acts.cancel,
      refusal: hasEnded
        ? "The job has ended"
        : job.cancelling
          ? "It ends as soon as its worker hears of it"
          : undefined,
    },
    {
      id: "retry",
      label: "Retry",
      icon: <ArrowClockwiseRegular />,
      run: acts.retry,
      refusal:
        job.state === "failed" || job.state === "cancelled"
          ? undefined
          : "Only a failed or cancelled job is done again",
    },
    {
      id: "result",
      label: "Show result",
      icon: <TableRegular />,
      run: acts.result,
      refusal: job.state === "done" ? undefined : "The result is there when the job is done",
    },
  ];
}

interface DetailsProps {
  readonly workspace: string;
  readonly job: Job;
  readonly isResultShown: boolean;
  readonly onResult: () => void;
}

function Details({ workspace, job, isResultShown, onResult }: DetailsProps) {
  const styles = useStyles();
  const isLive = ["queued", "claimed", "running"].includes(job.state);
  return (
    <article className={styles.page} aria-label={`Job ${job.id}`}>
      <div className={styles.head} role="status">
        <Text as="h1" size={500} weight="semibold" className={styles.title}>
          Job {job.id}
        </Text>
        <RunStatus status={job.state} />
        {job.cancelling && <Text>is being cancelled</Text>}
        {isLive && (
          <div className={styles.progress}>
            <JobProgress job={job} />
          </div>
        )}
      </div>
      {job.error !== "" && (
        <MessageBar intent={job.state === "failed" ? "error" : "warning"} layout="multiline">
          <MessageBarBody className={styles.error}>
            <MessageBarTitle>
              {job.state === "failed" ? "The job failed." : "It is tried again."}
            </MessageBarTitle>{" "}
            {job.error}
          </MessageBarBody>
        </MessageBar>
      )}
      <div className={styles.columns}>
        <Card title="Overview">
          <Facts
            facts={[
              { word: "Model", what: <ModelLink workspace={workspace} job={job} /> },
              { word: "Submitted by", what: job.submitted_by },
              { word: "Submitted", what: <TimeText ms={job.submitted_ms} /> },
              {
                word: "Started",
                what: job.started_ms !== null && <TimeText ms={job.started_ms} />,
              },
              { word: "Ended", what: job.ended_ms !== null && <TimeText ms={job.ended_ms} /> },
              { word: "Duration", what: job.started_ms !== null && <Duration job={job} /> },
              { word: "Attempts", what: job.attempts },
              { word: "Worker", what: job.worker && <code>{job.worker}</code> },
              {
                word: "Schedule",
                what: job.schedule !== null && (
                  <RouteLink
                    to="/w/$workspace/jobs"
                    params={{ workspace }}
                    search={{ tab: "schedules" }}
                  >
                    {`Schedule ${job.schedule}`}
                  </RouteLink>
                ),
              },
            ].map((fact) => ({ ...fact, what: fact.what === false ? null : fact.what }))}
          />
        </Card>
        <Card title="Plan">
          <Plan job={job} />
        </Card>
      </div>
      {job.state === "done" && (
        <Card
          title="Result"
          beside={
            !isResultShown && (
              <Button size="small" icon={<TableRegular />} onClick={onResult}>
                Open as a table
              </Button>
            )
          }
        >
          {isResultShown ? (
            <Result workspace={workspace} job={job} />
          ) : (
            <code className={styles.address}>{job.output}</code>
          )}
        </Card>
      )}
      {job.receipt && <ReceiptView receipt={job.receipt} />}
      {job.receipt && (
        <details>
          <summary>The whole receipt</summary>
          <CodeBlock label="Receipt" language="json" code={JSON.stringify(job.receipt, null, 2)} />
        </details>
      )}
    </article>
  );
}

function Plan({ job }: { readonly job: Job }) {
  const { input, output, mapping = {}, params = {}, casts = [], env, engine } = job.plan;
  const mapped = Object.entries(mapping).map(([to, from]) => `${to} from ${from}`);
  const given = Object.entries(params).map(([name, value]) => `${name} = ${JSON.stringify(value)}`);
  return (
    <Facts
      facts={[
        { word: "Input", what: <code>{job.input}</code> },
        { word: "Input version", what: input.version ?? input.at },
        { word: "Output", what: <code>{job.output}</code> },
        { word: "Mode", what: output.mode ?? "create" },
        { word: "Key", what: output.key?.join(", ") },
        { word: "Kept columns", what: output.columns?.join(", ") ?? "all" },
        { word: "Predictions", what: output.predictions?.join(", ") },
        { word: "Mapping", what: mapped.join(", ") },
        { word: "Casts", what: casts.join(", ") },
        { word: "Parameters", what: given.join(", ") },
        { word: "Engine", what: engine === "spark" ? "Apache Spark" : "the worker's machine" },
        { word: "Environment", what: env === "uv" ? "the version's own" : "the worker's" },
      ]}
    />
  );
}

function Result({ workspace, job }: { readonly workspace: string; readonly job: Job }) {
  const { data, error, refetch } = useQuery(resultQuery(workspace, job));
  const box = useRef<HTMLDivElement>(null);
  // The command that opens it stands at the top; on a telephone the result is far below.
  useEffect(() => box.current?.scrollIntoView({ block: "nearest" }), []);
  return (
    <div ref={box}>
      {error ? (
        <ErrorView
          error={error}
          what="The result could not be read"
          onRetry={() => void refetch()}
        />
      ) : data ? (
        <PreviewTable
          label="Result"
          columns={data.columns.map((column) => column.name)}
          rows={data.rows.map((row) => row.map((value) => cellOf(value)))}
          {...(data.total_rows === null ? {} : { total: data.total_rows })}
        />
      ) : (
        <Loading lines={6} />
      )}
    </div>
  );
}

/** A value as the API gives it: a number, a text, a truth, or nothing. */
function cellOf(value: unknown): string {
  return typeof value === "string" ? value : value === null ? "" : JSON.stringify(value);
}
