/** What the pages of experiments and lists of runs ask of the server. */
import { queryOptions } from "@tanstack/react-query";
import { api, ask, type Shapes } from "@/api/client.ts";

export type Experiment = Shapes["Experiment"];

export function experimentQuery(workspace: string, experiment: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "experiment", experiment],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/experiments/{experiment}", {
          params: { path: { workspace, experiment } },
          signal,
        }),
      ),
    meta: {
      watch: [
        { kind: "experiment", key: experiment },
        { kind: "run", parent: experiment },
      ],
    },
  });
}

export async function updateExperiment(
  workspace: string,
  experiment: string,
  body: Shapes["UpdateExperiment"],
): Promise<Experiment> {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/experiments/{experiment}", {
      params: { path: { workspace, experiment } },
      body,
    }),
  );
}

export async function tagExperiment(
  workspace: string,
  experiment: string,
  body: Shapes["LabelChanges"],
): Promise<Shapes["Labels"]> {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}/experiments/{experiment}/tags", {
      params: { path: { workspace, experiment } },
      body,
    }),
  );
}

export async function deleteExperiment(workspace: string, experiment: string): Promise<void> {
  await ask(
    api.DELETE("/api/v1/workspaces/{workspace}/experiments/{experiment}", {
      params: { path: { workspace, experiment } },
    }),
  );
}

export async function restoreExperiment(
  workspace: string,
  experiment: string,
): Promise<Experiment> {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/experiments/{experiment}/restore", {
      params: { path: { workspace, experiment } },
    }),
  );
}

export async function deleteRuns(workspace: string, runs: readonly string[]): Promise<void> {
  await ask(
    api.POST("/api/v1/workspaces/{workspace}/runs/delete", {
      params: { path: { workspace } },
      body: { runs: [...runs] },
    }),
  );
}

export async function restoreRuns(workspace: string, runs: readonly string[]): Promise<void> {
  await ask(
    api.POST("/api/v1/workspaces/{workspace}/runs/restore", {
      params: { path: { workspace } },
      body: { runs: [...runs] },
    }),
  );
}
