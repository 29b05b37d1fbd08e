/** What a workspace holds: models and experiments together, found, sorted, made. */
import {
  Button,
  Input,
  makeStyles,
  mergeClasses,
  Tab,
  TabList,
  Text,
  tokens,
} from "@fluentui/react-components";
import {
  AddRegular,
  BeakerRegular,
  BoxMultipleRegular,
  SearchRegular,
  SettingsRegular,
} from "@fluentui/react-icons";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { useDeferredValue, useMemo, useRef, useState } from "react";
import { firstRun } from "@/lib/firstRun.ts";
import { plural } from "@/lib/format.ts";
import { useShortcuts } from "@/lib/keyboard.ts";
import { fluentRef } from "@/lib/fluentRef.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { useWorkspace } from "@/lib/workspace.ts";
import { AliasBadge } from "@/parts/AliasBadge.tsx";
import type { Command } from "@/parts/commands.ts";
import { Card } from "@/parts/Card.tsx";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { type ListColumn, type ListOrder, ListTable } from "@/parts/ListTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { TimeText } from "@/parts/TimeText.tsx";
import { Gallery } from "./Gallery.tsx";
import { type Item, type ItemOrder, itemsQuery } from "./queries.ts";

const KINDS = { "": "All", model: "ML models", experiment: "Experiments" } as const;
type KindName = keyof typeof KINDS;

const useStyles = makeStyles({
  page: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalM,
    height: "100%",
    minHeight: 0,
    boxSizing: "border-box",
    padding: tokens.spacingHorizontalL,
  },
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
  },
  find: { flexGrow: 1, maxWidth: "360px" },
  count: { color: tokens.colorNeutralForeground3 },
  name: {
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    minWidth: 0,
  },
  icon: { display: "flex", flexShrink: 0, fontSize: "20px" },
  model: { color: tokens.colorBrandForeground1 },
  experiment: { color: tokens.colorPalettePurpleBorderActive },
  link: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  aliases: { display: "flex", gap: tokens.spacingHorizontalXS, overflow: "hidden" },
});

export function ItemsScreen() {
  const styles = useStyles();
  const workspace = useWorkspace();
  const router = useRouter();
  const [search, change] = useSearchState();
  const [isCreating, setCreating] = useState(false);
  const box = useRef<HTMLInputElement>(null);
  const kind: KindName =
    search["kind"] === "model" || search["kind"] === "experiment" ? search["kind"] : "";
  const order = orderOf(search["sort"]);
  const text = useDeferredValue(search["q"] ?? "");
  const { data, error, refetch } = useQuery({
    ...itemsQuery(workspace, {
      text,
      kind,
      orderBy: `${order.id as "name"}${order.isFalling ? " DESC" : ""}` as ItemOrder,
    }),
    placeholderData: keepPreviousData,
  });
  useShortcuts([{ keys: "/", label: "Search items", run: () => box.current?.focus() }]);
  const commands = useMemo<Command[]>(
    () => [
      {
        id: "new",
        label: "New item",
        icon: <AddRegular />,
        isPrimary: true,
        keys: "n",
        run: () => setCreating(true),
      },
      {
        id: "settings",
        label: "Workspace settings",
        icon: <SettingsRegular />,
        run: () => void router.navigate({ to: "/workspaces", search: { edit: workspace } }),
      },
    ],
    [router, workspace],
  );
  const columns = useMemo(() => columnsOf(workspace, styles), [workspace, styles]);
  const isFiltered = text !== "" || kind !== "";
  return (
    <Screen
      title={workspace}
      crumbs={[
        <RouteLink key="all" to="/workspaces" appearance="subtle">
          Workspaces
        </RouteLink>,
      ]}
      commands={commands}
      isFixed
    >
      <div className={styles.page}>
        <div className={styles.bar}>
          <TabList
            size="small"
            selectedValue={kind}
            onTabSelect={(_event, { value }) => change({ kind: String(value) })}
            aria-label="Kinds of items"
          >
            {Object.entries(KINDS).map(([value, label]) => (
              <Tab key={value} value={value}>
                {label}
              </Tab>
            ))}
          </TabList>
          <Input
            className={styles.find}
            size="small"
            type="search"
            ref={fluentRef(box)}
            aria-label="Search items"
            placeholder="Search by name"
            contentBefore={<SearchRegular />}
            value={search["q"] ?? ""}
            onChange={(_event, { value }) => change({ q: value })}
          />
          {data && (
            <Text size={200} className={styles.count} role="status">
              {plural(data.total, "item")}
            </Text>
          )}
        </div>
        {error && <ErrorView error={error} onRetry={() => void refetch()} />}
        {!data && !error && <Loading lines={8} height={32} />}
        {data && data.items.length > 0 && (
          <ListTable
            label={`Items of ${workspace}`}
            columns={columns}
            rows={data.items}
            keyOf={(item) => `${item.kind} ${item.key}`}
            order={order}
            onOrder={(next) => change({ sort: `${next.isFalling ? "-" : ""}${next.id}` })}
          />
        )}
        {data?.items.length === 0 &&
          (isFiltered ? (
            <EmptyState title="Nothing is called so" icon={<SearchRegular />}>
              No item of this workspace has such a name.{" "}
              <Button size="small" onClick={() => change({ q: "", kind: "" })}>
                Show all
              </Button>
            </EmptyState>
          ) : (
            <EmptyState
              title="This workspace is empty"
              icon={<BoxMultipleRegular />}
              action={
                <Button
                  appearance="primary"
                  icon={<AddRegular />}
                  onClick={() => setCreating(true)}
                >
                  New item
                </Button>
              }
              more={
                <Card title="Or log a run into it">
                  <CodeBlock
                    label="Snippet"
                    language="python"
                    code={firstRun(window.location.origin, workspace)}
                  />
                </Card>
              }
            >
              Models keep the versions that you register; experiments keep the runs that made them.
            </EmptyState>
          ))}
      </div>
      {isCreating && (
        <Gallery
          workspace={workspace}
          heading="Analyze and train data"
          onClose={() => setCreating(false)}
        />
      )}
    </Screen>
  );
}

