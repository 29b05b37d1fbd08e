/** A curve as small as a word; its name says how it goes. */
import { makeStyles, tokens } from "@fluentui/react-components";

const WIDTH = 88;
const HEIGHT = 24;
const EDGE = 2;

const useStyles = makeStyles({
  line: { stroke: tokens.colorBrandForeground1, fill: "none", strokeWidth: "1.5px" },
  dot: { fill: tokens.colorBrandForeground1 },
  frame: { display: "block", flexShrink: 0 },
});

export interface SparklineProps {
  readonly points: readonly (readonly [x: number, y: number])[];
  readonly label: string;
}

export function Sparkline({ points, label }: SparklineProps) {
  const styles = useStyles();
  const last = points.at(-1);
  if (last === undefined) return <span style={{ width: WIDTH, height: HEIGHT }} />;
  const [left, right] = ends(points.map(([x]) => x));
  const [low, high] = ends(points.map(([, y]) => y));
  const place = ([x, y]: readonly [number, number]) => {
    const across = right === left ? 0.5 : (x - left) / (right - left);
    const up = high === low ? 0.5 : (y - low) / (high - low);
    return [EDGE + across * (WIDTH - 2 * EDGE), HEIGHT - EDGE - up * (HEIGHT - 2 * EDGE)] as const;
  };
  const [dotX, dotY] = place(last);
  return (
    <svg className={styles.frame} width={WIDTH} height={HEIGHT} role="img" aria-label={label}>
      <polyline
        className={styles.line}
        points={points
          .map((point) =>
            place(point)
              .map((n) => n.toFixed(1))
              .join(","),
          )
          .join(" ")}
      />
      <circle className={styles.dot} cx={dotX} cy={dotY} r={2} />
    </svg>
  );
}

function ends(values: readonly number[]): readonly [number, number] {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return [low, high];
}
