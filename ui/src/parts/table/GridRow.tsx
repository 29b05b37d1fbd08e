/** One row of a grid: a box to select it, an eye with its colour, and the cells in sight. */
import { makeStyles, mergeClasses, tokens } from "@fluentui/react-components";
import {
  CheckboxCheckedFilled,
  CheckboxUncheckedRegular,
  EyeOffRegular,
  EyeRegular,
} from "@fluentui/react-icons";
import { memo, type MouseEvent, type ReactNode } from "react";
import { setHovered } from "../chart/hover.ts";
import { shortText, wholeText } from "./cellText.ts";
import type { PlacedColumn } from "./columns.ts";
import type { LoadedRow } from "./useRows.ts";

export const ROW_HEIGHT = 32;
export const GUTTER = 64;

const useStyles = makeStyles({
  row: {
    position: "absolute",
    left: 0,
    top: 0,
    display: "flex",
    height: `${ROW_HEIGHT}px`,
    contain: "layout style",
    backgroundColor: tokens.colorNeutralBackground1,
    ":hover > *": { backgroundColor: tokens.colorNeutralBackground1Hover },
  },
  hovered: { "> *": { backgroundColor: tokens.colorNeutralBackground1Hover } },
  selected: {
    "> *": { backgroundColor: tokens.colorNeutralBackground1Selected },
    ":hover > *": { backgroundColor: tokens.colorNeutralBackground1Selected },
  },
  // Of the rows that charts draw, the one that is pointed at, here or there.
  pointed: {
    "> *": { backgroundColor: tokens.colorBrandBackground2 },
    ":hover > *": { backgroundColor: tokens.colorBrandBackground2 },
  },
  cell: {
    boxSizing: "border-box",
    flexShrink: 0,
    display: "flex",
    alignItems: "center",
    paddingInline: tokens.spacingHorizontalS,
    backgroundColor: tokens.colorNeutralBackground1,
    borderBottom: `1px solid ${tokens.colorNeutralStroke3}`,
    borderRight: `1px solid ${tokens.colorTransparentStroke}`,
  },
  pinned: { position: "sticky", zIndex: 1, borderRightColor: tokens.colorNeutralStroke3 },
  active: { outline: `2px solid ${tokens.colorStrokeFocus2}`, outlineOffset: "-2px" },
  text: { minWidth: 0, overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "pre" },
  number: { justifyContent: "flex-end", fontVariantNumeric: "tabular-nums" },
  gutter: { left: 0, width: `${GUTTER}px`, paddingInline: tokens.spacingHorizontalXXS },
  tick: {
    width: "28px",
    height: "28px",
    padding: 0,
    border: "none",
    background: "none",
    fontSize: "20px",
    lineHeight: 1,
    cursor: "pointer",
    color: tokens.colorNeutralForeground3,
  },
  ticked: { color: tokens.colorCompoundBrandForeground1 },
  shade: {
    height: "10px",
    width: "70%",
    borderRadius: tokens.borderRadiusMedium,
    backgroundColor: tokens.colorNeutralStencil1,
  },
});

export type RenderCell = (column: PlacedColumn, row: LoadedRow) => ReactNode;

export interface GridRowProps {
  readonly idPrefix: string;
  readonly place: number;
  readonly row: LoadedRow | undefined;
  readonly pinned: readonly (PlacedColumn & { readonly left: number; readonly place: number })[];
  readonly loose: readonly (PlacedColumn & { readonly place: number })[];
  /** Room before and after the loose columns in sight. */
  readonly before: number;
  readonly after: number;
  readonly width: number;
  readonly isSelected: boolean;
  readonly isHovered: boolean;
  /** Whether charts draw it; only asked for selected rows. */
  readonly isVisible: boolean;
  readonly colour: string;
  readonly activeColumn: number;
  readonly now: number;
  readonly renderCell: RenderCell | undefined;
  readonly onSelect: (key: string, place: number, range: boolean) => void;
  readonly onEye: (key: string) => void;
  readonly onPoint: (place: number, column: number) => void;
}

