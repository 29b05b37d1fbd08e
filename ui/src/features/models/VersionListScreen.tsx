/** The model list view: every version of a model in one table. */
import type { QueryClient } from "@tanstack/react-query";
import { useParams } from "@tanstack/react-router";
import { askForCharts } from "@/parts/compare/ahead.ts";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { versionSource } from "@/parts/table/sources.ts";
import { VersionList } from "./list/VersionList.tsx";

export function askAhead(
  queries: QueryClient,
  { workspace = "", model = "" }: Readonly<Record<string, string>>,
  search: string,
): void {
  askForCharts(queries, versionSource(workspace, model), search);
}

export function VersionListScreen() {
  const { workspace, model } = useParams({ from: "/w/$workspace/models/$model/list" });
  return (
    <Screen
      title="Model list"
      isFixed
      crumbs={[
        <RouteLink key="workspace" to="/w/$workspace" params={{ workspace }} appearance="subtle">
          {workspace}
        </RouteLink>,
        <RouteLink
          key="model"
          to="/w/$workspace/models/$model"
          params={{ workspace, model }}
          appearance="subtle"
        >
          {model}
        </RouteLink>,
      ]}
    >
      <VersionList key={`${workspace}/${model}`} workspace={workspace} model={model} />
    </Screen>
  );
}
