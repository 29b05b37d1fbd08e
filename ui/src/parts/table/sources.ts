/** The two table sources there are: versions of a model, and runs of experiments. */
import { api, ask } from "@/api/client.ts";
import { plural } from "@/lib/format.ts";
import type { Cell, TableSource } from "./source.ts";

/** Versions of one model. */
export function versionSource(workspace: string, model: string): TableSource {
  const path = { workspace, model };
  return {
    id: ["versions", workspace, model],
    noun: { one: "version", many: "versions" },
    keyColumn: "version",
    keyIsNumber: true,
    nameColumn: "run_name",
    runColumn: "run_id",
    usual: ["version", "created_ms", "run_name", "aliases", "stage", "registered_by"],
    summaries: ["metrics", "min", "max"],
    watch: [
      { kind: "version", parent: model },
      { kind: "alias", parent: model },
    ],
    search: ({ columns, filter, orderBy, offset, limit }, signal) => {
      const body = {
        columns: [...columns],
        filter,
        order_by: [...orderBy],
        offset,
        limit: limit ?? null,
      };
      return ask(
        api.POST("/api/v1/workspaces/{workspace}/models/{model}/versions/search", {
          params: { path },
          body,
          ...(signal && { signal }),
        }),
      );
    },
    columns: (query, signal) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/models/{model}/versions/columns", {
          params: { path, query },
          ...(signal && { signal }),
        }),
      ),
    values: async (query, signal) => {
      const found = await ask(
        api.GET("/api/v1/workspaces/{workspace}/models/{model}/versions/values", {
          params: { path, query },
          ...(signal && { signal }),
        }),
      );
      return found.values;
    },
    series: async ({ rows, keys, ...cut }, signal) => {
      const found = await ask(
        api.POST("/api/v1/workspaces/{workspace}/models/{model}/series", {
          params: { path },
          body: { versions: rows.map(Number), keys: [...keys], ...cut },
          ...(signal && { signal }),
        }),
      );
      return found.series;
    },
    item: (key) => ({ model, version: Number(key) }),
    label: (key, name) => labelled(`v${key}`, name),
  };
}

export type RunView = "active" | "deleted";

/** Runs of these experiments, or of all in the workspace. */
export function runSource(
  workspace: string,
  experiments: readonly string[],
  view: RunView = "active",
): TableSource {
  const path = { workspace };
  return {
    id: ["runs", workspace, ...experiments, view],
    noun: { one: "run", many: "runs" },
    keyColumn: "run_id",
    keyIsNumber: false,
    nameColumn: "run_name",
    runColumn: "run_id",
    usual: ["run_name", "start_time", "status", "duration", "user_id", "versions"],
    summaries: ["metrics", "min", "max", "mean"],
    watch:
      experiments.length === 0
        ? [{ kind: "run" }]
        : experiments.map((parent) => ({ kind: "run", parent })),
    search: ({ columns, filter, orderBy, offset, limit }, signal) => {
      const body = {
        experiments: [...experiments],
        view,
        columns: [...columns],
        filter,
        order_by: [...orderBy],
        offset,
        limit: limit ?? null,
      };
      return ask(
        api.POST("/api/v1/workspaces/{workspace}/runs/search", {
          params: { path },
          body,
          ...(signal && { signal }),
        }),
      );
    },
    columns: (query, signal) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/runs/columns", {
          params: { path, query: { ...query, experiments: [...experiments] } },
          ...(signal && { signal }),
        }),
      ),
    values: async (query, signal) => {
      const found = await ask(
        api.GET("/api/v1/workspaces/{workspace}/runs/values", {
          params: { path, query: { ...query, experiments: [...experiments] } },
          ...(signal && { signal }),
        }),
      );
      return found.values;
    },
    series: async ({ rows, keys, ...cut }, signal) => {
      const found = await ask(
        api.POST("/api/v1/workspaces/{workspace}/series", {
          params: { path },
          body: { runs: [...rows], keys: [...keys], ...cut },
          ...(signal && { signal }),
        }),
      );
      return found.series;
    },
    item: (key) => ({ run: key }),
    label: (key, name) => (typeof name === "string" && name !== "" ? name : key.slice(-8)),
  };
}

function labelled(head: string, name: Cell): string {
  return typeof name === "string" && name !== "" ? `${head} ${name}` : head;
}

/** `3 versions`, as people say it. */
export function countOf(source: TableSource, count: number): string {
  return plural(count, source.noun.one, source.noun.many);
}
