/** What the models' screens ask of the server and tell it. */
import {
  keepPreviousData,
  type QueryClient,
  queryOptions,
  useQueryClient,
} from "@tanstack/react-query";
import { addressOf, api, ask, type Shapes } from "@/api/client.ts";
import type { Watch } from "@/api/events.ts";
import type { Place } from "@/parts/files/place.ts";

export type Model = Shapes["Model"];
export type Version = Shapes["Version"];
export type LabelChange = Shapes["LabelChange"];
export type Stage = NonNullable<Shapes["UpdateVersion"]["stage"]>;

/** A version as the list beside the details shows it. */
export interface ListedVersion {
  readonly number: string;
  readonly createdMs: number;
  readonly aliases: readonly string[];
  readonly stage: string;
  readonly runName: string;
}

const LISTED = ["created_ms", "aliases", "stage", "run_name"];
const SPARK_BUCKETS = 60;
const FOUND_RUNS = 30;
const EXPERIMENTS_MAX = 200;
/** As many metrics as one call for series may name. */
const SERIES_MAX = 50;

function watchOf(model: string): Watch[] {
  return [
    { kind: "version", parent: model },
    { kind: "alias", parent: model },
    { kind: "model", key: model },
  ];
}

export function modelQuery(workspace: string, model: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "model", model],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/models/{model}", {
          params: { path: { workspace, model } },
          signal,
        }),
      ),
    meta: { watch: watchOf(model) },
  });
}

export function versionsQuery(workspace: string, model: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "model", model, "listed"],
    queryFn: async ({ signal }): Promise<ListedVersion[]> => {
      const table = await ask(
        api.POST("/api/v1/workspaces/{workspace}/models/{model}/versions/search", {
          params: { path: { workspace, model } },
          body: { columns: LISTED },
          signal,
        }),
      );
      return table.rows.map(({ key, cells: [created, aliases, stage, runName] }) => ({
        number: key,
        createdMs: typeof created === "number" ? created : 0,
        aliases: Array.isArray(aliases) ? aliases : [],
        stage: typeof stage === "string" ? stage : "None",
        runName: typeof runName === "string" ? runName : "",
      }));
    },
    meta: { watch: watchOf(model) },
  });
}

export function versionQuery(workspace: string, model: string, version: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "model", model, "version", version],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}", {
          params: { path: { workspace, model, version } },
          signal,
        }),
      ),
    meta: { watch: watchOf(model) },
  });
}

/** The curves of a version's metrics, thinned to what a small picture shows. */
export function sparksQuery(workspace: string, run: string, keys: readonly string[]) {
  const asked = keys.slice(0, SERIES_MAX);
  return queryOptions({
    queryKey: ["ws", workspace, "run", run, "sparks", asked],
    queryFn: async ({ signal }) => {
      const { series } = await ask(
        api.POST("/api/v1/workspaces/{workspace}/series", {
          params: { path: { workspace } },
          body: { runs: [run], keys: asked, buckets: SPARK_BUCKETS },
          signal,
        }),
      );
      return new Map(series.map((each) => [each.key, each]));
    },
    enabled: run !== "" && asked.length > 0,
  });
}

/** The curve of one metric, fine enough for a large picture. */
export function curveQuery(workspace: string, run: string, metric: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "run", run, "curve", metric],
    queryFn: async ({ signal }) => {
      const { series } = await ask(
        api.POST("/api/v1/workspaces/{workspace}/series", {
          params: { path: { workspace } },
          body: { runs: [run], keys: [metric], buckets: 1000 },
          signal,
        }),
      );
      return series[0] ?? null;
    },
  });
}

/** Let a worker look at a version's files again. */
export function scanAgain(workspace: string, { model, version }: Version) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/scan", {
      params: { path: { workspace, model, version: String(version) } },
    }),
  );
}

/** Jobs that applied a version. */
export function appliedQuery(workspace: string, { model, version }: Version) {
  return queryOptions({
    queryKey: ["ws", workspace, "model", model, "applied", version],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/applied", {
          params: { path: { workspace, model, version: String(version) }, query: { limit: 200 } },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "job", parent: model }] },
  });
}

/** Schedules that apply a version or what its aliases name, and how many jobs of it are not done. */
export function dependentsQuery(workspace: string, { model, version, aliases }: Version) {
  const names = [`${model}/${version}`, ...aliases.map((alias) => `${model}@${alias}`)];
  return queryOptions({
    queryKey: ["ws", workspace, "model", model, "dependents", version, aliases],
    queryFn: async ({ signal }) => {
      const [{ schedules }, { jobs }] = await Promise.all([
        ask(
          api.GET("/api/v1/workspaces/{workspace}/schedules", {
            params: { path: { workspace } },
            signal,
          }),
        ),
        ask(
          api.GET("/api/v1/workspaces/{workspace}/jobs", {
            params: {
              path: { workspace },
              query: { model, state: ["queued", "claimed", "running"], limit: 500 },
            },
            signal,
          }),
        ),
      ]);
      // A job that waits has no version yet, only what its plan says.
      const isOfIt = ({ plan }: { plan: { model: string } }) =>
        names.includes(plan.model.replace(/^models:\/+/, ""));
      return { schedules: schedules.filter(isOfIt), jobs: jobs.filter(isOfIt).length };
    },
    meta: { watch: [{ kind: "job" }, { kind: "schedule" }] },
  });
}

