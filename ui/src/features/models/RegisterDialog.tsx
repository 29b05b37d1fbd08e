/**
 * Registers a version of a model: from a run that is looked for, a logged model, or a version.
 *
 * Always holds: what is chosen from a list can be typed as well, so that what the list does not
 * show, such as a folder without an `MLmodel`, can be registered too.
 */
import {
  Caption1,
  Combobox,
  Field,
  Input,
  makeStyles,
  Option,
  Select,
  tokens,
} from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useDeferredValue, useState } from "react";
import type { Shapes } from "@/api/client.ts";
import { FormDialog } from "@/parts/FormDialog.tsx";
import { notify } from "@/parts/notices.ts";
import { TimeText } from "@/parts/TimeText.tsx";
import type { ModelDialogProps } from "./ModelDialogs.tsx";
import {
  createVersion,
  experimentsQuery,
  type FoundRun,
  foundRunsQuery,
  refreshModel,
  runModelsQuery,
} from "./queries.ts";

type Source = Pick<Shapes["CreateVersion"], "run" | "path" | "logged_model" | "copy_of">;

const KINDS = {
  run: "A run",
  logged_model: "A logged model",
  copy_of: "Another version",
} as const;
type Kind = keyof typeof KINDS;
const RUN_ID = /^[0-9a-f]{32}$/;

const useStyles = makeStyles({
  run: { display: "flex", flexDirection: "column", minWidth: 0, overflowWrap: "anywhere" },
  faint: { color: tokens.colorNeutralForeground3 },
  list: { maxHeight: "40vh" },
});

