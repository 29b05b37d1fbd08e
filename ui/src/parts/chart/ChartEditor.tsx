/** The pane that shapes a chart. Every change shows at once; Escape takes all of them back. */
import {
  Button,
  Checkbox,
  Drawer,
  DrawerBody,
  DrawerFooter,
  DrawerHeader,
  DrawerHeaderTitle,
  Dropdown,
  Field,
  Input,
  makeStyles,
  Option,
  Slider,
  tokens,
} from "@fluentui/react-components";
import { DismissRegular } from "@fluentui/react-icons";
import { type KeyboardEvent, type ReactNode, useState } from "react";
import { ColumnPicker } from "../table/ColumnPicker.tsx";
import type { TableSource } from "../table/source.ts";
import {
  type Aggregate,
  AGGREGATES,
  type Band,
  BANDS,
  type ChartSpec,
  type ChartType,
  COLOURS,
  type Colours,
  type Legend,
  LEGENDS,
  type Scale,
  SCALES,
  type Smoothing,
  SMOOTHINGS,
  titleOf,
  TYPES,
  usesX,
} from "./spec.ts";

const WORDS: Readonly<Record<string, string>> = {
  bar: "Bar",
  line: "Line",
  scatter: "Scatter",
  box: "Box",
  histogram: "Histogram",
  parallel: "Parallel coordinates",
  contour: "Contour",
  linear: "Linear",
  log: "Logarithmic",
  mean: "Mean",
  median: "Median",
  min: "Lowest",
  max: "Highest",
  sum: "Sum",
  count: "Count",
  none: "None",
  minmax: "Lowest to highest",
  sd: "Standard deviation",
  se: "Standard error",
  ci95: "95 % confidence interval",
  ema: "Exponential moving average",
  gaussian: "Gaussian",
  bottom: "Below",
  top: "Above",
  item: "By row",
  series: "By metric",
  single: "One colour",
};
const COURSES = [
  ["step", "Step"],
  ["time", "Time"],
  ["relative", "Relative time"],
] as const;

const useStyles = makeStyles({
  pane: {
    position: "fixed",
    insetBlock: 0,
    insetInlineEnd: 0,
    zIndex: 900,
    width: "min(360px, 100vw)",
    height: "100dvh",
    boxShadow: tokens.shadow28,
  },
  body: {
    display: "flex",
    flexDirection: "column",
    gap: tokens.spacingVerticalM,
    paddingBottom: tokens.spacingVerticalL,
  },
  pair: { display: "grid", gridTemplateColumns: "1fr 1fr", gap: tokens.spacingHorizontalS },
  narrow: { minWidth: 0, width: "100%" },
});

export interface ChartEditorProps {
  readonly source: TableSource;
  readonly spec: ChartSpec;
  readonly onChange: (spec: ChartSpec) => void;
  readonly onClose: () => void;
}

export function ChartEditor({ source, spec, onChange, onClose }: ChartEditorProps) {
  const styles = useStyles();
  const [before] = useState(spec);
  const set = (change: Partial<ChartSpec>) => onChange({ ...spec, ...change });
  const undo = () => {
    onChange(before);
    onClose();
  };
  return (
    <Drawer
      type="inline"
      open
      separator
      position="end"
      className={styles.pane}
      role="dialog"
      aria-label={`Edit ${titleOf(spec)}`}
      onKeyDown={(event: KeyboardEvent) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.stopPropagation();
        undo();
      }}
    >
      <DrawerHeader>
        <DrawerHeaderTitle
          action={
            <Button
              appearance="subtle"
              icon={<DismissRegular />}
              aria-label="Close and keep"
              onClick={onClose}
            />
          }
        >
          Edit chart
        </DrawerHeaderTitle>
      </DrawerHeader>
      <DrawerBody className={styles.body}>
        <Field label="Title">
          <Input
            autoFocus
            value={spec.title}
            placeholder={titleOf({ ...spec, title: "" })}
            maxLength={200}
            onChange={(_event, data) => set({ title: data.value })}
          />
        </Field>
        <Choice<ChartType>
          label="Visualization type"
          value={spec.type}
          choices={TYPES}
          onChange={(type) => set({ type, ...usualX(type, spec) })}
        />
        {usesX(spec.type) && (
          <ColumnPicker
            source={source}
            label={spec.type === "bar" ? "X axis (bars)" : "X axis"}
            chosen={[spec.x]}
            extra={spec.type === "line" ? COURSES : []}
            onChange={([x]) => {
              if (x !== undefined) set({ x });
            }}
          />
        )}
        <ColumnPicker
          source={source}
          label={
            spec.type === "parallel" ? "Axes" : spec.type === "histogram" ? "Values" : "Y axis"
          }
          {...(spec.type === "contour" && { hint: "First the vertical axis, then the value" })}
          isMany
          chosen={spec.y}
          onChange={(y) => set({ y })}
        />
        <div className={styles.pair}>
          {usesX(spec.type) && spec.type !== "bar" && (
            <Choice<Scale>
              label="X scale"
              value={spec.xScale}
              choices={SCALES}
              onChange={(xScale) => set({ xScale })}
            />
          )}
          {spec.type === "histogram" ? (
            <Choice<Scale>
              label="Scale"
              value={spec.xScale}
              choices={SCALES}
              onChange={(xScale) => set({ xScale })}
            />
          ) : (
            spec.type !== "parallel" && (
              <Choice<Scale>
                label="Y scale"
                value={spec.yScale}
                choices={SCALES}
                onChange={(yScale) => set({ yScale })}
              />
            )
          )}
        </div>
        {spec.type !== "parallel" && spec.type !== "contour" && (
          <ColumnPicker
            source={source}
            label="Group by"
            chosen={spec.groupBy === "" ? [] : [spec.groupBy]}
            extra={[["", "None"]]}
            onChange={([groupBy = ""]) => set({ groupBy })}
          />
        )}
        {(spec.type === "bar" || spec.type === "line") && (
          <div className={styles.pair}>
            <Choice<Aggregate>
              label="Aggregate"
              value={spec.aggregate}
              choices={AGGREGATES}
              onChange={(aggregate) => set({ aggregate })}
            />
            <Choice<Band>
              label="Bands"
              value={spec.band}
              choices={BANDS}
              onChange={(band) => set({ band })}
            />
          </div>
        )}
        {spec.type === "line" && <SmoothingFields spec={spec} set={set} />}
        <Checkbox
          label="Ignore outliers"
          checked={spec.ignoreOutliers}
          onChange={(_event, data) => set({ ignoreOutliers: data.checked === true })}
        />
        {spec.type !== "parallel" && <Ranges spec={spec} set={set} />}
        <div className={styles.pair}>
          <Choice<Colours>
            label="Colours"
            value={spec.colours}
            choices={COLOURS}
            onChange={(colours) => set({ colours })}
          />
          <Choice<Legend>
            label="Legend"
            value={spec.legend}
            choices={LEGENDS}
            onChange={(legend) => set({ legend })}
          />
        </div>
      </DrawerBody>
      <DrawerFooter>
        <Button appearance="primary" onClick={onClose}>
          Done
        </Button>
        <Button onClick={undo}>Undo changes</Button>
      </DrawerFooter>
    </Drawer>
  );
}

