/** Saved views of a screen: one's own and those that others share; each is a whole state. */
import {
  Button,
  Checkbox,
  Field,
  Input,
  Menu,
  MenuDivider,
  MenuGroup,
  MenuGroupHeader,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
} from "@fluentui/react-components";
import { BookmarkRegular, DeleteRegular, SaveRegular } from "@fluentui/react-icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { api, ask, type Shapes } from "@/api/client.ts";
import type { Search } from "@/lib/search.ts";
import { FormDialog } from "@/parts/FormDialog.tsx";
import { notify, notifyFailure } from "@/parts/notices.ts";
import { NAMES, type ViewState, writeView } from "./viewState.ts";

export interface SavedViewsProps {
  readonly workspace: string;
  /** Which screen the views belong to, such as `model/forest`. */
  readonly scope: string;
  readonly state: ViewState;
  readonly onShow: (search: Search) => void;
}

export function SavedViews({ workspace, scope, state, onShow }: SavedViewsProps) {
  const queries = useQueryClient();
  const [isSaving, setSaving] = useState(false);
  const queryKey = ["views", workspace, scope];
  const { data } = useQuery({
    queryKey,
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/views", {
          params: { path: { workspace }, query: { scope } },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "view" }] },
  });
  const views = data?.views ?? [];
  const reload = () => queries.invalidateQueries({ queryKey });
  const remove = async (view: Shapes["SavedView"]) => {
    const params = { path: { workspace, view: view.id } };
    try {
      await ask(api.DELETE("/api/v1/workspaces/{workspace}/views/{view}", { params }));
      await reload();
      notify({
        title: `Deleted the view ${view.name}`,
        undo: () => save(workspace, scope, view.name, view.document, view.shared).then(reload),
      });
    } catch (error) {
      notifyFailure("The view could not be deleted", error);
    }
  };
  const update = async (view: Shapes["SavedView"]) => {
    try {
      await ask(
        api.PATCH("/api/v1/workspaces/{workspace}/views/{view}", {
          params: { path: { workspace, view: view.id } },
          body: { document: documentOf(state) },
        }),
      );
      await reload();
      notify({ title: `The view ${view.name} keeps what is shown now` });
    } catch (error) {
      notifyFailure("The view could not be changed", error);
    }
  };
  const group = (title: string, list: readonly Shapes["SavedView"][]) =>
    list.length > 0 && (
      <MenuGroup>
        <MenuGroupHeader>{title}</MenuGroupHeader>
        {list.map((view) => (
          <Menu key={view.id} openOnHover={false}>
            <MenuTrigger disableButtonEnhancement>
              <MenuItem>{view.name}</MenuItem>
            </MenuTrigger>
            <MenuPopover>
              <MenuList hasIcons>
                <MenuItem onClick={() => onShow(searchOf(view.document))}>Show</MenuItem>
                <MenuItem icon={<SaveRegular />} onClick={() => void update(view)}>
                  Keep what is shown now
                </MenuItem>
                <MenuItem icon={<DeleteRegular />} onClick={() => void remove(view)}>
                  Delete
                </MenuItem>
              </MenuList>
            </MenuPopover>
          </Menu>
        ))}
      </MenuGroup>
    );
  return (
    <>
      <Menu>
        <MenuTrigger disableButtonEnhancement>
          <Button icon={<BookmarkRegular />}>Views</Button>
        </MenuTrigger>
        <MenuPopover>
          <MenuList hasIcons>
            {group(
              "Mine",
              views.filter((view) => !view.shared),
            )}
            {group(
              "Shared",
              views.filter((view) => view.shared),
            )}
            {views.length > 0 && <MenuDivider />}
            <MenuItem icon={<SaveRegular />} onClick={() => setSaving(true)}>
              Save this view …
            </MenuItem>
            <MenuItem onClick={() => onShow({})}>Show everything as at first</MenuItem>
          </MenuList>
        </MenuPopover>
      </Menu>
      {isSaving && (
        <SaveDialog
          onClose={() => setSaving(false)}
          onSave={async (name, shared) => {
            await save(workspace, scope, name, documentOf(state), shared);
            await reload();
            notify({ title: `Saved the view ${name}` });
          }}
        />
      )}
    </>
  );
}

interface SaveDialogProps {
  readonly onSave: (name: string, shared: boolean) => Promise<void>;
  readonly onClose: () => void;
}

function SaveDialog({ onSave, onClose }: SaveDialogProps) {
  const [name, setName] = useState("");
  const [shared, setShared] = useState(false);
  return (
    <FormDialog
      title="Save this view"
      action="Save"
      isRefused={name.trim() === ""}
      onSubmit={() => onSave(name.trim(), shared)}
      onClose={onClose}
    >
      <Field label="Name" required hint="Columns, filter, order, selection and charts are kept">
        <Input value={name} maxLength={200} onChange={(_event, data) => setName(data.value)} />
      </Field>
      <Checkbox
        label="Show it to everyone in this workspace"
        checked={shared}
        onChange={(_event, data) => setShared(data.checked === true)}
      />
    </FormDialog>
  );
}

/** What the server keeps without looking inside; the generated types allow it no members. */
type Kept = Record<string, never>;

function documentOf(state: ViewState): Kept {
  return { ...writeView(state) } as Kept;
}

function searchOf(document: Readonly<Record<string, unknown>>): Search {
  const words = NAMES.map((name) => [name, document[name]] as const);
  return Object.fromEntries(
    words.filter((word): word is [(typeof NAMES)[number], string] => typeof word[1] === "string"),
  );
}

async function save(
  workspace: string,
  scope: string,
  name: string,
  document: Kept,
  shared: boolean,
) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/views", {
      params: { path: { workspace } },
      body: { scope, name, document, shared },
    }),
  );
}
