/** What the wizard asks of the server and tells it. */
import { queryOptions } from "@tanstack/react-query";
import { api, ask, type Shapes } from "@/api/client.ts";

export type Version = Shapes["Version"];

export function appliedVersionQuery(workspace: string, model: string, version: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "model", model, "version", version],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/models/{model}/versions/{version}", {
          params: { path: { workspace, model, version } },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "version", parent: model }] },
  });
}

/** What lies in a folder of tables, as a worker finds it; the data roots for none. */
export function folderQuery(workspace: string, folder: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "tables", folder],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/tables", {
          params: { path: { workspace }, query: { folder } },
          signal,
        }),
      ),
    retry: false,
  });
}

export function tableQuery(workspace: string, address: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "table", address],
    queryFn: ({ signal }) =>
      ask(
        api.POST("/api/v1/workspaces/{workspace}/tables/preview", {
          params: { path: { workspace } },
          body: { input: { address }, rows: 50 },
          signal,
        }),
      ),
    enabled: address !== "",
    retry: false,
  });
}

export function submitJob(workspace: string, plan: Shapes["JobPlan"]) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/jobs", {
      params: { path: { workspace } },
      body: { plan },
    }),
  );
}

export function scheduleJobs(workspace: string, body: Shapes["CreateSchedule"]) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/schedules", {
      params: { path: { workspace } },
      body,
    }),
  );
}
