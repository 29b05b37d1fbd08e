/**
 * Images that a run logged at steps: one beside the other, all at the step that the slider says.
 *
 * Always holds: the step is in the address; arrow keys move it; a picture too large to unfold is
 * offered for download instead of being shown.
 */
import {
  Button,
  Caption1,
  Caption1Strong,
  Card,
  Dialog,
  DialogActions,
  DialogBody,
  DialogContent,
  DialogSurface,
  DialogTitle,
  makeStyles,
  Slider,
  tokens,
  Tooltip,
} from "@fluentui/react-components";
import { ChevronLeftRegular, ChevronRightRegular, ImageRegular } from "@fluentui/react-icons";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { addressOf } from "@/api/client.ts";
import { useShortcuts } from "@/lib/keyboard.ts";
import { EmptyState } from "@/parts/EmptyState.tsx";
import { ErrorView } from "@/parts/ErrorView.tsx";
import { isTooLarge, loadPngSize } from "@/parts/files/pngSize.ts";
import { imagesQuery } from "./queries.ts";
import { imageAt, readStepImages, type StepImage, stepsOf } from "./stepImages.ts";

const useStyles = makeStyles({
  bar: {
    position: "sticky",
    top: 0,
    zIndex: 1,
    display: "flex",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    paddingBlock: tokens.spacingVerticalS,
    backgroundColor: tokens.colorNeutralBackground2,
  },
  slider: { flexGrow: 1, maxWidth: "560px", minWidth: 0 },
  step: { minWidth: "104px", fontVariantNumeric: "tabular-nums" },
  grid: {
    display: "grid",
    gridTemplateColumns: "repeat(auto-fill, minmax(min(320px, 100%), 1fr))",
    gap: tokens.spacingHorizontalM,
  },
  card: { minWidth: 0, gap: tokens.spacingVerticalXS },
  name: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  frame: {
    display: "flex",
    alignItems: "center",
    justifyContent: "center",
    height: "280px",
    width: "100%",
    padding: 0,
    border: "none",
    cursor: "zoom-in",
    overflow: "hidden",
    backgroundColor: tokens.colorNeutralBackground3,
    color: tokens.colorNeutralForeground2,
    borderRadius: tokens.borderRadiusMedium,
    ":focus-visible": { outline: `2px solid ${tokens.colorStrokeFocus2}` },
  },
  picture: { maxWidth: "100%", maxHeight: "100%", minWidth: "48px", objectFit: "contain" },
  pixelated: { imageRendering: "pixelated", width: "100%", height: "100%" },
  large: { maxWidth: "96vw" },
  whole: {
    maxWidth: "100%",
    maxHeight: "70vh",
    display: "block",
    marginInline: "auto",
    objectFit: "contain",
    minWidth: "min(320px, 100%)",
    imageRendering: "pixelated",
  },
});

export interface StepImagesProps {
  readonly workspace: string;
  readonly run: string;
  /** The step that the address says, if it does. */
  readonly step: number | undefined;
  readonly onStep: (step: number) => void;
}

