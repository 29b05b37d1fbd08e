/**
 * Notices: what happened, said in a corner for a while, with a way to take it back.
 *
 * Leaves to others: drawing (`Notices.tsx`).
 */
import { asFailure } from "@/api/client.ts";

export interface Notice {
  readonly title: string;
  readonly body?: string | undefined;
  readonly intent?: "success" | "info" | "warning" | "error" | undefined;
  /** Takes the change back; offered while the notice is there. */
  readonly undo?: (() => unknown) | undefined;
  /** A link to what the notice speaks of. */
  readonly link?: { readonly label: string; readonly href: string } | undefined;
}

type Show = (notice: Notice) => void;

const waiting: Notice[] = [];
let show: Show = (notice) => waiting.push(notice);

/** Say something. */
export function notify(notice: Notice): void {
  show(notice);
}

/** Say that something failed, in the server's own words. */
export function notifyFailure(title: string, error: unknown): void {
  show({ title, body: asFailure(error).message, intent: "error" });
}

/** Who shows notices; those said before are shown now. */
export function showNoticesWith(next: Show): void {
  show = next;
  for (const notice of waiting.splice(0)) next(notice);
}
