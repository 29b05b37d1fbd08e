/** The last step: what will be done, and doing it now or again and again. */
import {
  Button,
  Field,
  Input,
  makeStyles,
  MessageBar,
  MessageBarBody,
  Text,
  tokens,
} from "@fluentui/react-components";
import { CalendarClockRegular, PlayRegular } from "@fluentui/react-icons";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { asFailure } from "@/api/client.ts";
import { Facts } from "@/parts/Facts.tsx";
import { planOf } from "./draft.ts";
import { scheduleJobs, submitJob } from "./queries.ts";
import { CodeStep, ENGINES, type StepProps } from "./Steps.tsx";

const useStyles = makeStyles({
  ways: { display: "flex", flexWrap: "wrap", gap: tokens.spacingHorizontalM },
  times: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fit, minmax(180px, 1fr))",
    gap: tokens.spacingHorizontalM,
    alignItems: "end",
  },
  words: { whiteSpace: "normal", overflowWrap: "anywhere" },
  title: { margin: 0 },
});

export function FinishStep(props: StepProps) {
  const { workspace, draft, columns } = props;
  const styles = useStyles();
  const router = useRouter();
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [name, setName] = useState("");
  const [cron, setCron] = useState("0 3 * * *");
  const [timezone, setTimezone] = useState(
    () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC",
  );
  const plan = planOf(draft, columns);
  const mapped = Object.entries(plan.mapping ?? {}).map(([to, from]) => `${to} from ${from}`);

  async function act(what: () => Promise<unknown>) {
    if (isBusy) return;
    setBusy(true);
    setError(null);
    try {
      await what();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  }

  const run = () =>
    act(async () => {
      const { id } = await submitJob(workspace, plan);
      await router.navigate({
        to: "/w/$workspace/jobs/$job",
        params: { workspace, job: id },
        search: { result: "1" },
      });
    });
  const schedule = () =>
    act(async () => {
      await scheduleJobs(workspace, { plan, cron, timezone, name });
      await router.navigate({
        to: "/w/$workspace/jobs",
        params: { workspace },
        search: { tab: "schedules" },
      });
    });

  return (
    <>
      <Facts
        facts={[
          { word: "Model", what: plan.model },
          { word: "Engine", what: ENGINES[draft.engine] },
          { word: "Input", what: <code>{plan.input.address}</code> },
          { word: "Mapping", what: mapped.length === 0 ? "by equal names" : mapped.join(", ") },
          { word: "Casts", what: plan.casts?.join(", ") },
          { word: "Output", what: <code>{plan.output.address}</code> },
          { word: "Mode", what: plan.output.mode },
          { word: "Key", what: plan.output.key?.join(", ") },
          { word: "Kept columns", what: plan.output.columns?.join(", ") ?? "all" },
          { word: "Predictions", what: plan.output.predictions?.join(", ") },
        ]}
      />
      {error !== null && (
        <MessageBar intent="error" layout="multiline">
          <MessageBarBody className={styles.words}>{asFailure(error).message}</MessageBarBody>
        </MessageBar>
      )}
      <div className={styles.ways}>
        <Button
          appearance="primary"
          icon={<PlayRegular />}
          disabledFocusable={isBusy}
          onClick={() => void run()}
        >
          Run now
        </Button>
      </div>
      <Text as="h2" weight="semibold" className={styles.title}>
        Or on a schedule
      </Text>
      <div className={styles.times}>
        <Field label="Name">
          <Input value={name} onChange={(_event, { value }) => setName(value)} />
        </Field>
        <Field label="When (cron)">
          <Input value={cron} onChange={(_event, { value }) => setCron(value)} />
        </Field>
        <Field label="Time zone">
          <Input value={timezone} onChange={(_event, { value }) => setTimezone(value)} />
        </Field>
        <Button
          icon={<CalendarClockRegular />}
          disabledFocusable={isBusy}
          onClick={() => void schedule()}
        >
          Schedule
        </Button>
      </div>
      <Text as="h2" weight="semibold" className={styles.title}>
        Or with code of your own
      </Text>
      <CodeStep {...props} />
    </>
  );
}
