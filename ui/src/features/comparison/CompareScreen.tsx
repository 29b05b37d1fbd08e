/**
 * A comparison on a page of its own: of versions of a `model`, or of runs of `experiments`, as the
 * address names them beside the view's own words.
 */
import { makeStyles, tokens } from "@fluentui/react-components";
import type { QueryClient } from "@tanstack/react-query";
import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { readSearch, type Search } from "@/lib/search.ts";
import { askForCharts } from "@/parts/compare/ahead.ts";
import { ComparisonPane, PaneTabs } from "@/parts/compare/ComparisonPane.tsx";
import { useViewState } from "@/parts/compare/useViewState.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import { Screen } from "@/parts/Screen.tsx";
import { shownIds } from "@/parts/table/columns.ts";
import type { TableSource } from "@/parts/table/source.ts";
import { countOf, runSource, versionSource } from "@/parts/table/sources.ts";
import { useColumns } from "@/parts/table/useColumns.ts";

const useStyles = makeStyles({
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalM,
    paddingInline: tokens.spacingHorizontalM,
    flexShrink: 0,
    minHeight: "40px",
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
});

function comparedSource(workspace: string, model: string, experiments: string): TableSource {
  return model === ""
    ? runSource(workspace, experiments === "" ? [] : experiments.split(","))
    : versionSource(workspace, model);
}

export function askAhead(
  queries: QueryClient,
  { workspace = "" }: Readonly<Record<string, string>>,
  search: string,
): void {
  const { model = "", experiments = "" } = readSearch(search);
  askForCharts(queries, comparedSource(workspace, model, experiments), search);
}

export function CompareScreen() {
  const styles = useStyles();
  const { workspace } = useParams({ from: "/w/$workspace/compare" });
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const model = search["model"] ?? "";
  const experiments = search["experiments"] ?? "";
  const source = useMemo(
    () => comparedSource(workspace, model, experiments),
    [workspace, model, experiments],
  );
  const [state, change] = useViewState(`${workspace}/compare`);
  const { usual } = useColumns(source);
  const shown = useMemo(() => shownIds(state.layout, usual), [state.layout, usual]);
  const open = (key: string) => {
    void (model === ""
      ? navigate({ to: "/w/$workspace/runs/$run", params: { workspace, run: key } })
      : navigate({
          to: "/w/$workspace/models/$model/versions/$version",
          params: { workspace, model, version: key },
        }));
  };
  const crumbs = [
    <RouteLink key="workspace" to="/w/$workspace" params={{ workspace }}>
      {workspace}
    </RouteLink>,
  ];
  if (model !== "") {
    crumbs.push(
      <RouteLink key="model" to="/w/$workspace/models/$model" params={{ workspace, model }}>
        {model}
      </RouteLink>,
    );
  }
  return (
    <Screen title={`Compare ${countOf(source, state.selection.length)}`} isFixed crumbs={crumbs}>
      {state.selection.length === 0 ? (
        <EmptyState title="Nothing to compare">
          Select rows in a list of versions or runs, then open the comparison from there.
        </EmptyState>
      ) : (
        <>
          <div className={styles.bar}>
            <PaneTabs source={source} state={state} onChange={change} />
          </div>
          <ComparisonPane
            source={source}
            workspace={workspace}
            state={state}
            shown={shown}
            onChange={change}
            onOpen={open}
          />
        </>
      )}
    </Screen>
  );
}
