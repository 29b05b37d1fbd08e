/**
 * Runs as a table source in which each stands under the run that it is nested in.
 *
 * Without a filter runs begin folded; with one they begin open, so that what is found is seen. What
 * a person folds or opens goes against that beginning, and is kept for each of the two.
 * Always holds: the source keeps its id while rows are folded, so the table stays where it is; the
 * caller asks again for what is shown.
 */
import { api, ask } from "@/api/client.ts";
import type { TableSource } from "@/parts/table/source.ts";
import { runSource, type RunView } from "@/parts/table/sources.ts";

export interface Folding {
  /** Runs that are open although no filter is set. */
  readonly opened: readonly string[];
  /** Runs that are folded although a filter is set. */
  readonly folded: readonly string[];
  readonly toggle: (run: string) => void;
}

export function treeSource(
  workspace: string,
  experiments: readonly string[],
  view: RunView,
  folding: Folding,
): TableSource {
  const flat = runSource(workspace, experiments, view);
  return {
    ...flat,
    id: [...flat.id, "tree"],
    toggleBranch: folding.toggle,
    searchTree: async ({ columns, filter, orderBy, offset, limit }, signal) => {
      const isFiltered = filter.trim() !== "";
      const found = await ask(
        api.POST("/api/v1/workspaces/{workspace}/runs/tree", {
          params: { path: { workspace } },
          body: {
            experiments: [...experiments],
            view,
            columns: [...columns],
            filter,
            order_by: [...orderBy],
            offset,
            limit: limit ?? null,
            starts_open: isFiltered,
            toggled: [...(isFiltered ? folding.folded : folding.opened)],
          },
          ...(signal && { signal }),
        }),
      );
      return {
        columns: found.columns,
        total: found.total,
        rows: found.rows.map(({ key, cells, ...branch }) => ({ key, cells, branch })),
      };
    },
  };
}
