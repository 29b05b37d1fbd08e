/** What the pages of runs and logged models ask of the server. */
import { queryOptions } from "@tanstack/react-query";
import { api, ask, Failure, type Shapes } from "@/api/client.ts";

export type Run = Shapes["Run"];
export type Metric = Shapes["Metric"];
export type RunModel = Shapes["RunModel"];
export type LoggedModel = Shapes["LoggedModel"];

const IMAGES_MAX = 10_000;
const FOUND_MAX = 8;

export function runQuery(workspace: string, run: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "run", run],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/runs/{run}", {
          params: { path: { workspace, run } },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "run", key: run }, { kind: "logged_model" }, { kind: "version" }] },
  });
}

export function loggedModelQuery(workspace: string, loggedModel: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "logged_model", loggedModel],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/logged-models/{logged_model}", {
          params: { path: { workspace, logged_model: loggedModel } },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "logged_model", key: loggedModel }, { kind: "version" }] },
  });
}

/** Every file under `images/`, where clients put the images that they log at steps; often none. */
export function imagesQuery(workspace: string, run: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "run", run, "images"],
    queryFn: async ({ signal }) => {
      const query = { path: "images", all: true, limit: IMAGES_MAX };
      try {
        const found = await ask(
          api.GET("/api/v1/workspaces/{workspace}/runs/{run}/files", {
            params: { path: { workspace, run }, query },
            signal,
          }),
        );
        return found.entries;
      } catch (error) {
        if (error instanceof Failure && error.code === "not_found") return [];
        throw error;
      }
    },
    meta: { watch: [{ kind: "run", key: run }] },
  });
}

/** Models whose name holds a text, for choosing one. */
export function foundModelsQuery(workspace: string, text: string) {
  const filter = text === "" ? "" : `name ILIKE '%${escapeLike(text)}%'`;
  return queryOptions({
    queryKey: ["ws", workspace, "models", "found", text],
    queryFn: async ({ signal }) => {
      const query = { filter, order_by: ["updated_ms DESC"], limit: FOUND_MAX };
      const found = await ask(
        api.GET("/api/v1/workspaces/{workspace}/models", {
          params: { path: { workspace }, query },
          signal,
        }),
      );
      return found.models;
    },
    placeholderData: (before: readonly Shapes["Model"][] | undefined) => before as never,
    meta: { watch: [{ kind: "model" }, { kind: "version" }] },
  });
}

/** The model of exactly this name, or null. */
export function modelNamedQuery(workspace: string, name: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "models", "named", name],
    queryFn: async ({ signal }) => {
      try {
        return await ask(
          api.GET("/api/v1/workspaces/{workspace}/models/{model}", {
            params: { path: { workspace, model: name } },
            signal,
          }),
        );
      } catch (error) {
        if (error instanceof Failure && error.code === "not_found") return null;
        throw error;
      }
    },
    meta: { watch: [{ kind: "model" }, { kind: "version", parent: name }] },
  });
}

/** A text for the inside of `LIKE '...'`; marks that match anything become one that does. */
function escapeLike(text: string): string {
  return text.replaceAll("'", "''").replaceAll("%", "_");
}

/** Direct children of a run, newest first. */
export function childrenQuery(workspace: string, run: string, experiment: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "run", run, "children"],
    queryFn: ({ signal }) =>
      ask(
        api.POST("/api/v1/workspaces/{workspace}/runs/search", {
          params: { path: { workspace } },
          body: {
            filter: `tags.mlflow.parentRunId = '${run}'`,
            columns: ["run_name", "status", "start_time", "duration"],
            order_by: ["start_time ASC"],
            limit: 500,
          },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "run", parent: experiment }] },
  });
}

export async function updateRun(
  workspace: string,
  run: string,
  body: Shapes["UpdateRun"],
): Promise<Run> {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/runs/{run}", {
      params: { path: { workspace, run } },
      body,
    }),
  );
}

export async function tagRun(
  workspace: string,
  run: string,
  body: Shapes["LabelChanges"],
): Promise<Shapes["Labels"]> {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/runs/{run}/tags", {
      params: { path: { workspace, run } },
      body,
    }),
  );
}

export async function tagLoggedModel(
  workspace: string,
  loggedModel: string,
  body: Shapes["LabelChanges"],
): Promise<Shapes["Labels"]> {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/logged-models/{logged_model}/tags", {
      params: { path: { workspace, logged_model: loggedModel } },
      body,
    }),
  );
}

export async function deleteRun(workspace: string, run: string): Promise<void> {
  await ask(
    api.DELETE("/api/v1/workspaces/{workspace}/runs/{run}", {
      params: { path: { workspace, run } },
    }),
  );
}

export async function restoreRun(workspace: string, run: string): Promise<Run> {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/runs/{run}/restore", {
      params: { path: { workspace, run } },
    }),
  );
}

export async function createVersion(
  workspace: string,
  model: string,
  body: Shapes["CreateVersion"],
): Promise<Shapes["Version"]> {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/models/{model}/versions", {
      params: { path: { workspace, model } },
      body,
    }),
  );
}

export async function loadSeries(
  workspace: string,
  body: Shapes["SeriesQuery"],
  signal?: AbortSignal,
): Promise<Shapes["Series"][]> {
  const reply = await ask(
    api.POST("/api/v1/workspaces/{workspace}/series", {
      params: { path: { workspace } },
      body,
      ...(signal ? { signal } : {}),
    }),
  );
  return reply.series;
}
