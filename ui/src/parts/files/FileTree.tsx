/** The tree of folders; a folder is asked for when it is opened. */
import {
  makeStyles,
  mergeClasses,
  Spinner,
  tokens,
  Tree,
  TreeItem,
  TreeItemLayout,
} from "@fluentui/react-components";
import { DocumentRegular, FolderOpenRegular, FolderRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { sizeText } from "@/lib/format.ts";
import { type File, folderQuery, type Place } from "./place.ts";

/** More of one folder are not drawn; they can be downloaded. */
const DRAWN_MAX = 500;

const useStyles = makeStyles({
  chosen: { backgroundColor: tokens.colorSubtleBackgroundSelected },
  // The layout's own middle part would grow with a long name.
  entry: { "& > .fui-TreeItemLayout__main": { minWidth: 0, overflow: "hidden" } },
  name: {
    display: "block",
    overflow: "hidden",
    textOverflow: "ellipsis",
    whiteSpace: "nowrap",
  },
  size: {
    color: tokens.colorNeutralForeground3,
    fontSize: tokens.fontSizeBase200,
    whiteSpace: "nowrap",
    fontVariantNumeric: "tabular-nums",
  },
  more: { paddingInlineStart: tokens.spacingHorizontalXXL, color: tokens.colorNeutralForeground3 },
});

export interface FileTreeProps {
  readonly place: Place;
  readonly entries: readonly File[];
  readonly chosen: string;
  readonly onChoose: (path: string) => void;
}

export function FileTree(props: FileTreeProps) {
  const { chosen } = props;
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(foldersAbove(chosen)));
  return (
    <Tree
      size="small"
      aria-label="Files"
      openItems={open}
      onOpenChange={(_event, { value, open: isOpen }) =>
        setOpen((before) => {
          const next = new Set(before);
          if (isOpen) next.add(String(value));
          else next.delete(String(value));
          return next;
        })
      }
    >
      <Entries {...props} open={open} />
    </Tree>
  );
}

type BranchProps = FileTreeProps & { readonly open: ReadonlySet<string> };

function Entries(props: BranchProps) {
  const styles = useStyles();
  const { entries, chosen, onChoose, open } = props;
  return (
    <>
      {entries.slice(0, DRAWN_MAX).map((entry) =>
        entry.is_folder ? (
          <TreeItem key={entry.path} itemType="branch" value={entry.path}>
            <TreeItemLayout
              className={styles.entry}
              iconBefore={open.has(entry.path) ? <FolderOpenRegular /> : <FolderRegular />}
              aside={<span className={styles.size}>{sizeText(entry.size_bytes)}</span>}
            >
              <span className={styles.name} title={entry.name}>
                {entry.name}
              </span>
            </TreeItemLayout>
            <Tree>{open.has(entry.path) && <Folder {...props} path={entry.path} />}</Tree>
          </TreeItem>
        ) : (
          <TreeItem
            key={entry.path}
            itemType="leaf"
            value={entry.path}
            onClick={() => onChoose(entry.path)}
          >
            <TreeItemLayout
              iconBefore={<DocumentRegular />}
              aside={<span className={styles.size}>{sizeText(entry.size_bytes)}</span>}
              className={mergeClasses(styles.entry, entry.path === chosen && styles.chosen)}
            >
              <span className={styles.name} title={entry.name}>
                {entry.name}
              </span>
            </TreeItemLayout>
          </TreeItem>
        ),
      )}
      {entries.length > DRAWN_MAX && (
        <div className={styles.more}>and {entries.length - DRAWN_MAX} more</div>
      )}
    </>
  );
}

function Folder({ path, ...props }: BranchProps & { readonly path: string }) {
  const { data } = useQuery(folderQuery(props.place, path));
  if (!data) return <Spinner size="tiny" />;
  return <Entries {...props} entries={data.entries} />;
}

function foldersAbove(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, at) => parts.slice(0, at + 1).join("/"));
}