/** Where the files of a version are. */
export function placeOf(workspace: string, version: Version): Place {
  const { model, version: number } = version;
  return { address: addressOf(workspace, "models", model, "versions", String(number)) };
}

/** Ask again for everything of a model. */
export function refreshModel(queries: QueryClient, workspace: string, model: string) {
  return queries.invalidateQueries({ queryKey: ["ws", workspace, "model", model] });
}

/** Waits for a change and for the model as it is after it, so that nothing flickers back. */
export function useSettled(workspace: string, model: string) {
  const queries = useQueryClient();
  return async <T>(change: Promise<T>): Promise<T> => {
    const done = await change;
    await refreshModel(queries, workspace, model);
    return done;
  };
}

export function updateModel(workspace: string, model: string, body: Shapes["UpdateModel"]) {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/models/{model}", {
      params: { path: { workspace, model } },
      body,
    }),
  );
}

export function deleteModel(workspace: string, model: string) {
  return ask(
    api.DELETE("/api/v1/workspaces/{workspace}/models/{model}", {
      params: { path: { workspace, model } },
    }),
  );
}

export function tagModel(workspace: string, model: string, body: Shapes["LabelChanges"]) {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/models/{model}/tags", {
      params: { path: { workspace, model } },
      body,
    }),
  );
}

export function setAlias(workspace: string, model: string, alias: string, version: number) {
  return ask(
    api.PUT("/api/v1/workspaces/{workspace}/models/{model}/aliases/{alias}", {
      params: { path: { workspace, model, alias } },
      body: { version },
    }),
  );
}

export function deleteAlias(workspace: string, model: string, alias: string) {
  return ask(
    api.DELETE("/api/v1/workspaces/{workspace}/models/{model}/aliases/{alias}", {
      params: { path: { workspace, model, alias } },
    }),
  );
}

export function updateVersion(
  workspace: string,
  { model, version }: Version,
  body: Shapes["UpdateVersion"],
) {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}", {
      params: { path: { workspace, model, version: String(version) } },
      body,
    }),
  );
}

export function tagVersion(
  workspace: string,
  { model, version }: Version,
  body: Shapes["LabelChanges"],
) {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/tags", {
      params: { path: { workspace, model, version: String(version) } },
      body,
    }),
  );
}

export function deleteVersion(workspace: string, { model, version }: Version) {
  return ask(
    api.DELETE("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}", {
      params: { path: { workspace, model, version: String(version) } },
    }),
  );
}

export function createVersion(workspace: string, model: string, body: Shapes["CreateVersion"]) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/models/{model}/versions", {
      params: { path: { workspace, model } },
      body,
    }),
  );
}

/** A run as one is chosen. */
export interface FoundRun {
  readonly id: string;
  readonly name: string;
  readonly startedMs: number | null;
}

/** The newest runs whose name holds a text or whose id begins with it, of one experiment or all. */
export function foundRunsQuery(workspace: string, experiment: string, text: string) {
  const like = text.replaceAll("'", "''").replaceAll("%", "_");
  return queryOptions({
    queryKey: ["ws", workspace, "runs", "found", experiment, text],
    queryFn: async ({ signal }): Promise<readonly FoundRun[]> => {
      const body = {
        experiments: experiment === "" ? [] : [experiment],
        filter: text === "" ? "" : `run_name ILIKE '%${like}%' OR run_id ILIKE '${like}%'`,
        columns: ["run_name", "start_time"],
        order_by: ["start_time DESC"],
        limit: FOUND_RUNS,
      };
      const table = await ask(
        api.POST("/api/v1/workspaces/{workspace}/runs/search", {
          params: { path: { workspace } },
          body,
          signal,
        }),
      );
      return table.rows.map(({ key, cells: [name, started] }) => ({
        id: key,
        name: typeof name === "string" && name !== "" ? name : key.slice(-8),
        startedMs: typeof started === "number" ? started : null,
      }));
    },
    placeholderData: keepPreviousData,
    meta: { watch: [{ kind: "run" }] },
  });
}

export function experimentsQuery(workspace: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "experiments", "choice"],
    queryFn: async ({ signal }) => {
      const { experiments } = await ask(
        api.GET("/api/v1/workspaces/{workspace}/experiments", {
          params: { path: { workspace }, query: { limit: EXPERIMENTS_MAX } },
          signal,
        }),
      );
      return experiments;
    },
    meta: { watch: [{ kind: "experiment" }] },
  });
}

/** What a run made that can become a version. */
export function runModelsQuery(workspace: string, run: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "run", run, "models"],
    queryFn: async ({ signal }) => {
      const found = await ask(
        api.GET("/api/v1/workspaces/{workspace}/runs/{run}", {
          params: { path: { workspace, run } },
          signal,
        }),
      );
      return found.models;
    },
    enabled: run !== "",
    meta: { watch: [{ kind: "run", key: run }, { kind: "logged_model" }] },
  });
}
