/** All workspaces: opened, made, renamed, described, deleted. */
import { Button, makeStyles, MessageBar, Text, tokens, Tooltip } from "@fluentui/react-components";
import { AddRegular, DeleteRegular, EditRegular } from "@fluentui/react-icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { plural } from "@/lib/format.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import type { Command } from "@/parts/commands.ts";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { FormDialog } from "@/parts/FormDialog.tsx";
import { type ListColumn, ListTable } from "@/parts/ListTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { notify } from "@/parts/notices.ts";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import { deleteWorkspace, refreshWorkspaces, type Workspace, workspacesQuery } from "./queries.ts";
import { WorkspaceDialog } from "./WorkspaceDialog.tsx";

const useStyles = makeStyles({
  muted: { color: tokens.colorNeutralForeground3 },
  actions: { display: "flex" },
  page: {
    height: "100%",
    minHeight: 0,
    display: "flex",
    flexDirection: "column",
    boxSizing: "border-box",
    padding: tokens.spacingHorizontalL,
  },
});

export function WorkspacesScreen() {
  const styles = useStyles();
  const [search, change] = useSearchState();
  const { data, error, refetch } = useQuery(workspacesQuery);
  const [isCreating, setCreating] = useState(false);
  const [deleting, setDeleting] = useState<Workspace | null>(null);
  const names = data?.workspaces.map((each) => each.name) ?? [];
  const edited = data?.workspaces.find((each) => each.name === search["edit"]);
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "new",
        label: "New workspace",
        icon: <AddRegular />,
        isPrimary: true,
        keys: "n",
        run: () => setCreating(true),
      },
    ],
    [],
  );
  const columns: ListColumn<Workspace>[] = [
    {
      id: "name",
      title: "Name",
      track: "minmax(120px, 2fr)",
      render: ({ name }) => (
        <RouteLink to="/w/$workspace" params={{ workspace: name }}>
          {name}
        </RouteLink>
      ),
    },
    {
      id: "description",
      title: "Description",
      track: "minmax(120px, 3fr)",
      isExtra: true,
      render: ({ description }) => <span title={description}>{description}</span>,
    },
    {
      id: "holds",
      title: "Holds",
      track: "minmax(170px, 2fr)",
      isExtra: true,
      render: ({ models, experiments }) => (
        <Text className={styles.muted}>
          {plural(models, "model")}, {plural(experiments, "experiment")}
        </Text>
      ),
    },
    {
      id: "changed",
      title: "Changed",
      track: "minmax(104px, 1fr)",
      isExtra: true,
      render: ({ updated_ms }) => (updated_ms > 0 ? <TimeText ms={updated_ms} /> : "–"),
    },
    {
      id: "actions",
      title: "Actions",
      track: "96px",
      render: (workspace) => (
        <span className={styles.actions}>
          <Tooltip content={`Change ${workspace.name}`} relationship="label">
            <Button
              size="small"
              appearance="subtle"
              icon={<EditRegular />}
              onClick={() => change({ edit: workspace.name })}
            />
          </Tooltip>
          {workspace.name !== "default" && (
            <Tooltip content={`Delete ${workspace.name}`} relationship="label">
              <Button
                size="small"
                appearance="subtle"
                icon={<DeleteRegular />}
                onClick={() => setDeleting(workspace)}
              />
            </Tooltip>
          )}
        </span>
      ),
    },
  ];
  return (
    <Screen title="Workspaces" commands={commands} crumbs={[]} isFixed>
      <div className={styles.page}>
        {error && <ErrorView error={error} onRetry={() => void refetch()} />}
        {!data && !error && <Loading lines={4} height={32} />}
        {data && (
          <ListTable
            label="Workspaces"
            columns={columns}
            rows={data.workspaces}
            keyOf={(each) => each.name}
          />
        )}
      </div>
      {isCreating && <WorkspaceDialog taken={names} onClose={() => setCreating(false)} />}
      {edited && (
        <WorkspaceDialog workspace={edited} taken={names} onClose={() => change({ edit: "" })} />
      )}
      {deleting && <DeleteDialog workspace={deleting} onClose={() => setDeleting(null)} />}
    </Screen>
  );
}

function DeleteDialog({ workspace, onClose }: { workspace: Workspace; onClose: () => void }) {
  const queries = useQueryClient();
  const { name, models, experiments } = workspace;
  const isEmpty = models === 0 && experiments === 0;
  return (
    <FormDialog
      title={`Delete the workspace ${name}?`}
      action="Delete"
      isDangerous
      isRefused={!isEmpty}
      onClose={onClose}
      onSubmit={async () => {
        await deleteWorkspace(name);
        await refreshWorkspaces(queries);
        notify({ title: `Workspace ${name} deleted` });
      }}
    >
      {isEmpty ? (
        "It is empty; nothing else goes with it."
      ) : (
        <MessageBar intent="warning" layout="multiline">
          {`It holds ${plural(models, "model")} and ${plural(experiments, "experiment")}. Delete those first; a workspace is deleted only when it is empty.`}
        </MessageBar>
      )}
    </FormDialog>
  );
}
