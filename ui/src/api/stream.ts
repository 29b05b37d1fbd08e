/**
 * The connection by which the server tells of changes.
 *
 * The first is opened while the page's code is still fetched: it then stands before anything is
 * answered, and what was answered need not be asked again because something may have changed since.
 */
let early: { readonly workspace: string; readonly source: EventSource } | undefined;

/** Open the stream of a workspace for whoever asks for it first. */
export function openEarly(workspace: string): void {
  early = { workspace, source: connect(workspace) };
}

/** The stream of a workspace; one that was opened early may be open, or have failed, already. */
export function openStream(workspace: string): EventSource {
  const first = early;
  early = undefined;
  if (first?.workspace === workspace) return first.source;
  first?.source.close();
  return connect(workspace);
}

function connect(workspace: string): EventSource {
  return new EventSource(`/api/v1/workspaces/${encodeURIComponent(workspace)}/events`);
}
