/**
 * One model: its description, labels, versions, and the details of the chosen version.
 *
 * Always holds: which version is shown is in the address, the newest where none is named; new
 * versions appear by themselves and do not change what is shown once one is named.
 */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import {
  AddRegular,
  BoxMultipleRegular,
  CodeRegular,
  DeleteRegular,
  RenameRegular,
  TableRegular,
} from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useParams, useRouter } from "@tanstack/react-router";
import { type ReactNode, useMemo, useState } from "react";
import { refusalOfModelName } from "@/lib/names.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { Card } from "@/parts/Card.tsx";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import type { Command } from "@/parts/commands.ts";
import { Description } from "@/parts/Description.tsx";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { notify } from "@/parts/notices.ts";
import { RenameDialog } from "@/parts/RenameDialog.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { TagList } from "@/parts/TagList.tsx";
import { ApplyDialog } from "./ApplyMenu.tsx";
import { DeleteModelDialog, DeleteVersionDialog } from "./ModelDialogs.tsx";
import { RegisterDialog } from "./RegisterDialog.tsx";
import {
  type Model,
  modelQuery,
  tagModel,
  updateModel,
  useSettled,
  versionQuery,
  versionsQuery,
} from "./queries.ts";
import { registration } from "./snippets.ts";
import { VersionDetails } from "./VersionDetails.tsx";
import { VersionPane } from "./VersionPane.tsx";

const NARROW = "@media (max-width: 800px)";
type Shown = "nothing" | "rename" | "delete" | "register" | "delete-version" | "apply";

const useStyles = makeStyles({
  page: {
    display: "grid",
    gridTemplateColumns: "280px minmax(0, 1fr)",
    gridTemplateRows: "minmax(0, 1fr)",
    height: "100%",
    minHeight: 0,
    [NARROW]: {
      gridTemplateColumns: "minmax(0, 1fr)",
      gridTemplateRows: "auto 240px auto",
      // There is no room for two panes: all scrolls together, the model first, then its versions.
      overflow: "auto",
    },
  },
  details: {
    overflow: "auto",
    padding: tokens.spacingHorizontalL,
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalL,
    minWidth: 0,
    [NARROW]: { display: "contents" },
  },
  model: { [NARROW]: { order: -1, padding: tokens.spacingHorizontalM } },
  version: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalL,
    minWidth: 0,
    [NARROW]: { padding: tokens.spacingHorizontalM },
  },
  title: { margin: 0, overflowWrap: "anywhere" },
  about: { display: "flex", flexDirection: "column", gap: tokens.spacingVerticalXS },
  tags: { color: tokens.colorNeutralForeground2 },
  empty: { overflow: "auto", padding: tokens.spacingHorizontalL },
});

