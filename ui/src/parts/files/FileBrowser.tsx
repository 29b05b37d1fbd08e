/**
 * Files: the tree of folders beside a preview of the chosen one.
 *
 * Always holds: nothing of a file ever runs; what is fetched for a preview is bounded. Which file
 * is chosen is the caller's, so that it can stand in the address.
 */
import { Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import { ArrowDownloadRegular, FolderZipRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { plural, sizeText } from "@/lib/format.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { FilePreview } from "./FilePreview.tsx";
import { FileTree } from "./FileTree.tsx";
import { type File, folderQuery, type Place, zipAddress } from "./place.ts";

const useStyles = makeStyles({
  frame: {
    display: "grid",
    gridTemplateColumns: "minmax(200px, 1fr) minmax(0, 3fr)",
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    overflow: "hidden",
    minHeight: "360px",
    "@media (max-width: 800px)": { gridTemplateColumns: "minmax(0, 1fr)" },
  },
  side: {
    display: "flex",
    flexDirection: "column",
    minWidth: 0,
    maxHeight: "600px",
    borderRight: `1px solid ${tokens.colorNeutralStroke2}`,
    "@media (max-width: 800px)": {
      maxHeight: "260px",
      borderRight: "none",
      borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    },
  },
  tree: { flexGrow: 1, minHeight: 0, overflow: "auto", padding: tokens.spacingHorizontalXS },
  foot: {
    display: "flex",
    alignItems: "center",
    justifyContent: "space-between",
    gap: tokens.spacingHorizontalS,
    padding: tokens.spacingHorizontalXS,
    paddingInlineStart: tokens.spacingHorizontalM,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
    color: tokens.colorNeutralForeground3,
  },
  preview: { minWidth: 0, maxHeight: "600px", display: "flex", flexDirection: "column" },
});

export interface FileBrowserProps {
  readonly place: Place;
  /** The chosen file; empty for none. */
  readonly path: string;
  readonly onPath: (path: string) => void;
  /** What to say where there are no files. */
  readonly none?: string;
}

export function FileBrowser({ place, path, onPath, none = "No files" }: FileBrowserProps) {
  const styles = useStyles();
  const { data, error, refetch } = useQuery(folderQuery(place, ""));
  if (error) return <ErrorView error={error} onRetry={() => void refetch()} />;
  if (!data) return <Loading lines={8} />;
  if (data.entries.length === 0) return <EmptyState title={none} />;
  const shown = path === "" ? firstShown(data.entries) : path;
  const count = data.entries.reduce((sum, entry) => sum + entry.files, 0);
  return (
    <div className={styles.frame}>
      <div className={styles.side}>
        <div className={styles.tree}>
          <FileTree place={place} entries={data.entries} chosen={shown} onChoose={onPath} />
        </div>
        <div className={styles.foot}>
          <Text size={200}>
            {plural(count, "file")}, {sizeText(data.size_bytes)}
          </Text>
          <Button
            as="a"
            size="small"
            appearance="subtle"
            icon={<FolderZipRegular />}
            href={zipAddress(place)}
            download
          >
            Download all
          </Button>
        </div>
      </div>
      <div className={styles.preview}>
        {shown === "" ? (
          <EmptyState title="Choose a file" icon={<ArrowDownloadRegular />}>
            Images, text, code, Markdown and tables are shown; everything can be downloaded.
          </EmptyState>
        ) : (
          <FilePreview key={shown} place={place} path={shown} />
        )}
      </div>
    </div>
  );
}

/** What is worth a look before anything was chosen: what a person wrote, else what the model says. */
function firstShown(entries: readonly File[]): string {
  const named = (name: RegExp) =>
    entries.find((entry) => !entry.is_folder && name.test(entry.name));
  return (named(/^(?:readme|notes)\.md$/i) ?? named(/^MLmodel$/))?.path ?? "";
}
