/** How the values of a column are spread: bars over its range, or its most frequent values. */
import { makeStyles, Text, tokens } from "@fluentui/react-components";
import { countText, plural, shortNumber } from "@/lib/format.ts";

const SHOWN_MAX = 8;

export interface Spread {
  readonly column: string;
  readonly rows?: number;
  readonly nulls?: number;
  readonly nans?: number;
  readonly low?: number | null;
  readonly high?: number | null;
  readonly mean?: number | null;
  readonly edges?: readonly number[];
  readonly counts?: readonly number[];
  /** The most frequent values instead, of a column of text. */
  readonly top?: Readonly<Record<string, number>>;
}

const useStyles = makeStyles({
  figure: { margin: 0, minWidth: 0 },
  name: { display: "block", overflowWrap: "anywhere" },
  bars: {
    display: "flex",
    alignItems: "flex-end",
    gap: "1px",
    height: "96px",
    borderBottom: `1px solid ${tokens.colorNeutralStroke1}`,
  },
  bar: {
    flexGrow: 1,
    flexBasis: 0,
    minHeight: "1px",
    backgroundColor: tokens.colorBrandBackground,
    borderStartStartRadius: tokens.borderRadiusSmall,
    borderStartEndRadius: tokens.borderRadiusSmall,
  },
  ends: {
    display: "flex",
    justifyContent: "space-between",
    fontVariantNumeric: "tabular-nums",
    fontSize: tokens.fontSizeBase200,
    color: tokens.colorNeutralForeground2,
  },
  facts: { display: "block", color: tokens.colorNeutralForeground2 },
  row: {
    display: "grid",
    gridTemplateColumns: "minmax(64px, 1fr) minmax(0, 2fr) auto",
    alignItems: "center",
    gap: tokens.spacingHorizontalS,
    fontSize: tokens.fontSizeBase200,
  },
  value: { overflow: "hidden", textOverflow: "ellipsis", whiteSpace: "nowrap" },
  strip: { height: "12px", backgroundColor: tokens.colorBrandBackground, minWidth: "1px" },
});

export function Histogram({ spread }: { readonly spread: Spread }) {
  const styles = useStyles();
  const { column, low, high, mean } = spread;
  const counts = spread.counts ?? [];
  const top = Object.entries(spread.top ?? {}).slice(0, SHOWN_MAX);
  const most = Math.max(1, ...counts, ...top.map(([, count]) => count));
  const has = (value: number | null | undefined): value is number => typeof value === "number";
  const said = [
    has(spread.rows) ? plural(spread.rows, "row") : "",
    has(mean) ? `mean ${shortNumber(mean)}` : "",
    spread.nulls ? `${countText(spread.nulls)} missing` : "",
    spread.nans ? `${countText(spread.nans)} not numbers` : "",
  ].filter((each) => each !== "");
  const ends = has(low) && has(high) ? `${shortNumber(low)} to ${shortNumber(high)}` : "";
  return (
    <figure className={styles.figure} role="group" aria-label={`Values of ${column}`}>
      <Text as="span" weight="semibold" className={styles.name} dir="auto">
        {column}
      </Text>
      <Text size={200} className={styles.facts}>
        {said.join(", ")}
      </Text>
      {counts.length > 0 && (
        <>
          <div
            className={styles.bars}
            role="img"
            aria-label={`Histogram of ${column}${ends === "" ? "" : `, ${ends}`}`}
          >
            {counts.map((count, at) => (
              <div
                key={at}
                className={styles.bar}
                style={{ height: `${(100 * count) / most}%` }}
                title={titleOf(spread, at, count)}
              />
            ))}
          </div>
          <div className={styles.ends}>
            <span>{has(low) ? shortNumber(low) : ""}</span>
            <span>{has(high) ? shortNumber(high) : ""}</span>
          </div>
        </>
      )}
      {top.map(([value, count]) => (
        <div key={value} className={styles.row}>
          <span className={styles.value} title={value} dir="auto">
            {value}
          </span>
          <span className={styles.strip} style={{ width: `${(100 * count) / most}%` }} />
          <span>{countText(count)}</span>
        </div>
      ))}
    </figure>
  );
}

function titleOf({ edges = [] }: Spread, at: number, count: number): string {
  const from = edges[at];
  const to = edges[at + 1];
  if (from === undefined || to === undefined) return countText(count);
  return `${shortNumber(from)} to ${shortNumber(to)}: ${countText(count)}`;
}
