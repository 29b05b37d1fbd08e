/** Files of a run or a logged model; the chosen one is in the address. */
import { useMemo } from "react";
import { addressOf } from "@/api/client.ts";
import { useSearchState } from "@/lib/useSearchState.ts";
import { FileBrowser } from "@/parts/files/FileBrowser.tsx";

export interface RunFilesProps {
  readonly workspace: string;
  readonly kind: "run" | "logged_model";
  readonly id: string;
}

const PATHS = { run: "runs", logged_model: "logged-models" } as const;

export function RunFiles({ workspace, kind, id }: RunFilesProps) {
  const [search, change] = useSearchState();
  const place = useMemo(
    () => ({ address: addressOf(workspace, PATHS[kind], id), watch: [{ kind, key: id }] }),
    [workspace, kind, id],
  );
  return (
    <FileBrowser
      place={place}
      path={search["path"] ?? ""}
      onPath={(path) => change({ path })}
      none="No files were logged"
    />
  );
}
