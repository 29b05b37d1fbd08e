/**
 * Commands of the present screen: its ribbon shows them, Ctrl+K runs them.
 *
 * Always holds: commands are there while the screen is that offers them.
 */
import { type ReactElement, useEffect, useSyncExternalStore } from "react";

export interface Command {
  readonly id: string;
  readonly label: string;
  readonly icon?: ReactElement | undefined;
  readonly run?: (() => void) | undefined;
  /** Which tab of the ribbon it stands in; Home when left out. */
  readonly tab?: "Home" | "View" | undefined;
  readonly isPrimary?: boolean | undefined;
  /** Why it cannot be done now; shown when asked for. */
  readonly refusal?: string | undefined;
  /** A key that runs it, as in `keyboard.ts`. */
  readonly keys?: string | undefined;
  /** Commands behind it, as a menu. */
  readonly items?: readonly Command[] | undefined;
}

let offered: readonly Command[] = [];
const listeners = new Set<() => void>();

/** Offer commands while the calling component is shown; a new list takes the place of the old. */
export function useOfferedCommands(commands: readonly Command[]): void {
  useEffect(() => {
    offered = commands;
    for (const listener of listeners) listener();
  }, [commands]);
  useEffect(
    () => () => {
      offered = [];
    },
    [],
  );
}

/** The commands of the present screen. */
export function useCommands(): readonly Command[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => offered,
  );
}