export function StepImages({ workspace, run, step, onStep }: StepImagesProps) {
  const styles = useStyles();
  const files = useQuery(imagesQuery(workspace, run));
  const images = useMemo(() => readStepImages(files.data ?? []), [files.data]);
  const steps = useMemo(() => stepsOf(images), [images]);
  const [opened, setOpened] = useState<string | null>(null);
  const last = steps.length - 1;
  const wanted = step === undefined ? last : steps.findLastIndex((each) => each <= step);
  const at = Math.max(0, wanted);
  const shown = steps[at] ?? 0;
  const move = (by: number) => {
    const next = steps[Math.min(Math.max(at + by, 0), last)];
    if (next !== undefined) onStep(next);
  };
  useShortcuts([
    { keys: "ArrowLeft", label: "Images: step before", run: () => move(-1) },
    { keys: "ArrowRight", label: "Images: next step", run: () => move(1) },
  ]);

  if (files.error) {
    return <ErrorView error={files.error} onRetry={() => void files.refetch()} />;
  }
  if (files.data && images.size === 0) {
    return (
      <EmptyState title="No images" icon={<ImageRegular />}>
        Images that the training logs with <code>mlflow.log_image(image, key=…, step=…)</code> stand
        here side by side, each key at the same step.
      </EmptyState>
    );
  }
  const openedImage = opened === null ? undefined : imageAt(images.get(opened) ?? [], shown);
  return (
    <>
      <div className={styles.bar}>
        <Tooltip content="Step before (←)" relationship="label">
          <Button
            appearance="subtle"
            icon={<ChevronLeftRegular />}
            disabledFocusable={at <= 0}
            onClick={() => move(-1)}
          />
        </Tooltip>
        <Slider
          className={styles.slider}
          aria-label="Step"
          aria-valuetext={`Step ${shown}`}
          min={0}
          max={Math.max(last, 0)}
          value={at}
          onChange={(_event, data) => onStep(steps[data.value] ?? shown)}
        />
        <Tooltip content="Next step (→)" relationship="label">
          <Button
            appearance="subtle"
            icon={<ChevronRightRegular />}
            disabledFocusable={at >= last}
            onClick={() => move(1)}
          />
        </Tooltip>
        <Caption1Strong className={styles.step}>Step {shown}</Caption1Strong>
      </div>
      <div className={styles.grid}>
        {[...images].map(([key, all]) => {
          const image = imageAt(all, shown);
          if (image === undefined) return null;
          return (
            <Card key={key} className={styles.card} appearance="outline">
              <Caption1Strong className={styles.name} title={key} dir="auto">
                {key}
              </Caption1Strong>
              <button
                type="button"
                className={styles.frame}
                aria-label={`Enlarge ${key} at step ${image.step}`}
                onClick={() => setOpened(key)}
              >
                <Picture workspace={workspace} run={run} image={image} isSmall />
              </button>
              <Caption1>
                {image.step === shown ? `Step ${image.step}` : `Step ${image.step}, its latest`}
              </Caption1>
            </Card>
          );
        })}
      </div>
      {openedImage && (
        <Dialog open onOpenChange={() => setOpened(null)}>
          <DialogSurface
            className={styles.large}
            onKeyDown={(event) => {
              if (event.key === "ArrowLeft") move(-1);
              if (event.key === "ArrowRight") move(1);
            }}
          >
            <DialogBody>
              <DialogTitle>
                {openedImage.key}, step {openedImage.step}
              </DialogTitle>
              <DialogContent>
                <Picture workspace={workspace} run={run} image={openedImage} />
              </DialogContent>
              <DialogActions fluid>
                <Button icon={<ChevronLeftRegular />} onClick={() => move(-1)}>
                  Step before
                </Button>
                <Button icon={<ChevronRightRegular />} iconPosition="after" onClick={() => move(1)}>
                  Next step
                </Button>
                <Button
                  as="a"
                  href={contentAddress(workspace, run, openedImage.path, false)}
                  download
                >
                  Download
                </Button>
                <Button appearance="primary" onClick={() => setOpened(null)}>
                  Close
                </Button>
              </DialogActions>
            </DialogBody>
          </DialogSurface>
        </Dialog>
      )}
    </>
  );
}

function contentAddress(workspace: string, run: string, path: string, inline: boolean): string {
  const address = addressOf(workspace, "runs", run, "content", ...path.split("/"));
  return inline ? `${address}?inline=true` : address;
}

interface PictureProps {
  readonly workspace: string;
  readonly run: string;
  readonly image: StepImage;
  readonly isSmall?: boolean;
}

function Picture({ workspace, run, image, isSmall = false }: PictureProps) {
  const styles = useStyles();
  const [failed, setFailed] = useState("");
  const small = isSmall ? image.smallPath : null;
  const address = contentAddress(workspace, run, small ?? image.path, true);
  const size = useQuery({
    queryKey: ["ws", workspace, "run", run, "pixels", image.path],
    queryFn: ({ signal }) => loadPngSize(address, signal),
    enabled: small === null,
    staleTime: Infinity,
  });
  if (small === null && size.isPending) return null;
  if (small === null && isTooLarge(size.data)) {
    return (
      <Caption1>
        {size.data?.width} × {size.data?.height} pixels: too large to show
      </Caption1>
    );
  }
  if (failed === address) return <Caption1>This file is no picture that can be shown</Caption1>;
  return (
    <img
      className={isSmall ? `${styles.picture} ${styles.pixelated}` : styles.whole}
      src={address}
      alt={`${image.key} at step ${image.step}`}
      decoding="async"
      loading="lazy"
      onError={() => setFailed(address)}
    />
  );
}
