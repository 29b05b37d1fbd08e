/**
 * The wizard that applies a version to a table: six steps, then a job, a schedule, or code.
 *
 * Always holds: a step is reached when those before it are filled in; nothing is done before the
 * last one. Without a worker addresses and columns are typed, and the code is there all the same.
 */
import {
  Button,
  makeStyles,
  MessageBar,
  MessageBarBody,
  mergeClasses,
  Text,
  tokens,
} from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { useState } from "react";
import { useWorkspace } from "@/lib/workspace.ts";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { type Draft, mapByName, refusalOfMapping } from "./draft.ts";
import { FinishStep } from "./FinishStep.tsx";
import { InputStep } from "./InputStep.tsx";
import { CodeStep, MappingStep, OutputColumnsStep, OutputStep } from "./Steps.tsx";
import { appliedVersionQuery, tableQuery, type Version } from "./queries.ts";

const STEPS = [
  "Input table",
  "Map input columns",
  "Output table",
  "Output columns",
  "Code",
  "Review and finish",
] as const;

const useStyles = makeStyles({
  page: {
    display: "grid",
    gridTemplateColumns: "200px minmax(0, 1fr)",
    gap: tokens.spacingHorizontalXL,
    maxWidth: "1120px",
    "@media (max-width: 720px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  steps: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalXS,
    listStyleType: "none",
    margin: 0,
    padding: 0,
    "@media (max-width: 720px)": { flexDirection: "row", overflowX: "auto" },
  },
  step: { justifyContent: "flex-start", width: "100%", whiteSpace: "nowrap" },
  chosen: {
    fontWeight: tokens.fontWeightSemibold,
    backgroundColor: tokens.colorNeutralBackground1,
    boxShadow: `inset 3px 0 0 ${tokens.colorBrandForeground1}`,
  },
  body: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalL,
    minWidth: 0,
  },
  title: { margin: 0 },
  ways: { display: "flex", gap: tokens.spacingHorizontalM },
});

export function ApplyScreen() {
  const workspace = useWorkspace();
  const { model = "", version: named = "" } = useParams({ strict: false });
  const { data, error, refetch } = useQuery(appliedVersionQuery(workspace, model, named));
  return (
    <Screen
      title="Apply in wizard"
      crumbs={[
        <RouteLink key="ws" to="/w/$workspace" params={{ workspace }} appearance="subtle">
          {workspace}
        </RouteLink>,
        <RouteLink
          key="version"
          to="/w/$workspace/models/$model/versions/$version"
          params={{ workspace, model, version: named }}
          appearance="subtle"
        >
          {`${model}, version ${named}`}
        </RouteLink>,
      ]}
    >
      {error && (
        <ErrorView
          error={error}
          what="This version could not be shown"
          onRetry={() => void refetch()}
        />
      )}
      {!data && !error && <Loading lines={8} height={32} />}
      {data && <Wizard key={data.version} workspace={workspace} version={data} />}
    </Screen>
  );
}

/** On a telephone the steps stand in a line that is scrolled. */
function intoSight(element: HTMLElement | null) {
  element?.scrollIntoView({ block: "nearest", inline: "center" });
}

function Wizard({ workspace, version }: { workspace: string; version: Version }) {
  const styles = useStyles();
  const [step, setStep] = useState(0);
  const [draft, setDraft] = useState<Draft>({
    model: `${version.model}/${version.version}`,
    input: "",
    mapping: {},
    casts: [],
    params: {},
    output: "",
    engine: "local",
    mode: "create",
    key: [],
    dropped: [],
    predictions: "",
  });
  const table = useQuery(tableQuery(workspace, draft.input));
  const columns = table.data?.columns ?? [];
  const fields = version.signature?.inputs.filter((field) => field.name !== "") ?? [];
  const change = (changes: Partial<Draft>) => setDraft((before) => ({ ...before, ...changes }));
  // What a person has not mapped is mapped by name, as soon as the table is known.
  const mapped: Draft = {
    ...draft,
    mapping: { ...mapByName(fields, columns), ...draft.mapping },
  };
  const refusals = [
    draft.input.trim() === ""
      ? "Choose a table."
      : table.isFetching
        ? "The table is being read."
        : "",
    columns.length === 0 ? "" : refusalOfMapping(mapped, fields, columns),
    draft.output.trim() === ""
      ? "Say where the result goes."
      : draft.mode === "merge" && draft.key.length === 0
        ? "Name the columns that merge matches rows on."
        : "",
    "",
    "",
    "",
  ];
  const firstRefused = refusals.findIndex((refusal) => refusal !== "");
  const reached = firstRefused < 0 ? STEPS.length - 1 : firstRefused;
  const refusal = refusals[step] ?? "";
  const shared = { workspace, version, draft: mapped, change, columns };
  return (
    <div className={styles.page}>
      <nav aria-label="Steps">
        <ol className={styles.steps}>
          {STEPS.map((label, at) => (
            <li key={label}>
              <Button
                ref={at === step ? intoSight : undefined}
                appearance="subtle"
                size="small"
                className={mergeClasses(styles.step, at === step && styles.chosen)}
                disabled={at > reached}
                aria-current={at === step ? "step" : undefined}
                onClick={() => setStep(at)}
              >
                {`${at + 1}. ${label}`}
              </Button>
            </li>
          ))}
        </ol>
      </nav>
      <section className={styles.body} aria-label={STEPS[step]}>
        <Text as="h1" size={500} weight="semibold" className={styles.title}>
          {STEPS[step]}
        </Text>
        {step === 0 && (
          <InputStep
            {...shared}
            table={table}
            onChoose={(input) => change({ input, mapping: {}, casts: [], dropped: [], key: [] })}
          />
        )}
        {step === 1 && <MappingStep {...shared} />}
        {step === 2 && <OutputStep {...shared} />}
        {step === 3 && <OutputColumnsStep {...shared} />}
        {step === 4 && <CodeStep {...shared} />}
        {step === 5 && <FinishStep {...shared} />}
        {refusal !== "" && (
          <MessageBar intent="info">
            <MessageBarBody>{refusal}</MessageBarBody>
          </MessageBar>
        )}
        <div className={styles.ways}>
          {step > 0 && <Button onClick={() => setStep(step - 1)}>Back</Button>}
          {step < STEPS.length - 1 && (
            <Button
              appearance="primary"
              disabledFocusable={refusal !== ""}
              onClick={() => setStep(step + 1)}
            >
              Next
            </Button>
          )}
        </div>
      </section>
    </div>
  );
}
