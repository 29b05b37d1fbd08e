/** What the workspaces' screens ask of the server. */
import { queryOptions, type QueryClient } from "@tanstack/react-query";
import { api, ask, type Shapes } from "@/api/client.ts";

export type Workspace = Shapes["Workspace"];
export type Item = Shapes["Item"];

export const workspacesQuery = queryOptions({
  queryKey: ["workspaces"],
  queryFn: ({ signal }) => ask(api.GET("/api/v1/workspaces", { signal })),
  // Another workspace's changes are not told here.
  staleTime: 10_000,
  meta: { watch: [{ kind: "workspace" }, { kind: "model" }, { kind: "experiment" }] },
});

export interface ItemsAsk {
  readonly text: string;
  readonly kind: "" | "model" | "experiment";
  readonly orderBy: ItemOrder;
}

export type ItemOrder =
  "name" | "name DESC" | "created_ms" | "created_ms DESC" | "updated_ms" | "updated_ms DESC";

const ITEMS_MAX = 5000;

export function itemsQuery(workspace: string, given: ItemsAsk) {
  return queryOptions({
    queryKey: ["ws", workspace, "items", given],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/items", {
          params: {
            path: { workspace },
            query: {
              text: given.text,
              kind: given.kind,
              order_by: given.orderBy,
              limit: ITEMS_MAX,
            },
          },
          signal,
        }),
      ),
    meta: {
      watch: [
        { kind: "model" },
        { kind: "version" },
        { kind: "alias" },
        { kind: "experiment" },
        { kind: "run" },
      ],
    },
  });
}

export async function createWorkspace(name: string, description: string): Promise<Workspace> {
  return ask(api.POST("/api/v1/workspaces", { body: { name, description } }));
}

export async function updateWorkspace(
  workspace: string,
  body: Shapes["UpdateWorkspace"],
): Promise<Workspace> {
  return ask(
    api.PATCH("/api/v1/workspaces/{workspace}", { params: { path: { workspace } }, body }),
  );
}

export async function deleteWorkspace(workspace: string): Promise<void> {
  await ask(api.DELETE("/api/v1/workspaces/{workspace}", { params: { path: { workspace } } }));
}

export function refreshWorkspaces(queries: QueryClient): Promise<void> {
  return queries.invalidateQueries({ queryKey: workspacesQuery.queryKey });
}
