/** Makes a workspace, or renames and describes one; the name is checked as it is typed. */
import { Field, Input, Textarea } from "@fluentui/react-components";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { FormDialog } from "@/parts/FormDialog.tsx";
import { notify } from "@/parts/notices.ts";
import { createWorkspace, refreshWorkspaces, updateWorkspace, type Workspace } from "./queries.ts";

export interface WorkspaceDialogProps {
  /** The workspace to change; a new one when left out. */
  readonly workspace?: Workspace;
  /** Names that others have. */
  readonly taken: readonly string[];
  readonly onClose: () => void;
  readonly onDone?: (name: string) => void;
}

export function WorkspaceDialog({ workspace, taken, onClose, onDone }: WorkspaceDialogProps) {
  const queries = useQueryClient();
  const [name, setName] = useState(workspace?.name ?? "");
  const [description, setDescription] = useState(workspace?.description ?? "");
  const refusal = refusalOf(name, taken, workspace?.name);
  const isFixed = workspace?.name === "default";

  async function submit() {
    const made = workspace
      ? await updateWorkspace(workspace.name, {
          description,
          ...(name === workspace.name ? {} : { name }),
        })
      : await createWorkspace(name, description);
    await refreshWorkspaces(queries);
    notify({ title: workspace ? `${made.name} changed` : `Workspace ${made.name} made` });
    onDone?.(made.name);
  }

  return (
    <FormDialog
      title={workspace ? "Change workspace" : "New workspace"}
      action={workspace ? "Save" : "Create"}
      isRefused={name === "" || refusal !== undefined}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Name"
        required
        hint={isFixed ? "The default workspace keeps its name." : "a-z, 0-9 and hyphens, 2 to 63."}
        validationMessage={name === "" ? null : (refusal ?? null)}
      >
        <Input
          autoFocus
          value={name}
          disabled={isFixed}
          onChange={(_event, data) => setName(data.value)}
        />
      </Field>
      <Field label="Description">
        <Textarea
          value={description}
          resize="vertical"
          onChange={(_event, data) => setDescription(data.value)}
        />
      </Field>
    </FormDialog>
  );
}

/** What is wrong with a name; undefined for nothing. */
function refusalOf(name: string, taken: readonly string[], own: string | undefined) {
  if (name === own) return undefined;
  if (taken.includes(name)) return `There is a workspace ${name} already.`;
  if (/[^a-z0-9-]/.test(name)) return "Only a-z, 0-9 and hyphens.";
  if (/^-|-$/.test(name)) return "It starts and ends with a letter or a digit.";
  if (name.length < 2) return "At least two characters.";
  if (name.length > 63) return "At most 63 characters.";
  return undefined;
}
