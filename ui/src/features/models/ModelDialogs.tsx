/** Dialogs of a model: deleting it or a version with what hangs on them. */
import { Field, Input, Text } from "@fluentui/react-components";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useState } from "react";
import { plural, sizeText } from "@/lib/format.ts";
import { FormDialog } from "@/parts/FormDialog.tsx";
import { notify } from "@/parts/notices.ts";
import {
  deleteModel,
  deleteVersion,
  dependentsQuery,
  type Model,
  refreshModel,
  type Version,
} from "./queries.ts";

export interface ModelDialogProps {
  readonly workspace: string;
  readonly model: Model;
  readonly onClose: () => void;
}

export function DeleteModelDialog({ workspace, model, onClose }: ModelDialogProps) {
  const router = useRouter();
  const [typed, setTyped] = useState("");
  return (
    <FormDialog
      title="Delete this model?"
      action="Delete"
      isDangerous
      isRefused={typed !== model.name}
      onClose={onClose}
      onSubmit={async () => {
        await deleteModel(workspace, model.name);
        notify({ title: `${model.name} deleted` });
        await router.navigate({ to: "/w/$workspace", params: { workspace } });
      }}
    >
      <Text>
        {plural(model.versions, "version")} and {plural(model.aliases.length, "alias", "aliases")}{" "}
        go with it, and code that names them fails. The runs that made them stay.
      </Text>
      <Field label={`Type ${model.name} to confirm`}>
        <Input autoFocus value={typed} onChange={(_event, data) => setTyped(data.value)} />
      </Field>
    </FormDialog>
  );
}

export function DeleteVersionDialog({
  workspace,
  version,
  onClose,
}: {
  readonly workspace: string;
  readonly version: Version;
  readonly onClose: () => void;
}) {
  const router = useRouter();
  const queries = useQueryClient();
  const { model, version: number, aliases, copies } = version;
  const { data: dependents, error } = useQuery(dependentsQuery(workspace, version));
  const schedules = dependents?.schedules.map(({ name, id }) => name || `Schedule ${id}`) ?? [];
  const jobs = dependents?.jobs ?? 0;
  const isUsed = aliases.length > 0 || schedules.length > 0 || jobs > 0;
  const name = `${model}/${number}`;
  const [typed, setTyped] = useState("");
  return (
    <FormDialog
      title={`Delete version ${number}?`}
      action="Delete"
      isDangerous
      isRefused={(!dependents && !error) || (isUsed && typed !== name)}
      onClose={onClose}
      onSubmit={async () => {
        await deleteVersion(workspace, version);
        notify({ title: `Version ${number} of ${model} deleted` });
        await router.navigate({
          to: "/w/$workspace/models/$model",
          params: { workspace, model },
        });
        await refreshModel(queries, workspace, model);
      }}
    >
      <Text>
        {aliases.length > 0
          ? `${aliases.map((alias) => `@${alias}`).join(", ")} will point nowhere, and what uses ${aliases.length === 1 ? "it" : "them"} fails. `
          : "No alias points to it. "}
        {schedules.length > 0
          ? `${plural(schedules.length, "schedule")} will fail: ${schedules.join(", ")}. `
          : ""}
        {jobs > 0 ? `${plural(jobs, "job")} of it waiting or running will fail. ` : ""}
        {error ? "What else depends on it could not be asked. " : ""}
        {copies.length > 0
          ? `${plural(copies.length, "copy", "copies")} of it keep their own files: ${copies.map((copy) => `${copy.model} v${copy.version}`).join(", ")}. `
          : ""}
        {version.run ? `Its run ${version.run.name} stays. ` : ""}
        {plural(version.files_total, "file")} ({sizeText(version.size_bytes)}) are freed where
        nothing else uses them. This cannot be undone.
      </Text>
      {isUsed && (
        <Field label={`Type ${name} to confirm`}>
          <Input autoFocus value={typed} onChange={(_event, data) => setTyped(data.value)} />
        </Field>
      )}
    </FormDialog>
  );
}
