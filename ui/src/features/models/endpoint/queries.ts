/** What the endpoint of a version is asked and told. */
import { queryOptions } from "@tanstack/react-query";
import { addressOf, api, ask, askAt, type Shapes } from "@/api/client.ts";
import type { Version } from "../queries.ts";

export type Endpoint = Shapes["Endpoint"];

/** While something is under way or the counts may rise, it is asked for again and again. */
const SOON_MS = 500;
const LATER_MS = 5000;

function pathOf(workspace: string, { model, version }: Version) {
  return { params: { path: { workspace, model, version: String(version) } } };
}

export function endpointQuery(workspace: string, version: Version) {
  return queryOptions({
    queryKey: ["ws", workspace, "model", version.model, "endpoint", version.version],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/endpoint", {
          ...pathOf(workspace, version),
          signal,
        }),
      ),
    refetchInterval: ({ state }) => {
      const now = state.data?.state ?? "inactive";
      if (now === "activating" || now === "deactivating") return SOON_MS;
      return now === "inactive" ? false : LATER_MS;
    },
    meta: { watch: [{ kind: "version", parent: version.model }] },
  });
}

export function activate(workspace: string, version: Version) {
  return ask(
    api.POST(
      "/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/endpoint/activate",
      pathOf(workspace, version),
    ),
  );
}

export function deactivate(workspace: string, version: Version) {
  return ask(
    api.POST(
      "/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/endpoint/deactivate",
      pathOf(workspace, version),
    ),
  );
}

export function keepOn(workspace: string, version: Version, isAlwaysOn: boolean) {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/endpoint", {
      ...pathOf(workspace, version),
      body: { is_always_on: isAlwaysOn },
    }),
  );
}

/** What the model predicts for a request that is JSON already. */
export async function predict(workspace: string, version: Version, body: string): Promise<unknown> {
  const { predictions } = await ask(
    api.POST("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}/endpoint/score", {
      ...pathOf(workspace, version),
      // As it was written: numbers that JavaScript would round stay what they are.
      body: {},
      bodySerializer: () => body,
    }),
  );
  return predictions;
}

/** The input example that the model was logged with, if it is a table. */
export async function exampleOf(workspace: string, { model, version }: Version): Promise<unknown> {
  return askAt(
    `${addressOf(workspace, "models", model, "versions", String(version))}/content/input_example.json`,
  );
}
