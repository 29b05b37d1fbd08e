/** The column catalogue of a source, as much of it as a table shows unasked. */
import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { usualColumns } from "./columns.ts";
import type { Group, KnownColumn, TableSource } from "./source.ts";

const GROUPS: readonly (readonly [Group, number])[] = [
  ["property", 100],
  ["metric", 300],
  ["param", 40],
  ["tag", 60],
];

export interface Catalogue {
  readonly known: ReadonlyMap<string, KnownColumn>;
  /** What is shown when nothing was chosen. */
  readonly usual: readonly string[];
  /** Whether all is here that will come. */
  readonly isLoaded: boolean;
  readonly groups: Readonly<Record<string, number>>;
  readonly error: unknown;
}

/** `isWanted` is false as long as nobody sees what is made of it. */
export function useColumns(source: TableSource, isWanted = true): Catalogue {
  const found = useQueries({
    queries: GROUPS.map(([group, limit]) => ({
      queryKey: [...source.id, "columns", group],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        source.columns({ group, limit, offset: 0, text: "" }, signal),
      enabled: isWanted,
      meta: { watch: source.watch },
    })),
    combine: (results) => ({
      columns: results.flatMap((result) => result.data?.columns ?? []),
      groups: Object.assign({}, ...results.map((result) => result.data?.groups ?? {})) as Record<
        string,
        number
      >,
      isLoaded: results.every((result) => !result.isPending),
      error: results.find((result) => result.error)?.error,
    }),
  });
  return useMemo(
    () => ({
      known: new Map(found.columns.map((column) => [column.id, column])),
      usual: usualColumns(source.usual, found.columns),
      isLoaded: found.isLoaded,
      groups: found.groups,
      error: found.error,
    }),
    [found, source.usual],
  );
}