export function ModelScreen() {
  const styles = useStyles();
  const params = useParams({ strict: false });
  const workspace = useWorkspace();
  const name = params.model ?? "";
  const router = useRouter();
  const [shown, setShown] = useState<Shown>("nothing");
  const model = useQuery(modelQuery(workspace, name));
  const chosen = params.version ?? String(model.data?.latest_version ?? "");
  const version = useQuery({
    ...versionQuery(workspace, name, chosen),
    enabled: chosen !== "",
  });
  const hasVersion = version.data !== undefined;
  const commands = useMemo<Command[]>(() => {
    const ofVersion: Command[] = hasVersion
      ? [
          {
            id: "apply",
            label: "Apply this version",
            icon: <CodeRegular />,
            run: () => setShown("apply"),
          },
          {
            id: "delete-version",
            label: "Delete version",
            icon: <DeleteRegular />,
            run: () => setShown("delete-version"),
          },
        ]
      : [];
    return [
      {
        id: "register",
        label: "Register version",
        icon: <AddRegular />,
        run: () => setShown("register"),
      },
      ...ofVersion,
      { id: "rename", label: "Rename", icon: <RenameRegular />, run: () => setShown("rename") },
      {
        id: "delete",
        label: "Delete model",
        icon: <DeleteRegular />,
        run: () => setShown("delete"),
      },
      {
        id: "list",
        label: "Model list",
        icon: <TableRegular />,
        tab: "View",
        run: () =>
          void router.navigate({
            to: "/w/$workspace/models/$model/list",
            params: { workspace, model: name },
          }),
      },
    ];
  }, [router, workspace, name, hasVersion]);
  const close = () => setShown("nothing");

  return (
    <Screen
      title={name}
      isFixed
      commands={model.data ? commands : []}
      crumbs={[
        <RouteLink key="workspace" to="/w/$workspace" params={{ workspace }} appearance="subtle">
          {workspace}
        </RouteLink>,
      ]}
    >
      {!model.data && (
        <div className={styles.empty}>
          {model.error ? (
            <ErrorView
              error={model.error}
              what="This model could not be shown"
              onRetry={() => void model.refetch()}
            />
          ) : (
            <Loading lines={10} height={32} />
          )}
        </div>
      )}
      {model.data?.versions === 0 && params.version === undefined && (
        <EmptyModel workspace={workspace} model={model.data} />
      )}
      {model.data && (model.data.versions > 0 || params.version !== undefined) && (
        <Filled workspace={workspace} model={model.data} chosen={chosen}>
          {version.error && (
            <ErrorView
              error={version.error}
              what="This version could not be shown"
              onRetry={() => void version.refetch()}
            />
          )}
          {!version.data && !version.error && <Loading lines={10} height={32} />}
          {version.data && (
            <VersionDetails workspace={workspace} model={model.data} version={version.data} />
          )}
        </Filled>
      )}
      {model.data && shown === "rename" && (
        <RenameDialog
          noun="model"
          name={name}
          refuse={refusalOfModelName}
          onClose={close}
          onRename={async (next) => {
            await updateModel(workspace, name, { name: next });
            notify({
              title: `Renamed to ${next}`,
              undo: () => updateModel(workspace, next, { name }),
            });
            await router.navigate({
              to: "/w/$workspace/models/$model",
              params: { workspace, model: next },
            });
          }}
        />
      )}
      {model.data && shown === "delete" && (
        <DeleteModelDialog workspace={workspace} model={model.data} onClose={close} />
      )}
      {model.data && shown === "register" && (
        <RegisterDialog workspace={workspace} model={model.data} onClose={close} />
      )}
      {version.data && shown === "delete-version" && (
        <DeleteVersionDialog workspace={workspace} version={version.data} onClose={close} />
      )}
      {version.data && shown === "apply" && (
        <ApplyDialog workspace={workspace} version={version.data} onClose={close} />
      )}
    </Screen>
  );
}

interface ModelProps {
  readonly workspace: string;
  readonly model: Model;
}

function Filled({
  workspace,
  model,
  chosen,
  children,
}: ModelProps & { readonly chosen: string; readonly children: ReactNode }) {
  const styles = useStyles();
  const router = useRouter();
  const { data, error } = useQuery(versionsQuery(workspace, model.name));
  // An alias or `latest` may stand in the address; the list marks the version it means.
  const alias = model.aliases.find((each) => each.name === chosen.replace(/^@/, ""));
  const number =
    chosen === "latest" ? String(model.latest_version) : String(alias?.version ?? chosen);
  return (
    <div className={styles.page}>
      <VersionPane
        workspace={workspace}
        model={model.name}
        versions={data ?? []}
        chosen={number}
        onChoose={(version) =>
          void router.navigate({
            to: "/w/$workspace/models/$model/versions/$version",
            params: { workspace, model: model.name, version },
            search: (before) => before,
          })
        }
      />
      <div className={styles.details}>
        <div className={styles.model}>
          <About workspace={workspace} model={model} />
        </div>
        <div className={styles.version}>
          {error && <ErrorView error={error} what="The list of versions could not be loaded" />}
          {children}
        </div>
      </div>
    </div>
  );
}

function About({ workspace, model }: ModelProps) {
  const styles = useStyles();
  const settled = useSettled(workspace, model.name);
  const tags = Object.keys(model.tags).length;
  return (
    <div className={styles.about}>
      <Text as="h1" size={600} weight="semibold" className={styles.title} dir="auto">
        {model.name}
      </Text>
      <Description
        key={model.name}
        text={model.description}
        onSave={(description) => settled(updateModel(workspace, model.name, { description }))}
      />
      <details className={styles.tags}>
        <summary>{tags === 0 ? "Tags of this model" : `Tags of this model (${tags})`}</summary>
        <TagList
          tags={model.tags}
          onChange={(changes) => settled(tagModel(workspace, model.name, changes))}
        />
      </details>
    </div>
  );
}

function EmptyModel({ workspace, model }: ModelProps) {
  const styles = useStyles();
  return (
    <div className={styles.empty}>
      <About workspace={workspace} model={model} />
      <EmptyState
        title="No versions yet"
        icon={<BoxMultipleRegular />}
        more={
          <Card title="Train and register the first version">
            <CodeBlock
              label="Snippet"
              language="python"
              code={registration(window.location.origin, workspace, model.name)}
            />
          </Card>
        }
      >
        A model keeps the versions that you register: from code with this snippet, from a run with
        “Save as ML model”, or here with “Register version”.
      </EmptyState>
    </div>
  );
}
