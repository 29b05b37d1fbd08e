/**
 * Two panes above each other with an edge to drag: the lower one can be closed, shared or full.
 *
 * `share` is the lower pane's part of the height, 0 to 1; `onShare` hears of another. Keys on the
 * edge: Up and Down, Home (full), End (closed), Enter (closed and back). The upper pane is made when
 * it is first in sight.
 */
import { Button, makeStyles, tokens, Tooltip } from "@fluentui/react-components";
import {
  ArrowMaximizeVerticalRegular,
  ArrowMinimizeVerticalRegular,
  ChevronDownRegular,
  ChevronUpRegular,
} from "@fluentui/react-icons";
import { type ReactNode, useRef, useState } from "react";

export const USUAL_SHARE = 0.5;
const STEP = 0.05;
const LEAST = 0.08;

const useStyles = makeStyles({
  split: { display: "flex", flexDirection: "column", flexGrow: 1, minHeight: 0, minWidth: 0 },
  pane: { display: "flex", flexDirection: "column", minHeight: 0, minWidth: 0, overflow: "hidden" },
  edge: {
    position: "relative",
    flexShrink: 0,
    height: "8px",
    cursor: "row-resize",
    touchAction: "none",
    backgroundColor: tokens.colorNeutralBackground3,
    borderTop: `1px solid ${tokens.colorNeutralStroke2}`,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    ":hover": { backgroundColor: tokens.colorNeutralBackground3Hover },
    ":focus-visible": { outline: `2px solid ${tokens.colorStrokeFocus2}`, outlineOffset: "-2px" },
    "::after": {
      content: '""',
      position: "absolute",
      left: "50%",
      top: "2px",
      width: "32px",
      height: "2px",
      marginLeft: "-16px",
      borderRadius: tokens.borderRadiusSmall,
      backgroundColor: tokens.colorNeutralStroke1,
    },
  },
  bar: {
    display: "flex",
    flexWrap: "wrap",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    flexShrink: 0,
    minHeight: "40px",
    paddingInline: tokens.spacingHorizontalM,
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke2}`,
    "@media (max-width: 480px)": { gap: 0, paddingInline: tokens.spacingHorizontalXS },
  },
  tools: { display: "flex", marginInlineStart: "auto" },
});

export interface SplitterProps {
  readonly upper: ReactNode;
  /** Whether there is a lower pane at all; the upper one stays as it is when it comes and goes. */
  readonly isSplit: boolean;
  /** What stands on the lower pane's bar, beside the buttons. */
  readonly bar: ReactNode;
  readonly lower: ReactNode;
  readonly label: string;
  readonly share: number;
  readonly onShare: (share: number) => void;
}

export function Splitter(props: SplitterProps) {
  const { upper, bar, lower, label, onShare } = props;
  const styles = useStyles();
  const box = useRef<HTMLDivElement>(null);
  const share = props.isSplit ? props.share : 0;
  const isClosed = share <= 0;
  const isFull = share >= 1;
  // What was never in sight has nothing to keep, and would ask for what nobody sees.
  const [isUpperSeen, seeUpper] = useState(!isFull);
  if (!isFull && !isUpperSeen) seeUpper(true);
  const settle = (next: number) =>
    onShare(next < LEAST ? 0 : next > 1 - LEAST ? 1 : Math.round(next * 100) / 100);
  return (
    <div ref={box} className={styles.split}>
      <div
        className={styles.pane}
        style={{ flexGrow: 1 - share, flexBasis: 0, display: isFull ? "none" : undefined }}
      >
        {isUpperSeen && upper}
      </div>
      {props.isSplit && (
        <>
          <div
            role="separator"
            aria-label={`Height of ${label}`}
            aria-orientation="horizontal"
            aria-valuenow={Math.round(share * 100)}
            aria-valuemin={0}
            aria-valuemax={100}
            tabIndex={0}
            className={styles.edge}
            onKeyDown={(event) => {
              if (event.key === "ArrowUp") settle(Math.min(1, share + STEP));
              else if (event.key === "ArrowDown") settle(Math.max(0, share - STEP));
              else if (event.key === "Home") onShare(1);
              else if (event.key === "End") onShare(0);
              else if (event.key === "Enter") onShare(isClosed ? USUAL_SHARE : 0);
              else return;
              event.preventDefault();
            }}
            onPointerDown={(event) => {
              const edge = event.currentTarget;
              edge.setPointerCapture(event.pointerId);
              const drag = (move: PointerEvent) => {
                const bounds = box.current?.getBoundingClientRect();
                if (bounds) settle((bounds.bottom - move.clientY) / bounds.height);
              };
              edge.addEventListener("pointermove", drag);
              edge.addEventListener(
                "lostpointercapture",
                () => edge.removeEventListener("pointermove", drag),
                {
                  once: true,
                },
              );
            }}
          />
          <div className={styles.bar}>
            {bar}
            <div className={styles.tools}>
              <Tooltip content={isFull ? "Share the height" : "Full height"} relationship="label">
                <Button
                  appearance="subtle"
                  icon={
                    isFull ? <ArrowMinimizeVerticalRegular /> : <ArrowMaximizeVerticalRegular />
                  }
                  onClick={() => onShare(isFull ? USUAL_SHARE : 1)}
                />
              </Tooltip>
              <Tooltip content={isClosed ? `Open ${label}` : `Close ${label}`} relationship="label">
                <Button
                  appearance="subtle"
                  icon={isClosed ? <ChevronUpRegular /> : <ChevronDownRegular />}
                  onClick={() => onShare(isClosed ? USUAL_SHARE : 0)}
                />
              </Tooltip>
            </div>
          </div>
        </>
      )}
      {!isClosed && (
        <div className={styles.pane} style={{ flexGrow: share, flexBasis: 0 }}>
          {lower}
        </div>
      )}
    </div>
  );
}
