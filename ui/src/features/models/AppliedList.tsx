/** Where a version was applied: the jobs that did it, newest first. */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import type { Shapes } from "@/api/client.ts";
import { countText, plural } from "@/lib/format.ts";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { type ListColumn, ListTable } from "@/parts/ListTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import { appliedQuery, type Version } from "./queries.ts";

type Job = Shapes["Job"];

const useStyles = makeStyles({
  frame: { display: "flex", flexDirection: "column", maxHeight: "400px", minHeight: 0 },
  faint: { color: tokens.colorNeutralForeground3 },
});

export function AppliedList({
  workspace,
  version,
}: {
  readonly workspace: string;
  readonly version: Version;
}) {
  const styles = useStyles();
  const { data, error, refetch } = useQuery(appliedQuery(workspace, version));
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading lines={3} />;
  if (data.jobs.length === 0) {
    return (
      <Text className={styles.faint}>
        No job has applied this version yet. “Apply this version” begins one.
      </Text>
    );
  }
  return (
    <div className={styles.frame}>
      {data.total > data.jobs.length && (
        <Text size={200} className={styles.faint}>
          {plural(data.total, "job")}, the newest {data.jobs.length} shown
        </Text>
      )}
      <ListTable
        label="Applied where"
        columns={columnsOf(workspace)}
        rows={data.jobs}
        keyOf={(job) => job.id}
      />
    </div>
  );
}

function columnsOf(workspace: string): ListColumn<Job>[] {
  return [
    {
      id: "job",
      title: "Job",
      track: "minmax(72px, 0.6fr)",
      render: (job) => (
        <RouteLink to="/w/$workspace/jobs/$job" params={{ workspace, job: job.id }}>
          {`Job ${job.id}`}
        </RouteLink>
      ),
    },
    {
      id: "when",
      title: "When",
      track: "minmax(88px, 0.8fr)",
      render: (job) => <TimeText ms={job.ended_ms ?? job.submitted_ms} />,
    },
    {
      id: "by",
      title: "By",
      track: "minmax(80px, 0.8fr)",
      isExtra: true,
      render: (job) => job.submitted_by || "–",
    },
    { id: "input", title: "Input", track: "minmax(120px, 2fr)", isExtra: true, render: inputOf },
    {
      id: "output",
      title: "Output",
      track: "minmax(120px, 2fr)",
      render: (job) => <span title={job.output}>{job.output}</span>,
    },
    {
      id: "rows",
      title: "Rows",
      track: "minmax(72px, 0.6fr)",
      isNumber: true,
      isExtra: true,
      render: (job) => {
        const rows: unknown = job.receipt?.["rows"];
        return typeof rows === "number" ? countText(rows) : "–";
      },
    },
  ];
}

function inputOf(job: Job) {
  return <span title={job.input}>{job.input}</span>;
}
