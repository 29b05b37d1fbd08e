/**
 * Runs of experiments in the shared table: as a tree of nested runs, living or deleted, compared.
 *
 * Always holds: view type, nesting and what is folded are in the address beside the list's own
 * state; deleting can be undone. Leaves to others: the table, filter, charts (`parts`).
 */
import { Button, makeStyles, Select, tokens, Tooltip } from "@fluentui/react-components";
import {
  ArrowUndoRegular,
  BranchForkRegular,
  DeleteRegular,
  TextBulletListTreeRegular,
} from "@fluentui/react-icons";
import { type QueryClient, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "@tanstack/react-router";
import { type ReactNode, useCallback, useEffect, useMemo, useRef } from "react";
import { plural } from "@/lib/format.ts";
import { readSearch, type Search } from "@/lib/search.ts";
import { packKeys, unpackKeys } from "@/lib/urlState.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { askForCharts } from "@/parts/compare/ahead.ts";
import { Explorer } from "@/parts/compare/Explorer.tsx";
import { useViewState } from "@/parts/compare/useViewState.ts";
import { notify, notifyFailure } from "@/parts/notices.ts";
import type { RenderCell } from "@/parts/table/GridRow.tsx";
import { runSource, type RunView } from "@/parts/table/sources.ts";
import { deleteRuns, restoreRuns } from "./queries.ts";
import { drawRunCell } from "./RunCells.tsx";
import { type Folding, treeSource } from "./treeSource.ts";

const useStyles = makeStyles({
  view: { minWidth: "132px", "@media (max-width: 480px)": { minWidth: 0, maxWidth: "136px" } },
  list: { display: "flex", flexGrow: 1, minHeight: 0, minWidth: 0 },
  icon: { color: tokens.colorBrandForeground1 },
});

/** What a list's own words in the address choose. */
function chosenIn(search: Search): { readonly view: RunView; readonly isNested: boolean } {
  return {
    view: search["view"] === "deleted" ? "deleted" : "active",
    isNested: search["nested"] !== "0",
  };
}

/** What the charts of a link to such a list are drawn from, before there is a list. */
export function askForRunCharts(
  queries: QueryClient,
  workspace: string,
  experiments: readonly string[],
  search: string,
): void {
  const { view, isNested } = chosenIn(readSearch(search));
  const source = isNested
    ? treeSource(workspace, experiments, view, UNFOLDED)
    : runSource(workspace, experiments, view);
  askForCharts(queries, source, search);
}

const UNFOLDED: Folding = { opened: [], folded: [], toggle: () => undefined };

export interface RunListProps {
  readonly workspace: string;
  /** All of the workspace when empty. */
  readonly experiments: readonly string[];
  /** What saved views belong to. */
  readonly scope: string;
  readonly label: string;
  /** Shown where there is no run at all. */
  readonly empty: ReactNode;
}

export function RunList({ workspace, experiments, scope, label, empty }: RunListProps) {
  const styles = useStyles();
  const router = useRouter();
  const queries = useQueryClient();
  const [search, changeSearch] = useSearchState();
  const [state, change, show] = useViewState(scope);
  const { view, isNested } = chosenIn(search);
  const folding = useFolding(search["open"] ?? "", search["folded"] ?? "", state.filter);
  const joined = experiments.join(" ");
  const source = useMemo(() => {
    const ids = joined === "" ? [] : joined.split(" ");
    return isNested ? treeSource(workspace, ids, view, folding) : runSource(workspace, ids, view);
  }, [workspace, joined, view, isNested, folding]);
  useAskedAgain(source.id, folding);

  const open = useCallback(
    (run: string) =>
      void router.navigate({ to: "/w/$workspace/runs/$run", params: { workspace, run } }),
    [router, workspace],
  );
  const toggle = source.toggleBranch;
  const renderCell = useCallback<RenderCell>(
    (column, row) => drawRunCell(workspace, column, row, toggle),
    [workspace, toggle],
  );

  const chosen = state.selection;
  async function remove() {
    try {
      await deleteRuns(workspace, chosen);
      change({ selection: [], hidden: [] });
      notify({
        title: `${plural(chosen.length, "run")} deleted`,
        undo: () => restoreRuns(workspace, chosen),
      });
    } catch (error) {
      notifyFailure("The runs were not deleted", error);
    }
    await queries.invalidateQueries({ queryKey: source.id });
  }
  async function restore() {
    try {
      await restoreRuns(workspace, chosen);
      change({ selection: [], hidden: [] });
      notify({
        title: `${plural(chosen.length, "run")} restored`,
        undo: () => deleteRuns(workspace, chosen),
      });
    } catch (error) {
      notifyFailure("The runs were not restored", error);
    }
    await queries.invalidateQueries({ queryKey: source.id });
  }

  const tools = (
    <>
      <Select
        className={styles.view}
        aria-label="Which runs"
        value={view}
        onChange={(_event, data) =>
          changeSearch(
            { view: data.value === "deleted" ? "deleted" : "", rows: "", hidden: "" },
            "push",
          )
        }
      >
        <option value="active">Active runs</option>
        <option value="deleted">Deleted runs</option>
      </Select>
      <Tooltip
        content={isNested ? "Nested runs stand under their parents" : "All runs in one list"}
        relationship="description"
      >
        <Button
          aria-pressed={isNested}
          icon={
            isNested ? <TextBulletListTreeRegular className={styles.icon} /> : <BranchForkRegular />
          }
          onClick={() => changeSearch({ nested: isNested ? "0" : "" })}
        >
          Nested
        </Button>
      </Tooltip>
      {chosen.length > 0 &&
        (view === "active" ? (
          <Button icon={<DeleteRegular />} onClick={() => void remove()}>
            Delete {plural(chosen.length, "run")}
          </Button>
        ) : (
          <Button icon={<ArrowUndoRegular />} onClick={() => void restore()}>
            Restore {plural(chosen.length, "run")}
          </Button>
        ))}
    </>
  );
  return (
    <div className={styles.list}>
      <Explorer
        source={source}
        workspace={workspace}
        scope={scope}
        label={label}
        state={state}
        change={change}
        show={show}
        renderCell={renderCell}
        onOpen={open}
        tools={tools}
        empty={view === "deleted" ? "No deleted runs" : empty}
      />
    </div>
  );
}

/** What a person folded and opened, read from the address and written there. */
function useFolding(openText: string, foldedText: string, filter: string): Folding {
  const [, change] = useSearchState();
  const latest = useRef(change);
  useEffect(() => {
    latest.current = change;
  });
  const isFiltered = filter.trim() !== "";
  return useMemo(() => {
    const opened = unpackKeys(openText);
    const folded = unpackKeys(foldedText);
    return {
      opened,
      folded,
      toggle: (run) => {
        const before = isFiltered ? folded : opened;
        const after = before.includes(run)
          ? before.filter((each) => each !== run)
          : [...before, run];
        latest.current(isFiltered ? { folded: packKeys(after) } : { open: packKeys(after) });
      },
    };
  }, [openText, foldedText, isFiltered]);
}

/** Asks for the rows again when something was folded; what was there stays until they come. */
function useAskedAgain(id: readonly (string | number)[], folding: Folding): void {
  const queries = useQueryClient();
  const key = JSON.stringify([id, "rows"]);
  const now = JSON.stringify([folding.opened, folding.folded]);
  const asked = useRef({ key, now });
  useEffect(() => {
    const before = asked.current;
    asked.current = { key, now };
    if (before.key !== key || before.now === now) return;
    const [rootId] = JSON.parse(key) as [(string | number)[]];
    void queries.invalidateQueries({ queryKey: [...rootId, "rows"] });
  }, [queries, key, now]);
  // Rows of another folding must not come back from the cache.
  useEffect(
    () => () => {
      const [rootId] = JSON.parse(key) as [(string | number)[]];
      queries.removeQueries({ queryKey: [...rootId, "rows"] });
    },
    [queries, key],
  );
}
