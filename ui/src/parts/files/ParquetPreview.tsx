/**
 * The head of a Parquet file, read in the browser: its footer and the first rows alone are fetched.
 */
import { useQuery } from "@tanstack/react-query";
import {
  asyncBufferFromUrl,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { compressors } from "hyparquet-compressors";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { PreviewTable } from "./PreviewTable.tsx";

const ROWS_MAX = 500;
const COLUMNS_MAX = 100;
const TEXT_MAX = 400;

export interface ParquetPreviewProps {
  readonly address: string;
  readonly sizeBytes: number;
  readonly path: string;
}

export function ParquetPreview({ address, sizeBytes, path }: ParquetPreviewProps) {
  const { data, error } = useQuery({
    queryKey: ["files", address, "parquet"],
    queryFn: () => read(address, sizeBytes),
    retry: false,
  });
  if (error) {
    return (
      <EmptyState title="This Parquet file cannot be shown">
        {error.message || "It is damaged, or uses what is not read here."} Download it to open it.
      </EmptyState>
    );
  }
  if (!data) return <Loading lines={8} height={16} />;
  return <PreviewTable label={path} {...data} />;
}

async function read(address: string, byteLength: number) {
  const file = await asyncBufferFromUrl({ url: address, byteLength });
  const metadata = await parquetMetadataAsync(file);
  const columns = parquetSchema(metadata).children.map((child) => child.element.name);
  const rows = await parquetReadObjects({
    file,
    metadata,
    columns: columns.slice(0, COLUMNS_MAX),
    rowEnd: Math.min(ROWS_MAX, Number(metadata.num_rows)),
    compressors,
  });
  return {
    columns,
    rows: rows.map((row) => columns.slice(0, COLUMNS_MAX).map((name) => textOf(row[name]))),
    total: Number(metadata.num_rows),
  };
}

/** A value as text, bounded. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "string") return value.slice(0, TEXT_MAX);
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") {
    return String(value);
  }
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  const text = JSON.stringify(value, (_key, each: unknown) =>
    typeof each === "bigint" ? String(each) : each,
  );
  return text.slice(0, TEXT_MAX);
}
