/** Which workspace is looked at: the one in the address, else the one used last. */
import { useParams } from "@tanstack/react-router";
import { lastWorkspace } from "./addressed.ts";

/** The workspace's name. */
export function useWorkspace(): string {
  const params = useParams({ strict: false });
  return params.workspace ?? lastWorkspace();
}