export const GridRow = memo(function GridRow(props: GridRowProps) {
  const { place, row, pinned, loose, isSelected, onSelect, onEye, onPoint } = props;
  const styles = useStyles();
  const select = (event: MouseEvent) => {
    event.stopPropagation();
    if (row) onSelect(row.key, place, event.shiftKey);
  };
  const common = {
    row,
    idPrefix: props.idPrefix,
    rowPlace: place,
    now: props.now,
    renderCell: props.renderCell,
  };
  return (
    <div
      role="row"
      aria-rowindex={place + 2}
      aria-selected={isSelected}
      className={mergeClasses(
        styles.row,
        props.isHovered && styles.hovered,
        isSelected && (props.isHovered ? styles.pointed : styles.selected),
      )}
      style={{ transform: `translateY(${place * ROW_HEIGHT}px)`, width: props.width }}
      onPointerEnter={() => setHovered(row?.key ?? "")}
      onPointerLeave={() => setHovered("")}
      onMouseDown={(event) => {
        // Keeps the text under the pointer from being marked by a shift-click.
        if (event.shiftKey) event.preventDefault();
      }}
    >
      <div
        role="gridcell"
        aria-colindex={1}
        className={mergeClasses(styles.cell, styles.pinned, styles.gutter)}
      >
        <button
          type="button"
          role="checkbox"
          aria-checked={isSelected}
          aria-label={`Select row ${place + 1}`}
          tabIndex={-1}
          className={mergeClasses(styles.tick, isSelected && styles.ticked)}
          onClick={select}
        >
          {isSelected ? <CheckboxCheckedFilled /> : <CheckboxUncheckedRegular />}
        </button>
        {isSelected && row && (
          <button
            type="button"
            aria-pressed={props.isVisible}
            aria-label={`Show row ${place + 1} in charts`}
            title={props.isVisible ? "Hide in charts" : "Show in charts"}
            tabIndex={-1}
            className={styles.tick}
            style={{ color: props.isVisible ? props.colour : undefined }}
            onClick={() => onEye(row.key)}
          >
            {props.isVisible ? <EyeRegular /> : <EyeOffRegular />}
          </button>
        )}
      </div>
      {pinned.map((column) => (
        <GridCell
          key={column.id}
          {...common}
          column={column}
          left={column.left}
          isActive={props.activeColumn === column.place}
          onPoint={onPoint}
        />
      ))}
      <div role="presentation" style={{ width: props.before, flexShrink: 0 }} />
      {loose.map((column) => (
        <GridCell
          key={column.id}
          {...common}
          column={column}
          isActive={props.activeColumn === column.place}
          onPoint={onPoint}
        />
      ))}
      <div role="presentation" style={{ width: props.after, flexShrink: 0 }} />
    </div>
  );
});

interface GridCellProps {
  readonly idPrefix: string;
  readonly rowPlace: number;
  readonly row: LoadedRow | undefined;
  readonly column: PlacedColumn & { readonly place: number };
  readonly left?: number;
  readonly isActive: boolean;
  readonly now: number;
  readonly renderCell: RenderCell | undefined;
  readonly onPoint: (place: number, column: number) => void;
}

function GridCell({
  idPrefix,
  rowPlace,
  row,
  column,
  left,
  isActive,
  now,
  renderCell,
  onPoint,
}: GridCellProps) {
  const styles = useStyles();
  const cell = row?.cells[column.id];
  // The first column names its row: it is read, not added up.
  const isNumber = column.place > 0 && (column.kind === "number" || column.kind === "duration");
  const drawn = row && renderCell?.(column, row);
  return (
    <div
      id={`${idPrefix}-${rowPlace}-${column.place}`}
      role="gridcell"
      aria-colindex={column.place + 2}
      className={mergeClasses(
        styles.cell,
        isNumber && styles.number,
        left !== undefined && styles.pinned,
        isActive && styles.active,
      )}
      style={{ width: column.width, ...(left !== undefined && { left }) }}
      onClick={() => onPoint(rowPlace, column.place)}
    >
      {drawn ??
        (row && cell !== undefined ? (
          <span className={styles.text} title={wholeText(cell, column)} dir="auto">
            {shortText(cell, column, now).slice(0, 500)}
          </span>
        ) : (
          <span className={styles.shade} />
        ))}
    </div>
  );
}
