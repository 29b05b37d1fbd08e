/** The first step: a table under the server's roots, found by looking, with its first rows. */
import {
  Button,
  Field,
  Input,
  makeStyles,
  MessageBar,
  MessageBarBody,
  tokens,
} from "@fluentui/react-components";
import { DocumentTableRegular, FolderRegular, FolderArrowUpRegular } from "@fluentui/react-icons";
import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useState } from "react";
import { asFailure, type Shapes } from "@/api/client.ts";
import { sizeText } from "@/lib/format.ts";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { PreviewTable } from "@/parts/files/PreviewTable.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { folderQuery } from "./queries.ts";
import type { StepProps } from "./Steps.tsx";

const useStyles = makeStyles({
  list: {
    listStyleType: "none",
    margin: 0,
    padding: 0,
    maxHeight: "280px",
    overflow: "auto",
    border: `1px solid ${tokens.colorNeutralStroke2}`,
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralBackground1,
  },
  entry: { justifyContent: "flex-start", width: "100%", fontWeight: tokens.fontWeightRegular },
  size: { marginInlineStart: "auto", color: tokens.colorNeutralForeground3 },
  none: { padding: tokens.spacingHorizontalM },
  typed: { display: "flex", alignItems: "end", gap: tokens.spacingHorizontalS },
  address: { flexGrow: 1, minWidth: 0 },
  words: { whiteSpace: "normal", overflowWrap: "anywhere" },
});

export interface InputProps extends StepProps {
  readonly table: UseQueryResult<Shapes["TablePreview"]>;
  readonly onChoose: (address: string) => void;
}

export function InputStep({ workspace, draft, table, onChoose }: InputProps) {
  const styles = useStyles();
  const [folders, setFolders] = useState<readonly string[]>([]);
  const [typed, setTyped] = useState(draft.input);
  const folder = useQuery(folderQuery(workspace, folders.at(-1) ?? ""));
  const choose = (address: string) => {
    setTyped(address);
    onChoose(address);
  };
  return (
    <>
      {folder.error ? (
        <MessageBar intent="warning" layout="multiline">
          <MessageBarBody className={styles.words}>
            {asFailure(folder.error).message} The address of a table can be typed, and the code of
            step 5 copied or downloaded.
          </MessageBarBody>
        </MessageBar>
      ) : (
        <ul className={styles.list} aria-label="Tables">
          {folders.length > 0 && (
            <li>
              <Button
                appearance="subtle"
                className={styles.entry}
                icon={<FolderArrowUpRegular />}
                onClick={() => setFolders(folders.slice(0, -1))}
              >
                Up
              </Button>
            </li>
          )}
          {!folder.data && (
            <li className={styles.none}>
              <Loading lines={3} />
            </li>
          )}
          {folder.data?.entries.length === 0 && (
            <li className={styles.none}>No tables lie here.</li>
          )}
          {folder.data?.entries.map((entry) => (
            <li key={entry.address}>
              <Button
                appearance="subtle"
                className={styles.entry}
                icon={entry.is_folder ? <FolderRegular /> : <DocumentTableRegular />}
                aria-pressed={entry.is_folder ? undefined : entry.address === draft.input}
                onClick={() => {
                  if (entry.is_folder) setFolders([...folders, entry.address]);
                  else choose(entry.address);
                }}
              >
                {entry.name}
                <span className={styles.size}>
                  {entry.size_bytes === null ? entry.format : sizeText(entry.size_bytes)}
                </span>
              </Button>
            </li>
          ))}
        </ul>
      )}
      <div className={styles.typed}>
        <Field label="Address" className={styles.address}>
          <Input
            value={typed}
            placeholder="sales/2024.parquet, s3://bucket/folder, postgresql://…"
            onChange={(_event, { value }) => setTyped(value)}
            onKeyDown={(event) => event.key === "Enter" && onChoose(typed.trim())}
          />
        </Field>
        <Button disabledFocusable={typed.trim() === ""} onClick={() => onChoose(typed.trim())}>
          Use
        </Button>
      </div>
      {draft.input !== "" && table.isLoading && <Loading lines={6} />}
      {table.error && !folder.error && (
        <ErrorView
          error={table.error}
          what="The table could not be read"
          onRetry={() => void table.refetch()}
        />
      )}
      {table.data && (
        <PreviewTable
          label="Preview"
          columns={table.data.columns.map(({ name, type }) => `${name} (${type})`)}
          rows={table.data.rows.map((row) => row.map(cellOf))}
          {...(table.data.total_rows === null ? {} : { total: table.data.total_rows })}
        />
      )}
    </>
  );
}

function cellOf(value: unknown): string {
  return typeof value === "string" ? value : value === null ? "" : JSON.stringify(value);
}
