/** An image, fitted; large ones are shown only when asked for, since drawing them takes memory. */
import { Button, makeStyles, Text, tokens } from "@fluentui/react-components";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { sizeText } from "@/lib/format.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { Loading } from "@/parts/Loading.tsx";
import type { Preview } from "./place.ts";
import { isTooLarge, loadPngSize } from "./pngSize.ts";

const SHOWN_MAX_BYTES = 8 * 1024 * 1024;

const useStyles = makeStyles({
  image: {
    display: "block",
    maxWidth: "100%",
    maxHeight: "480px",
    marginInline: "auto",
    objectFit: "contain",
    backgroundColor: tokens.colorNeutralBackgroundStatic,
    backgroundImage: `linear-gradient(${tokens.colorNeutralBackground1}, ${tokens.colorNeutralBackground1})`,
  },
  size: {
    display: "block",
    textAlign: "center",
    marginTop: tokens.spacingVerticalS,
    color: tokens.colorNeutralForeground3,
  },
});

export function ImagePreview({ address, preview }: { address: string; preview: Preview }) {
  const styles = useStyles();
  const [isWanted, setWanted] = useState(false);
  const [state, setState] = useState("loading");
  const pixels = useQuery({
    queryKey: ["pixels", preview.digest],
    queryFn: ({ signal }) => loadPngSize(address, signal),
    staleTime: Infinity,
  });
  if (pixels.isPending) return <Loading lines={8} height={16} />;
  const isLarge = preview.size_bytes > SHOWN_MAX_BYTES || isTooLarge(pixels.data);
  if (isLarge && !isWanted) {
    return (
      <EmptyState
        title="A large image"
        action={<Button onClick={() => setWanted(true)}>Show it</Button>}
      >
        It has {pixels.data ? `${pixels.data.width} × ${pixels.data.height} pixels in ` : ""}
        {sizeText(preview.size_bytes)}.
      </EmptyState>
    );
  }
  if (state === "broken") {
    return (
      <EmptyState title="This image cannot be shown">
        Its contents are damaged, or no image.
      </EmptyState>
    );
  }
  return (
    <>
      <img
        className={styles.image}
        src={address}
        alt={preview.path}
        decoding="async"
        onError={() => setState("broken")}
        onLoad={({ currentTarget }) =>
          setState(`${currentTarget.naturalWidth} × ${currentTarget.naturalHeight}`)
        }
      />
      {state !== "loading" && (
        <Text size={200} className={styles.size}>
          {state}
        </Text>
      )}
    </>
  );
}
