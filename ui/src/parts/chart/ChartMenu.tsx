/** What can be done with a chart: enlarged, saved as a picture or as numbers, and what else it offers. */
import {
  Button,
  Menu,
  MenuItem,
  MenuList,
  MenuPopover,
  MenuTrigger,
  Tooltip,
} from "@fluentui/react-components";
import {
  ArrowDownloadRegular,
  FullScreenMaximizeRegular,
  MoreHorizontalRegular,
} from "@fluentui/react-icons";
import type { ReactNode } from "react";
import { notifyFailure } from "../notices.ts";
import { numbersOf, pictureOf } from "./exportChart.ts";
import type { Frame } from "./frame.ts";
import type { Drawing, Look } from "./options/drawing.ts";
import { saveFile } from "./saveFile.ts";
import type { ChartSpec } from "./spec.ts";

const KINDS = ["png", "svg", "csv"] as const;

export interface ChartMenuProps {
  readonly title: string;
  readonly spec: ChartSpec;
  /** Null while there is nothing to save. */
  readonly frame: Frame | null;
  readonly drawing: Drawing | null;
  readonly look: Look | null;
  readonly onEnlarge?: (() => void) | undefined;
  /** More entries. */
  readonly children?: ReactNode;
}

export function ChartMenu({ title, onEnlarge, children, ...chart }: ChartMenuProps) {
  const { spec, frame, drawing, look } = chart;
  const save = (kind: (typeof KINDS)[number]) => {
    if (!drawing || !look || !frame) return;
    try {
      const blob =
        kind === "csv"
          ? new Blob([numbersOf(spec, frame)], { type: "text/csv" })
          : pictureOf(drawing, title, look, kind);
      saveFile(blob, `${title}.${kind}`);
    } catch (error) {
      notifyFailure("The chart could not be saved", error);
    }
  };
  return (
    <Menu>
      <MenuTrigger disableButtonEnhancement>
        <Tooltip content={`More of ${title}`} relationship="label">
          <Button size="small" appearance="subtle" icon={<MoreHorizontalRegular />} />
        </Tooltip>
      </MenuTrigger>
      <MenuPopover>
        <MenuList>
          {onEnlarge && (
            <MenuItem icon={<FullScreenMaximizeRegular />} onClick={onEnlarge}>
              Enlarge
            </MenuItem>
          )}
          {KINDS.map((kind) => (
            <MenuItem key={kind} icon={<ArrowDownloadRegular />} onClick={() => save(kind)}>
              {`Save as ${kind.toUpperCase()}`}
            </MenuItem>
          ))}
          {children}
        </MenuList>
      </MenuPopover>
    </Menu>
  );
}