export function RegisterDialog({ workspace, model, onClose }: ModelDialogProps) {
  const router = useRouter();
  const queries = useQueryClient();
  const [kind, setKind] = useState<Kind>("run");
  const [key, setKey] = useState("");
  const choice = useRunChoice(workspace);
  const [alias, setAlias] = useState("");
  const typed = key.trim() === "" ? null : { [kind]: key.trim() };
  const source: Source | null = kind === "run" ? choice.source : typed;
  return (
    <FormDialog
      title="Register a new version"
      action="Register"
      isRefused={source === null}
      onClose={onClose}
      onSubmit={async () => {
        const made = await createVersion(workspace, model.name, {
          ...source,
          ...(alias.trim() === "" ? {} : { aliases: [alias.trim().replace(/^@/, "")] }),
        });
        notify({ title: `Version ${made.version} registered` });
        await refreshModel(queries, workspace, model.name);
        await router.navigate({
          to: "/w/$workspace/models/$model/versions/$version",
          params: { workspace, model: model.name, version: String(made.version) },
        });
      }}
    >
      <Field label="From">
        <Select value={kind} onChange={(_event, data) => setKind(data.value as Kind)}>
          {Object.entries(KINDS).map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </Select>
      </Field>
      {kind === "run" ? (
        <RunFields {...choice} workspace={workspace} />
      ) : (
        <Field
          label={kind === "copy_of" ? "Version to copy" : "Logged model id"}
          hint={kind === "copy_of" ? "Its model and number" : null}
          required
        >
          <Input
            value={key}
            placeholder={kind === "copy_of" ? "forecast/3" : "m-…"}
            onChange={(_event, data) => setKey(data.value)}
          />
        </Field>
      )}
      <Field label="Alias" hint="Points to the new version from the start">
        <Input value={alias} onChange={(_event, data) => setAlias(data.value)} />
      </Field>
    </FormDialog>
  );
}

/** A run of an experiment by name or id, and what of it becomes a version. */
function useRunChoice(workspace: string) {
  const [experiment, setExperiment] = useState("");
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState<FoundRun | null>(null);
  const [typedPart, setPart] = useState<string | null>(null);
  const sought = useDeferredValue(chosen ? "" : text.trim());
  const runs = useQuery(foundRunsQuery(workspace, experiment, sought)).data ?? [];
  const run = chosen?.id ?? (RUN_ID.test(text.trim()) ? text.trim() : "");
  const { data: models = [], isLoading, error } = useQuery(runModelsQuery(workspace, run));
  const first = models[0];
  const part = typedPart ?? (first ? nameOf(first) : "");
  const choose = (found: FoundRun | null, shown: string) => {
    setChosen(found);
    setText(shown);
    setPart(null);
  };
  return {
    ...{ experiment, setExperiment, text, chosen, choose, runs, run, models, part, setPart },
    isLoading,
    error,
    source: isLoading ? null : sourceOf(run, part, models),
  };
}

type RunFieldsProps = ReturnType<typeof useRunChoice> & { readonly workspace: string };

function RunFields(props: RunFieldsProps) {
  const { workspace, experiment, text, chosen, choose, runs, run, models, part, error } = props;
  const styles = useStyles();
  const [isOpen, setOpen] = useState(false);
  const { data: experiments = [] } = useQuery(experimentsQuery(workspace));
  return (
    <>
      <Field label="Experiment">
        <Select value={experiment} onChange={(_event, data) => props.setExperiment(data.value)}>
          <option value="">All experiments</option>
          {experiments.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
        </Select>
      </Field>
      <Field
        label="Run"
        required
        hint={chosen ? <code>{chosen.id}</code> : "Search by name, or paste an id."}
        validationState={error ? "error" : "none"}
        validationMessage={error ? "There is no run with this id here." : null}
      >
        <Combobox
          freeform
          autoFocus
          value={text}
          placeholder="Name or id of a run"
          selectedOptions={chosen ? [chosen.id] : []}
          listbox={{ className: styles.list }}
          open={isOpen}
          onOpenChange={(_event, data) => setOpen(data.open)}
          onChange={(event) => {
            choose(null, event.target.value);
            setOpen(true);
          }}
          onOptionSelect={(_event, data) => {
            const found = runs.find(({ id }) => id === data.optionValue);
            if (found) choose(found, found.name);
          }}
        >
          {runs.map(({ id, name, startedMs }) => (
            <Option key={id} value={id} text={name}>
              <span className={styles.run}>
                <span dir="auto">{name}</span>
                <Caption1 className={styles.faint}>
                  {startedMs !== null && <TimeText ms={startedMs} />} {id.slice(-8)}
                </Caption1>
              </span>
            </Option>
          ))}
          {runs.length === 0 && (
            <Option key="none" value="" text={text} disabled>
              No run has this name or id
            </Option>
          )}
        </Combobox>
      </Field>
      <Field label="What of it" required hint={hintOf(run, models, props.isLoading)}>
        <Combobox
          freeform
          disabled={run === ""}
          value={part}
          placeholder="A logged model or a folder"
          selectedOptions={models.some((each) => nameOf(each) === part) ? [part] : []}
          onChange={(event) => props.setPart(event.target.value)}
          // Typing something else takes the choice away, which is told without a value.
          onOptionSelect={(_event, data) => {
            if (data.optionValue !== undefined) props.setPart(data.optionValue);
          }}
        >
          {models.map((each) => (
            <Option key={nameOf(each)} value={nameOf(each)} text={nameOf(each)}>
              {nameOf(each)}
            </Option>
          ))}
        </Combobox>
      </Field>
    </>
  );
}

function nameOf({ logged_model, name, path }: Shapes["RunModel"]): string {
  return logged_model === "" ? path || "." : `${name} (${logged_model})`;
}

function hintOf(run: string, models: readonly Shapes["RunModel"][], isLoading: boolean): string {
  if (run === "" || isLoading) return "Its logged models and folders, once a run is chosen.";
  return models.length === 0
    ? "The run has no model; any folder of its files can be typed."
    : "Or the folder of its files that holds the model.";
}

function sourceOf(run: string, part: string, models: readonly Shapes["RunModel"][]): Source | null {
  if (run === "" || part.trim() === "") return null;
  const model = models.find((each) => nameOf(each) === part);
  if (model && model.logged_model !== "") return { logged_model: model.logged_model };
  const path = part.trim() === "." ? "" : part.trim();
  return { run, path: model ? model.path : path };
}
