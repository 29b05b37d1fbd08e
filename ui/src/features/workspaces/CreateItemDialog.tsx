/** Makes an empty model or an experiment; name and description are checked as they are typed. */
import { Field, Input, Textarea } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useDeferredValue, useState } from "react";
import { api, ask } from "@/api/client.ts";
import { FormDialog } from "@/parts/FormDialog.tsx";
import { notify } from "@/parts/notices.ts";
import type { ItemKind } from "./Gallery.tsx";
import { itemsQuery } from "./queries.ts";

const NAME_MAX = 250;
const DESCRIPTION_MAX = 5000;
const WORDS = { model: "ML model", experiment: "Experiment" } as const;

export interface CreateItemDialogProps {
  readonly workspace: string;
  readonly kind: ItemKind;
  readonly onClose: () => void;
}

export function CreateItemDialog({ workspace, kind, onClose }: CreateItemDialogProps) {
  const router = useRouter();
  const [name, setName] = useState("");
  const [description, setDescription] = useState("");
  const asked = useDeferredValue(name.trim());
  const { data } = useQuery({
    ...itemsQuery(workspace, { text: asked, kind, orderBy: "name" }),
    enabled: asked !== "",
  });
  const isTaken = data?.items.some((item) => item.name === asked) ?? false;
  const wrongName = isTaken
    ? `There is ${kind === "model" ? "a model" : "an experiment"} of this name already.`
    : refusalOf(name, kind);
  const wrongText =
    description.length > DESCRIPTION_MAX ? `At most ${DESCRIPTION_MAX} characters.` : undefined;

  async function submit() {
    const body = { name: name.trim(), description };
    if (kind === "model") {
      const made = await ask(
        api.POST("/api/v1/workspaces/{workspace}/models", {
          params: { path: { workspace } },
          body,
        }),
      );
      notify({ title: `Model ${made.name} made` });
      await router.navigate({
        to: "/w/$workspace/models/$model",
        params: { workspace, model: made.name },
      });
    } else {
      const made = await ask(
        api.POST("/api/v1/workspaces/{workspace}/experiments", {
          params: { path: { workspace } },
          body,
        }),
      );
      notify({ title: `Experiment ${made.name} made` });
      await router.navigate({
        to: "/w/$workspace/experiments/$experiment",
        params: { workspace, experiment: made.id },
      });
    }
  }

  return (
    <FormDialog
      title={`New ${kind === "model" ? "ML model" : "experiment"}`}
      action="Create"
      isRefused={name.trim() === "" || wrongName !== undefined || wrongText !== undefined}
      onSubmit={submit}
      onClose={onClose}
    >
      <Field
        label="Name"
        required
        validationMessage={name === "" ? null : (wrongName ?? null)}
        hint={`${WORDS[kind]} in the workspace ${workspace}`}
      >
        <Input autoFocus value={name} dir="auto" onChange={(_event, data) => setName(data.value)} />
      </Field>
      <Field label="Description" hint="Markdown" validationMessage={wrongText ?? null}>
        <Textarea
          rows={4}
          resize="vertical"
          value={description}
          dir="auto"
          onChange={(_event, data) => setDescription(data.value)}
        />
      </Field>
    </FormDialog>
  );
}

/** What is wrong with a name; undefined for nothing. */
function refusalOf(name: string, kind: ItemKind): string | undefined {
  if (name.trim() === "") return "A name is needed.";
  if (kind === "model" && /[/:]/.test(name)) return "A model's name holds no / and no :.";
  if (/^\.+$/.test(name.trim())) return "A name is more than dots.";
  if (name.length > NAME_MAX) return `At most ${NAME_MAX} characters.`;
  return undefined;
}
