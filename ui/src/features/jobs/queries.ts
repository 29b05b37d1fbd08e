/** What the screens of jobs ask of the server and tell it. */
import { queryOptions } from "@tanstack/react-query";
import { api, ask, type Shapes } from "@/api/client.ts";
import type { Spread } from "@/parts/Histogram.tsx";

export type Job = Shapes["Job"];
export type JobState = Job["state"];
export type Schedule = Shapes["Schedule"];

/** One input column beside the model's input example. */
export interface Drift {
  readonly column: string;
  readonly example_rows: number;
  readonly outside: number;
  readonly ks?: number | null;
  readonly psi?: number | null;
}

/** What a receipt says; its document keeps more, shown as it is. */
export interface Receipt {
  readonly rows?: number;
  readonly started_ms?: number;
  readonly ended_ms?: number;
  readonly warnings?: readonly string[];
  readonly mapping?: Readonly<Record<string, string>>;
  readonly casts?: Readonly<Record<string, string>>;
  readonly extra?: readonly string[];
  readonly absent?: readonly string[];
  readonly model?: { readonly name?: string; readonly version?: number; readonly digest?: string };
  readonly input?: Readonly<Record<string, unknown>>;
  readonly libraries?: Readonly<Record<string, string>>;
  readonly predictions?: readonly Spread[];
  readonly inputs?: readonly Spread[];
  readonly drift?: readonly Drift[];
}

export interface Wanted {
  readonly states: readonly JobState[];
  readonly model: string;
  readonly submittedBy: string;
  readonly limit: number;
}

export function jobsQuery(workspace: string, { states, model, submittedBy, limit }: Wanted) {
  return queryOptions({
    queryKey: ["ws", workspace, "jobs", states, model, submittedBy, limit],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/jobs", {
          params: {
            path: { workspace },
            query: {
              state: [...states],
              limit,
              ...(model === "" ? {} : { model }),
              ...(submittedBy === "" ? {} : { submitted_by: submittedBy }),
            },
          },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "job" }] },
  });
}

export function jobQuery(workspace: string, job: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "job", job],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/jobs/{job}", {
          params: { path: { workspace, job } },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "job", key: job }] },
  });
}

export function cancelJob(workspace: string, job: string) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/jobs/{job}/cancel", {
      params: { path: { workspace, job } },
    }),
  );
}

export function retryJob(workspace: string, job: string) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/jobs/{job}/retry", {
      params: { path: { workspace, job } },
    }),
  );
}

export function schedulesQuery(workspace: string) {
  return queryOptions({
    queryKey: ["ws", workspace, "schedules"],
    queryFn: ({ signal }) =>
      ask(
        api.GET("/api/v1/workspaces/{workspace}/schedules", {
          params: { path: { workspace } },
          signal,
        }),
      ),
    meta: { watch: [{ kind: "job" }, { kind: "schedule" }] },
  });
}

export function deleteSchedule(workspace: string, schedule: string) {
  return ask(
    api.DELETE("/api/v1/workspaces/{workspace}/schedules/{schedule}", {
      params: { path: { workspace, schedule } },
    }),
  );
}

export function createSchedule(workspace: string, body: Shapes["CreateSchedule"]) {
  return ask(
    api.POST("/api/v1/workspaces/{workspace}/schedules", {
      params: { path: { workspace } },
      body,
    }),
  );
}

/** The first rows of what a job wrote, as a worker reads them. */
export function resultQuery(workspace: string, job: Job) {
  const { address, format = "" } = job.plan.output;
  return queryOptions({
    queryKey: ["ws", workspace, "job", job.id, "result", job.ended_ms],
    queryFn: ({ signal }) =>
      ask(
        api.POST("/api/v1/workspaces/{workspace}/tables/preview", {
          params: { path: { workspace } },
          body: { input: { address, format }, rows: 200 },
          signal,
        }),
      ),
    retry: false,
    staleTime: Infinity,
  });
}
