/**
 * Where files are: below a run, a logged model or a version.
 *
 * Leaves to others: drawing them.
 */
import { queryOptions } from "@tanstack/react-query";
import { askAt, type Shapes } from "@/api/client.ts";
import type { Watch } from "@/api/events.ts";

export type File = Shapes["File"];
export type Preview = Shapes["Preview"];

/** The address below which files are, made with `addressOf`, and what tells that they changed. */
export interface Place {
  readonly address: string;
  readonly watch?: readonly Watch[];
}

export function contentAddress(place: Place, path: string, isInline = false): string {
  const encoded = path.split("/").map(encodeURIComponent).join("/");
  return `${place.address}/content/${encoded}${isInline ? "?inline=true" : ""}`;
}

export function zipAddress(place: Place, path = ""): string {
  return `${place.address}/zip${path === "" ? "" : `?path=${encodeURIComponent(path)}`}`;
}

export function folderQuery(place: Place, path: string) {
  return queryOptions({
    queryKey: ["files", place.address, path],
    queryFn: ({ signal }) =>
      askAt<Shapes["Files"]>(`${place.address}/files?path=${encodeURIComponent(path)}`, signal),
    meta: { watch: place.watch ?? [] },
  });
}

export function previewQuery(place: Place, path: string) {
  return queryOptions({
    queryKey: ["files", place.address, path, "preview"],
    queryFn: ({ signal }) =>
      askAt<Preview>(`${place.address}/preview?path=${encodeURIComponent(path)}`, signal),
    meta: { watch: place.watch ?? [] },
  });
}
