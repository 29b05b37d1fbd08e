/**
 * Saves what a run made as a version of a model, new or existing.
 *
 * Always holds: what cannot be saved is said while it is typed; a model is made only together with
 * its version.
 */
import { Caption1, Combobox, Dropdown, Field, Option, Textarea } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { refusalOfModelName } from "@/lib/names.ts";
import { FormDialog } from "@/parts/FormDialog.tsx";
import { notify } from "@/parts/notices.ts";
import {
  createVersion,
  foundModelsQuery,
  modelNamedQuery,
  runQuery,
  type Run,
  type RunModel,
} from "./queries.ts";
import { type NewTag, NewTags, refusalOfTags } from "./NewTags.tsx";

export interface SaveAsModelDialogProps {
  readonly workspace: string;
  readonly run: Run;
  readonly onClose: () => void;
}

export function SaveAsModelDialog({ workspace, run, onClose }: SaveAsModelDialogProps) {
  const queries = useQueryClient();
  const [source, setSource] = useState(0);
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const [tags, setTags] = useState<readonly NewTag[]>([]);
  const text = useDeferredValue(name.trim());
  const found = useQuery(foundModelsQuery(workspace, text)).data ?? [];
  const refusal = refusalOfModelName(name);
  const named = useQuery({
    ...modelNamedQuery(workspace, text),
    enabled: refusalOfModelName(text) === undefined,
  });
  const existing = named.data?.name === name ? named.data : undefined;
  const chosen = run.models[source];

  async function submit() {
    if (chosen === undefined) return;
    const place =
      chosen.logged_model === ""
        ? { run: run.id, path: chosen.path }
        : { logged_model: chosen.logged_model };
    const made = await createVersion(workspace, name, {
      ...place,
      description,
      tags: Object.fromEntries(tags.map((tag) => [tag.key, tag.value])),
    });
    await queries.invalidateQueries(runQuery(workspace, run.id));
    const path = `/w/${encodeURIComponent(workspace)}/models/${encodeURIComponent(made.model)}`;
    notify({
      title: `Saved as version ${made.version} of ${shorten(made.model)}`,
      link: { label: "Open the version", href: `${path}/versions/${made.version}` },
    });
  }

  return (
    <FormDialog
      title="Save as ML model"
      action="Save"
      isRefused={refusal !== undefined || chosen === undefined || refusalOfTags(tags) !== undefined}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field label="What to save" required hint={chosen ? sourceHint(chosen) : null}>
        <Dropdown
          value={chosen ? sourceName(chosen) : ""}
          selectedOptions={[String(source)]}
          onOptionSelect={(_event, data) => setSource(Number(data.optionValue))}
        >
          {run.models.map((model, n) => (
            <Option key={n} value={String(n)} text={sourceName(model)}>
              {sourceName(model)}
            </Option>
          ))}
        </Dropdown>
      </Field>
      <Field
        label="Model"
        required
        validationState={name !== "" && refusal !== undefined ? "error" : "none"}
        validationMessage={name === "" ? null : (refusal ?? null)}
        hint={name === "" || refusal !== undefined ? "A new name, or a model that is there." : null}
      >
        <Combobox
          freeform
          autoFocus
          placeholder="Type to search or to name a new model"
          value={name}
          selectedOptions={existing ? [existing.name] : []}
          onChange={(event) => setName(event.target.value)}
          onOptionSelect={(_event, data) => setName(data.optionText ?? name)}
        >
          {found.map((model) => (
            <Option key={model.name} value={model.name} text={model.name}>
              {model.name}
            </Option>
          ))}
          {found.length === 0 && (
            <Option key="" value={name} text={name} disabled>
              No such model; it will be made
            </Option>
          )}
        </Combobox>
      </Field>
      {refusal === undefined && (
        <Caption1 aria-live="polite">
          {existing
            ? `Adds a version after ${existing.versions === 0 ? "none" : `version ${existing.latest_version ?? 0}`} of this model.`
            : "Makes this model, with version 1."}
        </Caption1>
      )}
      <Field label="Description" hint="Markdown">
        <Textarea
          value={description}
          resize="vertical"
          onChange={(_event, data) => setDescription(data.value)}
        />
      </Field>
      <NewTags tags={tags} onChange={setTags} />
    </FormDialog>
  );
}

function sourceName(model: RunModel): string {
  if (model.logged_model !== "") return `${model.name} (logged model)`;
  return model.path === "" ? "All files of the run" : model.path;
}

function sourceHint(model: RunModel): string {
  const made = model.versions.map((ref) => `${ref.model} v${ref.version}`);
  if (made.length > 0) return `Saved already as ${made.join(", ")}.`;
  return model.logged_model === "" ? "A folder with an MLmodel file." : "A model that was logged.";
}

function shorten(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}
