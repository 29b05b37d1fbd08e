/**
 * The query cache: the only place where the server's data is kept.
 *
 * Data stays fresh until the stream of changes says otherwise, so coming back to a screen asks
 * nothing again. A server that is away is asked again until it is back; other failures are shown.
 */
import { QueryClient } from "@tanstack/react-query";
import { Failure } from "@/api/client.ts";

const FRESH_MS = 60_000;
const WAIT_MAX_MS = 8000;

export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: FRESH_MS,
      retry: (_count, error) => error instanceof Failure && error.code === "away",
      retryDelay: (count) => Math.min(500 * 2 ** count, WAIT_MAX_MS),
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
