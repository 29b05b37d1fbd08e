/**
 * A list's state in the address: read, changed, gone back through.
 *
 * Always holds: a change is a step of history, unless it is `isLive` (a drag, a key press), which
 * replaces the last one; other words in the address stay.
 */
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useEffect, useMemo, useRef } from "react";
import { remember, remembered } from "@/lib/memory.ts";
import type { Search } from "@/lib/search.ts";
import { NAMES, readView, type ViewState, writeView } from "./viewState.ts";

export type ChangeView = (change: Partial<ViewState>, isLive?: boolean) => void;

/**
 * `name` is what the columns are remembered under in this browser: a list that is opened without
 * any comes back as it was left.
 */
export function useViewState(
  name: string,
): readonly [ViewState, ChangeView, (search: Search) => void] {
  const search: Search = useSearch({ strict: false });
  const navigate = useNavigate();
  const own = NAMES.map((each) => search[each] ?? "").join("\n");
  // Read again only when a word of the view changed, so that what it holds keeps its identity.
  const state = useMemo(() => {
    const texts = own.split("\n");
    return readView(Object.fromEntries(NAMES.map((each, n) => [each, texts[n] ?? ""])));
  }, [own]);
  const latest = useRef(state);
  useEffect(() => {
    latest.current = state;
  });
  const goTo = useCallback(
    (next: Search, replace: boolean) => {
      const blank = Object.fromEntries(NAMES.map((each) => [each, undefined]));
      void navigate({
        to: ".",
        search: (before: Search) => ({ ...before, ...blank, ...next }),
        replace,
      });
    },
    [navigate],
  );
  const change = useCallback<ChangeView>(
    (part, isLive = false) => {
      const next = { ...latest.current, ...part };
      latest.current = next;
      if (part.layout) remember(`columns.${name}`, writeView(next)["columns"] ?? "");
      goTo(writeView(next), isLive);
    },
    [goTo, name],
  );
  const isBare = own.trim() === "";
  const wasOpened = useRef("");
  useEffect(() => {
    if (wasOpened.current === name) return;
    wasOpened.current = name;
    const columns = remembered<string>(`columns.${name}`, "");
    if (isBare && columns !== "") goTo({ columns }, true);
  }, [name, isBare, goTo]);
  const show = useCallback((next: Search) => goTo(next, false), [goTo]);
  return [state, change, show];
}
