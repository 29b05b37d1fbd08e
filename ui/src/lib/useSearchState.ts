/** What a screen keeps after its address's question mark, and changing it. */
import { useLocation, useRouter } from "@tanstack/react-router";
import type { Search } from "./search.ts";

/** A change: texts by name; an empty one leaves the address. */
type Change = (changes: Search, how?: "push" | "replace") => void;

/** The search of the address, and a function that changes some of it. */
export function useSearchState(): readonly [Search, Change] {
  const router = useRouter();
  const search: Search = useLocation({ select: (location) => location.search });
  const change: Change = (changes, how = "replace") => {
    void router.navigate({
      to: ".",
      search: (before: Search) => ({ ...before, ...changes }),
      replace: how === "replace",
    });
  };
  return [search, change];
}
