/**
 * The one client of the server's native API, and the one shape that all failures have.
 *
 * Always holds: whatever goes wrong is a `Failure`, with a sentence fit to be shown; one that never
 * reached the server has the code `away`.
 * Leaves to others: caching (the query cache), what to show.
 */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.d.ts";

export type Shapes = components["schemas"];

/** What went wrong with a call. */
export class Failure extends Error {
  override readonly name = "Failure";

  constructor(
    /** The server's word for it, such as `not_found`; `away` when it did not answer. */
    readonly code: string,
    message: string,
    readonly status: number,
    /** The character of a filter or an order at which it is wrong. */
    readonly position?: number,
  ) {
    super(message);
  }
}

export const api = createClient<paths>({ baseUrl: "" });

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * The data of a call of `api`, such as `ask(api.GET("/api/v1/server"))`.
 *
 * Throws `Failure`, or lets the `AbortError` of a call that nobody waits for any more through.
 */
export async function ask<T>(call: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    if (error instanceof Failure) throw error;
    throw new Failure("away", "The server does not answer.", 0);
  }
  if (answer.response.ok) return answer.data as T;
  throw readFailure(answer.error, answer.response.status);
}

/** The failure that a body describes; a proxy's error page is one too. */
export function readFailure(body: unknown, status: number): Failure {
  const said = (body as { error?: Partial<Shapes["Failure"]> } | undefined)?.error;
  if (typeof said?.code === "string" && typeof said.message === "string") {
    return new Failure(said.code, said.message, status, said.position ?? undefined);
  }
  if (status === 502 || status === 503 || status === 504) {
    return new Failure("away", "The server does not answer.", status);
  }
  return new Failure("internal", `The server answered with status ${status}.`, status);
}

/** Any thrown thing as a failure. */
export function asFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  return new Failure("page", error instanceof Error ? error.message : String(error), 0);
}

/** An address below a workspace, each part encoded: for files, which are not read as JSON. */
export function addressOf(workspace: string, ...parts: readonly string[]): string {
  const path = ["workspaces", workspace, ...parts].map(encodeURIComponent).join("/");
  return `/api/v1/${path}`;
}

/** What an address answers, for calls that many nouns have alike, such as those of files. */
export async function askAt<T>(address: string, signal?: AbortSignal): Promise<T> {
  return ask(
    fetch(address, signal ? { signal } : {}).then(async (response) => {
      const body: unknown = await response.json().catch(() => undefined);
      return response.ok ? { data: body as T, response } : { error: body, response };
    }),
  );
}
