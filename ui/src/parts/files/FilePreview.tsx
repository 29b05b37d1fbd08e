/** What a page can show of one file, by what it is. */
import { Button, makeStyles, Text, tokens, ToggleButton } from "@fluentui/react-components";
import { ArrowDownloadRegular, DocumentRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useState } from "react";
import { sizeText } from "@/lib/format.ts";
import { CodeBlock } from "@/parts/CodeBlock.tsx";
import { CopyButton } from "@/parts/CopyButton.tsx";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { Loading } from "@/parts/Loading.tsx";
import { Markdown } from "@/parts/Markdown.tsx";
import { ImagePreview } from "./ImagePreview.tsx";
import { contentAddress, type Place, type Preview, previewQuery } from "./place.ts";
import { PreviewTable } from "./PreviewTable.tsx";

const ParquetPreview = lazy(async () => ({
  default: (await import("./ParquetPreview.tsx")).ParquetPreview,
}));
const PARQUET = /\.(?:parquet|pq|parq)$/i;

const useStyles = makeStyles({
  head: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalXS,
    padding: tokens.spacingHorizontalXS,
    paddingInlineStart: tokens.spacingHorizontalM,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
  },
  path: {
    flexGrow: 1,
    minWidth: "120px",
    overflowWrap: "anywhere",
    fontFamily: tokens.fontFamilyMonospace,
    fontSize: tokens.fontSizeBase200,
  },
  muted: { color: tokens.colorNeutralForeground3 },
  body: { flexGrow: 1, minHeight: 0, overflow: "auto", padding: tokens.spacingHorizontalM },
  note: { display: "block", color: tokens.colorNeutralForeground3, marginBottom: "8px" },
  media: { maxWidth: "100%", maxHeight: "480px" },
});

export function FilePreview({ place, path }: { place: Place; path: string }) {
  const styles = useStyles();
  const { data, error, refetch } = useQuery(previewQuery(place, path));
  const [isSource, setSource] = useState(false);
  const hasSource =
    data?.text !== null && (data?.kind === "table" || data?.language === "markdown");
  return (
    <>
      <div className={styles.head}>
        <Text className={styles.path}>{path}</Text>
        {data && (
          <Text size={200} className={styles.muted}>
            {sizeText(data.size_bytes)}
          </Text>
        )}
        {data && hasSource && (
          <ToggleButton
            size="small"
            appearance="subtle"
            checked={isSource}
            onClick={() => setSource(!isSource)}
          >
            Source
          </ToggleButton>
        )}
        <CopyButton text={path} what="path" />
        <Button
          as="a"
          size="small"
          appearance="subtle"
          icon={<ArrowDownloadRegular />}
          href={contentAddress(place, path)}
          download
        >
          Download
        </Button>
      </div>
      <div className={styles.body}>
        {error && <ErrorView error={error} onRetry={() => void refetch()} />}
        {!data && !error && <Loading lines={8} height={16} />}
        {data?.truncated && data.text !== null && (
          <Text size={200} className={styles.note}>
            The beginning of {sizeText(data.size_bytes)}; download it to see everything.
          </Text>
        )}
        {data && <Content place={place} preview={data} isSource={isSource} />}
      </div>
    </>
  );
}

interface ContentProps {
  readonly place: Place;
  readonly preview: Preview;
  readonly isSource: boolean;
}

function Content({ place, preview, isSource }: ContentProps) {
  const styles = useStyles();
  const { path, kind, text, language } = preview;
  if (PARQUET.test(path)) {
    return (
      <Suspense fallback={<Loading lines={8} height={16} />}>
        <ParquetPreview
          address={contentAddress(place, path)}
          sizeBytes={preview.size_bytes}
          path={path}
        />
      </Suspense>
    );
  }
  if (kind === "image")
    return <ImagePreview address={contentAddress(place, path, true)} preview={preview} />;
  if (kind === "media") {
    const address = contentAddress(place, path, true);
    return preview.media_type.startsWith("audio/") ? (
      <audio controls preload="metadata" src={address} />
    ) : (
      <video controls preload="metadata" src={address} className={styles.media} />
    );
  }
  if (kind === "table" && preview.table && !isSource) {
    return <PreviewTable label={path} columns={preview.table.columns} rows={preview.table.rows} />;
  }
  if (text !== null) {
    if (language === "markdown" && !isSource) return <Markdown text={text} />;
    const isShort = language === "json" && preview.document !== null && text.length < 64_000;
    const code = isShort ? JSON.stringify(preview.document, null, 2) : text;
    return <CodeBlock label="Text" code={code} language={language} />;
  }
  return (
    <EmptyState title="No preview of this file" icon={<DocumentRegular />}>
      Its contents are no text; download it to look inside. Digest (SHA-256){" "}
      <code>{preview.digest.slice(0, 16)}…</code> <CopyButton text={preview.digest} what="digest" />
    </EmptyState>
  );
}
