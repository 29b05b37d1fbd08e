/**
 * Monitor: jobs of a workspace with their state, progress and who submitted them, and schedules.
 *
 * Always holds: filters are in the address; what workers do meanwhile appears by itself.
 */
import {
  Button,
  Input,
  makeStyles,
  ProgressBar,
  Select,
  Tab,
  TabList,
  Text,
  tokens,
} from "@fluentui/react-components";
import { DeleteRegular, PulseRegular } from "@fluentui/react-icons";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useMemo } from "react";
import { countText, exactTime, plural } from "@/lib/format.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { type ListColumn, ListTable } from "@/parts/ListTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { notify, notifyFailure } from "@/parts/notices.ts";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { RunStatus } from "@/parts/RunStatus.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { durationText } from "@/parts/table/cellText.ts";
import { Elapsed, TimeText } from "@/parts/TimeText.tsx";
import {
  createSchedule,
  deleteSchedule,
  type Job,
  type JobState,
  jobsQuery,
  type Schedule,
  schedulesQuery,
} from "./queries.ts";

const STATES: Readonly<Record<string, { label: string; states: readonly JobState[] }>> = {
  "": { label: "All states", states: [] },
  live: { label: "Waiting or running", states: ["queued", "claimed", "running"] },
  done: { label: "Done", states: ["done"] },
  failed: { label: "Failed", states: ["failed"] },
  cancelled: { label: "Cancelled", states: ["cancelled"] },
};
const WINDOW = 500;

const useStyles = makeStyles({
  page: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalM,
    height: "100%",
    minHeight: 0,
    boxSizing: "border-box",
    padding: tokens.spacingHorizontalL,
  },
  title: { margin: 0 },
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
  },
  find: {
    width: "180px",
    "@media (max-width: 480px)": { width: "auto", flexBasis: "120px", flexGrow: 1 },
  },
  count: { color: tokens.colorNeutralForeground3 },
  progress: { display: "flex", flexDirection: "column", gap: "2px" },
  cell: { overflow: "hidden", textOverflow: "ellipsis" },
  danger: { color: tokens.colorStatusDangerForeground1 },
});

export function JobsScreen() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const [search, change] = useSearchState();
  const tab = search["tab"] === "schedules" ? "schedules" : "jobs";
  return (
    <Screen
      title="Monitor"
      crumbs={[
        <RouteLink key="ws" to="/w/$workspace" params={{ workspace }} appearance="subtle">
          {workspace}
        </RouteLink>,
      ]}
      isFixed
    >
      <div className={styles.page}>
        <Text as="h1" size={500} weight="semibold" className={styles.title}>
          Monitor
        </Text>
        <TabList
          size="small"
          selectedValue={tab}
          onTabSelect={(_event, { value }) =>
            change({ tab: value === "schedules" ? "schedules" : "" })
          }
          aria-label="What is watched"
        >
          <Tab value="jobs">Jobs</Tab>
          <Tab value="schedules">Schedules</Tab>
        </TabList>
        {tab === "jobs" ? (
          <JobList workspace={workspace} />
        ) : (
          <ScheduleList workspace={workspace} />
        )}
      </div>
    </Screen>
  );
}

