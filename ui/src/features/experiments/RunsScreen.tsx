/** All runs of a workspace, across its experiments. */
import { BeakerRegular } from "@fluentui/react-icons";
import type { QueryClient } from "@tanstack/react-query";
import { useWorkspace } from "@/lib/workspace.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { askForRunCharts, RunList } from "./RunList.tsx";

const NO_EXPERIMENT: readonly string[] = [];

export function askAhead(
  queries: QueryClient,
  { workspace = "" }: Readonly<Record<string, string>>,
  search: string,
): void {
  askForRunCharts(queries, workspace, NO_EXPERIMENT, search);
}

export function RunsScreen() {
  const workspace = useWorkspace();
  return (
    <Screen
      title="Runs"
      isFixed
      crumbs={[
        <RouteLink key="ws" to="/w/$workspace" params={{ workspace }} appearance="subtle">
          {workspace}
        </RouteLink>,
      ]}
    >
      <RunList
        workspace={workspace}
        experiments={NO_EXPERIMENT}
        scope="runs"
        label="Runs"
        empty={
          <EmptyState title="No runs yet" icon={<BeakerRegular />}>
            Runs of every experiment in this workspace stand here. Open an experiment to see how one
            is logged.
          </EmptyState>
        }
      />
    </Screen>
  );
}