/** An axis that suits a type, where the present one does not. */
function usualX(type: ChartType, spec: ChartSpec): Partial<ChartSpec> {
  if (type === "line") return spec.type === "line" ? {} : { x: "step" };
  if (type === "bar") return spec.type === "line" ? { x: "run_name" } : {};
  const isPlain =
    spec.x === "step" || spec.x === "time" || spec.x === "relative" || spec.x === "run_name";
  return isPlain && usesX(type) ? { x: "created_ms" } : {};
}

interface Setting {
  readonly spec: ChartSpec;
  readonly set: (change: Partial<ChartSpec>) => void;
}

function SmoothingFields({ spec, set }: Setting) {
  const isEma = spec.smoothing === "ema";
  return (
    <>
      <Choice<Smoothing>
        label="Smoothing"
        value={spec.smoothing}
        choices={SMOOTHINGS}
        onChange={(smoothing) => set({ smoothing, amount: smoothing === "ema" ? 0.6 : 5 })}
      />
      {spec.smoothing !== "none" && (
        <>
          <Field label={isEma ? `Weight ${spec.amount.toFixed(2)}` : `Points ${spec.amount}`}>
            <Slider
              min={isEma ? 0 : 1}
              max={isEma ? 99 : 50}
              value={isEma ? Math.round(spec.amount * 100) : spec.amount}
              onChange={(_event, data) => set({ amount: isEma ? data.value / 100 : data.value })}
            />
          </Field>
          <Checkbox
            label="Keep the line as logged, faint"
            checked={spec.raw}
            onChange={(_event, data) => set({ raw: data.checked === true })}
          />
        </>
      )}
    </>
  );
}

function Ranges({ spec, set }: Setting) {
  const styles = useStyles();
  return (
    <>
      {usesX(spec.type) && spec.type !== "bar" && (
        <div className={styles.pair}>
          <NumberField label="X from" value={spec.xMin} onChange={(xMin) => set({ xMin })} />
          <NumberField label="X to" value={spec.xMax} onChange={(xMax) => set({ xMax })} />
        </div>
      )}
      <div className={styles.pair}>
        <NumberField label="Y from" value={spec.yMin} onChange={(yMin) => set({ yMin })} />
        <NumberField label="Y to" value={spec.yMax} onChange={(yMax) => set({ yMax })} />
      </div>
    </>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly value: number | null;
  readonly onChange: (value: number | null) => void;
}

function NumberField({ label, value, onChange }: NumberFieldProps) {
  const styles = useStyles();
  const [text, setText] = useState<string | null>(null);
  const isWrong = text !== null && text.trim() !== "" && !Number.isFinite(Number(text));
  return (
    <Field label={label} {...(isWrong && { validationMessage: "Not a number" })}>
      <Input
        className={styles.narrow}
        input={{ className: styles.narrow, inputMode: "decimal" }}
        placeholder="auto"
        value={text ?? (value === null ? "" : String(value))}
        onChange={(_event, data) => {
          setText(data.value);
          const number = data.value.trim() === "" ? null : Number(data.value);
          if (number === null || Number.isFinite(number)) onChange(number);
        }}
        onBlur={() => setText(null)}
      />
    </Field>
  );
}

interface ChoiceProps<T extends string> {
  readonly label: ReactNode & string;
  readonly value: T;
  readonly choices: readonly T[];
  readonly onChange: (value: T) => void;
}

function Choice<T extends string>({ label, value, choices, onChange }: ChoiceProps<T>) {
  const styles = useStyles();
  return (
    <Field label={label}>
      <Dropdown
        className={styles.narrow}
        value={WORDS[value] ?? value}
        selectedOptions={[value]}
        onOptionSelect={(_event, data) => {
          const found = choices.find((choice) => choice === data.optionValue);
          if (found !== undefined) onChange(found);
        }}
      >
        {choices.map((choice) => (
          <Option key={choice} value={choice}>
            {WORDS[choice] ?? choice}
          </Option>
        ))}
      </Dropdown>
    </Field>
  );
}
