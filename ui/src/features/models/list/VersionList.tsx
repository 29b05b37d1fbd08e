/** Versions of a model as rows: filtered, sorted, chosen, compared. */
import { makeStyles, tokens } from "@fluentui/react-components";
import { useNavigate } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { AliasBadge } from "@/parts/AliasBadge.tsx";
import { Explorer } from "@/parts/compare/Explorer.tsx";
import { useViewState } from "@/parts/compare/useViewState.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { RouteLink } from "@/parts/RouteLink.tsx";
import type { RenderCell } from "@/parts/table/GridRow.tsx";
import { versionSource } from "@/parts/table/sources.ts";

const useStyles = makeStyles({
  text: { minWidth: 0, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  none: { color: tokens.colorNeutralForeground3 },
  badges: { display: "flex", gap: tokens.spacingHorizontalXXS, minWidth: 0, overflow: "hidden" },
});

export interface VersionListProps {
  readonly workspace: string;
  readonly model: string;
}

export function VersionList({ workspace, model }: VersionListProps) {
  const styles = useStyles();
  const navigate = useNavigate();
  const source = useMemo(() => versionSource(workspace, model), [workspace, model]);
  const scope = `model/${model}`;
  const [state, change, show] = useViewState(`${workspace}/${scope}`);
  const renderCell: RenderCell = useCallback(
    (column, row) => {
      const cell = row.cells[column.id];
      if (column.id === "version") {
        return (
          <RouteLink
            to="/w/$workspace/models/$model/versions/$version"
            params={{ workspace, model, version: row.key }}
            className={styles.text}
            tabIndex={-1}
          >
            Version {row.key}
          </RouteLink>
        );
      }
      if (column.id === "run_name" && typeof cell === "string" && cell !== "") {
        const run = row.cells["run_id"];
        if (typeof run !== "string" || run === "") return null;
        return (
          <RouteLink
            to="/w/$workspace/runs/$run"
            params={{ workspace, run }}
            className={styles.text}
            title={cell}
            tabIndex={-1}
          >
            {cell}
          </RouteLink>
        );
      }
      if (column.id === "aliases" && Array.isArray(cell)) {
        return (
          <span className={styles.badges} title={cell.join(", ")}>
            {cell.map((alias) => (
              <AliasBadge key={alias} name={alias} />
            ))}
          </span>
        );
      }
      // Most versions have no stage; the word at every one of them would only be noise.
      if (column.id === "stage" && cell === "None") return <span className={styles.none}>–</span>;
      return null;
    },
    [workspace, model, styles],
  );
  const open = useCallback(
    (version: string) =>
      void navigate({
        to: "/w/$workspace/models/$model/versions/$version",
        params: { workspace, model, version },
      }),
    [navigate, workspace, model],
  );
  return (
    <Explorer
      source={source}
      workspace={workspace}
      scope={scope}
      label={`Versions of ${model}`}
      state={state}
      change={change}
      show={show}
      renderCell={renderCell}
      onOpen={open}
      empty={
        <EmptyState title="No versions yet">
          A version is made when a run&apos;s model is registered under this name.
        </EmptyState>
      }
    />
  );
}