function orderOf(text = "-updated_ms"): ListOrder {
  const id = text.replace("-", "");
  const known = id === "name" || id === "created_ms" ? id : "updated_ms";
  return { id: known, isFalling: text.startsWith("-") };
}

function columnsOf(workspace: string, styles: ReturnType<typeof useStyles>): ListColumn<Item>[] {
  return [
    {
      id: "name",
      title: "Name",
      track: "minmax(180px, 3fr)",
      isSortable: true,
      render: (item) => <Name workspace={workspace} item={item} />,
    },
    {
      id: "kind",
      title: "Kind",
      track: "minmax(96px, 1fr)",
      isExtra: true,
      render: (item) => (item.kind === "model" ? "ML model" : "Experiment"),
    },
    {
      id: "owner",
      title: "Owner",
      track: "minmax(80px, 1fr)",
      isExtra: true,
      render: (item) => item.owner || "–",
    },
    {
      id: "updated_ms",
      title: "Changed",
      track: "minmax(104px, 1fr)",
      isSortable: true,
      render: (item) => <TimeText ms={item.updated_ms} />,
    },
    {
      id: "latest",
      title: "Holds",
      track: "minmax(104px, 1fr)",
      isExtra: true,
      render: (item) => <Holds workspace={workspace} item={item} />,
    },
    {
      id: "aliases",
      title: "Aliases",
      track: "minmax(160px, 2fr)",
      isExtra: true,
      render: (item) => (
        <span className={styles.aliases}>
          {Object.entries(item.aliases).map(([alias, version]) => (
            <AliasBadge key={alias} name={alias} title={`@${alias} is version ${version}`} />
          ))}
        </span>
      ),
    },
  ];
}

function Name({ workspace, item }: { workspace: string; item: Item }) {
  const styles = useStyles();
  const { key, name } = item;
  return (
    <span className={styles.name} dir="auto" title={name}>
      <span className={mergeClasses(styles.icon, styles[item.kind])} aria-hidden>
        {item.kind === "model" ? <BoxMultipleRegular /> : <BeakerRegular />}
      </span>
      {item.kind === "model" ? (
        <RouteLink
          className={styles.link}
          to="/w/$workspace/models/$model"
          params={{ workspace, model: key }}
        >
          {name}
        </RouteLink>
      ) : (
        <RouteLink
          className={styles.link}
          to="/w/$workspace/experiments/$experiment"
          params={{ workspace, experiment: key }}
        >
          {name}
        </RouteLink>
      )}
    </span>
  );
}

function Holds({ workspace, item }: { workspace: string; item: Item }) {
  if (item.kind === "experiment") return plural(item.runs, "run");
  if (item.latest_version === null) return "no version yet";
  return (
    <RouteLink
      to="/w/$workspace/models/$model/versions/$version"
      params={{ workspace, model: item.key, version: String(item.latest_version) }}
    >
      {`Version ${item.latest_version}`}
    </RouteLink>
  );
}