function JobList({ workspace }: { readonly workspace: string }) {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const state = search["state"] ?? "";
  const model = useDeferredValue(search["model"] ?? "");
  const submittedBy = useDeferredValue(search["by"] ?? "");
  const limit = WINDOW * Math.max(1, Number(search["windows"] ?? 1) || 1);
  const { data, error, refetch } = useQuery({
    ...jobsQuery(workspace, { states: STATES[state]?.states ?? [], model, submittedBy, limit }),
    placeholderData: keepPreviousData,
  });
  const columns = useMemo(() => columnsOf(workspace), [workspace]);
  const isFiltered = state !== "" || model !== "" || submittedBy !== "";
  return (
    <>
      <div className={styles.bar}>
        <Select
          size="small"
          aria-label="State"
          value={state}
          onChange={(_event, { value }) => change({ state: value })}
        >
          {Object.entries(STATES).map(([value, { label }]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </Select>
        <Input
          className={styles.find}
          size="small"
          type="search"
          aria-label="Model"
          placeholder="Of a model"
          value={search["model"] ?? ""}
          onChange={(_event, { value }) => change({ model: value })}
        />
        <Input
          className={styles.find}
          size="small"
          type="search"
          aria-label="Submitted by"
          placeholder="Submitted by"
          value={search["by"] ?? ""}
          onChange={(_event, { value }) => change({ by: value })}
        />
        {data && (
          <Text size={200} className={styles.count} role="status">
            {plural(data.total, "job")}
          </Text>
        )}
        {data && data.total > data.jobs.length && (
          <Button size="small" onClick={() => change({ windows: String(limit / WINDOW + 1) })}>
            {`The newest ${countText(data.jobs.length)} are shown: show more`}
          </Button>
        )}
      </div>
      {error && <ErrorView error={error} onRetry={() => void refetch()} />}
      {!data && !error && <Loading lines={8} height={32} />}
      {data && data.jobs.length > 0 && (
        <ListTable label="Jobs" columns={columns} rows={data.jobs} keyOf={(job) => job.id} />
      )}
      {data?.jobs.length === 0 &&
        (isFiltered ? (
          <EmptyState title="No such job" icon={<PulseRegular />}>
            No job of this workspace is in that state, of that model and person. Names are asked for
            as they are, whole.{" "}
            <Button size="small" onClick={() => change({ state: "", model: "", by: "" })}>
              Show all
            </Button>
          </EmptyState>
        ) : (
          <EmptyState title="No jobs yet" icon={<PulseRegular />}>
            A job applies a version of a model to a table. “Apply this version” on a version&apos;s
            page begins one; so do the API and a schedule.
          </EmptyState>
        ))}
    </>
  );
}

function columnsOf(workspace: string): ListColumn<Job>[] {
  return [
    {
      id: "job",
      title: "Job",
      track: "minmax(64px, 0.5fr)",
      render: (job) => (
        <RouteLink to="/w/$workspace/jobs/$job" params={{ workspace, job: job.id }}>
          {`Job ${job.id}`}
        </RouteLink>
      ),
    },
    {
      id: "state",
      title: "Status",
      track: "minmax(96px, 0.7fr)",
      render: (job) => <RunStatus status={job.state} />,
    },
    {
      id: "model",
      title: "Model",
      track: "minmax(112px, 1.4fr)",
      render: (job) => <ModelLink workspace={workspace} job={job} />,
    },
    {
      id: "start",
      title: "Started",
      track: "minmax(88px, 0.7fr)",
      isExtra: true,
      render: (job) => <TimeText ms={job.started_ms ?? job.submitted_ms} />,
    },
    {
      id: "duration",
      title: "Duration",
      track: "minmax(72px, 0.6fr)",
      isNumber: true,
      isExtra: true,
      render: (job) => <Duration job={job} />,
    },
    {
      id: "by",
      title: "Submitted by",
      track: "minmax(88px, 0.8fr)",
      isExtra: true,
      render: (job) => (
        <span title={job.submitted_by} dir="auto">
          {job.submitted_by || "–"}
        </span>
      ),
    },
    {
      id: "progress",
      title: "Progress",
      track: "minmax(112px, 1.2fr)",
      isExtra: true,
      render: (job) => <JobProgress job={job} />,
    },
    {
      id: "output",
      title: "Output",
      track: "minmax(112px, 1.6fr)",
      isExtra: true,
      render: (job) => <Place address={job.output} />,
    },
  ];
}

export function ModelLink({ workspace, job }: { readonly workspace: string; readonly job: Job }) {
  const named =
    job.version === null ? job.plan.model : `${job.model}, version ${String(job.version)}`;
  return (
    <RouteLink
      to="/w/$workspace/models/$model/versions/$version"
      params={{ workspace, model: job.model, version: String(job.version ?? "latest") }}
      title={named}
    >
      {named}
    </RouteLink>
  );
}

export function Duration({ job }: { readonly job: Job }) {
  if (job.started_ms === null) return "–";
  if (job.ended_ms === null) return <Elapsed since={job.started_ms} />;
  return durationText(Math.max(0, job.ended_ms - job.started_ms));
}

/** A bar while a job runs, rows when it is done, why when it failed. */
export function JobProgress({ job }: { readonly job: Job }) {
  const styles = useStyles();
  const { progress, state } = job;
  if (state === "failed") {
    return (
      <span className={styles.danger} title={job.error}>
        {job.error}
      </span>
    );
  }
  if (progress === null) return state === "queued" ? "waits for a worker" : "–";
  const { rows = 0, total_rows: total = null, left_s: left = null, phase = "" } = progress;
  if (state === "done") return plural(rows, "row");
  const said = [
    total === null ? plural(rows, "row") : `${countText(rows)} of ${plural(total, "row")}`,
    left === null ? phase : `${durationText(left * 1000)} left`,
  ].join(", ");
  return (
    <span className={styles.progress} title={said}>
      <ProgressBar
        aria-label={`Progress of job ${job.id}`}
        {...(total === null || total === 0 ? {} : { value: rows / total })}
      />
      <Text size={100} className={styles.cell}>
        {said}
      </Text>
    </span>
  );
}

function ScheduleList({ workspace }: { readonly workspace: string }) {
  const queries = useQueryClient();
  const query = schedulesQuery(workspace);
  const { data, error, refetch } = useQuery(query);

  async function remove(schedule: Schedule) {
    try {
      await deleteSchedule(workspace, schedule.id);
      const { name, cron, timezone, plan } = schedule;
      notify({
        title: "Schedule deleted",
        undo: async () => {
          await createSchedule(workspace, { name, cron, timezone, plan });
          await queries.invalidateQueries(query);
        },
      });
    } catch (failure) {
      notifyFailure("The schedule was not deleted", failure);
    }
    await queries.invalidateQueries(query);
  }

  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading lines={4} height={32} />;
  if (data.schedules.length === 0) {
    return (
      <EmptyState title="No schedules" icon={<PulseRegular />}>
        A schedule lets a job come again and again. “Apply this model in wizard” on a version&apos;s
        page makes one.
      </EmptyState>
    );
  }
  return (
    <ListTable
      label="Schedules"
      columns={scheduleColumns(remove)}
      rows={data.schedules}
      keyOf={(schedule) => schedule.id}
    />
  );
}

function scheduleColumns(remove: (schedule: Schedule) => Promise<void>): ListColumn<Schedule>[] {
  return [
    {
      id: "name",
      title: "Name",
      track: "minmax(96px, 1fr)",
      render: (schedule) => (
        <span title={schedule.name} dir="auto">
          {schedule.name || `Schedule ${schedule.id}`}
        </span>
      ),
    },
    {
      id: "cron",
      title: "When",
      track: "minmax(104px, 1fr)",
      render: (schedule) => <code>{`${schedule.cron} ${schedule.timezone}`}</code>,
    },
    {
      id: "next",
      title: "Next",
      track: "minmax(96px, 0.8fr)",
      isExtra: true,
      render: ({ next_ms: next }) => (next === null ? "never" : exactTime(next)),
    },
    {
      id: "model",
      title: "Model",
      track: "minmax(96px, 1fr)",
      isExtra: true,
      render: (schedule) => schedule.plan.model,
    },
    {
      id: "output",
      title: "Output",
      track: "minmax(112px, 1.6fr)",
      isExtra: true,
      render: (schedule) => <Place address={schedule.output} />,
    },
    {
      id: "delete",
      title: "",
      track: "48px",
      render: (schedule) => (
        <Button
          size="small"
          appearance="subtle"
          icon={<DeleteRegular />}
          aria-label={`Delete schedule ${schedule.name || schedule.id}`}
          title="Delete this schedule"
          onClick={() => void remove(schedule)}
        />
      ),
    },
  ];
}

/** Where a table lies, by the end of its address: what comes before is alike in most rows. */
function Place({ address }: { readonly address: string }) {
  const end = address.split("/").slice(-2).join("/");
  return <span title={address}>{end === address ? address : `…/${end}`}</span>;
}
