/**
 * Two texts as lines side by side: what is the same, what changed.
 *
 * The shortest edit script by Myers (1986), "An O(ND) Difference Algorithm", on lines, after equal
 * heads and tails are set aside. Always holds: the left lines that are not null are the first text,
 * the right ones the second. Beyond `EDITS_MAX` differences the rest counts as replaced.
 */

export interface LinePair {
  readonly left: string | null;
  readonly right: string | null;
  readonly leftNumber: number;
  readonly rightNumber: number;
  readonly isSame: boolean;
}

const EDITS_MAX = 2000;

export function diffLines(a: string, b: string): LinePair[] {
  const left = a.split("\n");
  const right = b.split("\n");
  let head = 0;
  while (head < left.length && head < right.length && left[head] === right[head]) head += 1;
  let tail = 0;
  while (
    tail < left.length - head &&
    tail < right.length - head &&
    left[left.length - 1 - tail] === right[right.length - 1 - tail]
  ) {
    tail += 1;
  }
  const kept = matches(
    left.slice(head, left.length - tail),
    right.slice(head, right.length - tail),
  );
  const same: (readonly [number, number])[] = [
    ...Array.from({ length: head }, (_, n) => [n, n] as const),
    ...kept.map(([x, y]) => [x + head, y + head] as const),
    ...Array.from(
      { length: tail },
      (_, n) => [left.length - tail + n, right.length - tail + n] as const,
    ),
  ];
  return pairsOf(left, right, same);
}

function pairsOf(
  left: readonly string[],
  right: readonly string[],
  same: readonly (readonly [number, number])[],
): LinePair[] {
  const pairs: LinePair[] = [];
  let x = 0;
  let y = 0;
  const upTo = (toX: number, toY: number) => {
    while (x < toX || y < toY) {
      const hasLeft = x < toX;
      const hasRight = y < toY;
      pairs.push({
        left: hasLeft ? (left[x] ?? "") : null,
        right: hasRight ? (right[y] ?? "") : null,
        leftNumber: hasLeft ? x + 1 : 0,
        rightNumber: hasRight ? y + 1 : 0,
        isSame: false,
      });
      if (hasLeft) x += 1;
      if (hasRight) y += 1;
    }
  };
  for (const [atX, atY] of same) {
    upTo(atX, atY);
    pairs.push({
      left: left[x] ?? "",
      right: right[y] ?? "",
      leftNumber: x + 1,
      rightNumber: y + 1,
      isSame: true,
    });
    x += 1;
    y += 1;
  }
  upTo(left.length, right.length);
  return pairs;
}

/** Places of equal lines, rising in both texts. */
function matches(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  const most = Math.min(a.length + b.length, EDITS_MAX);
  const furthest = new Map<number, number>([[1, 0]]);
  const trace: Map<number, number>[] = [];
  for (let d = 0; d <= most; d += 1) {
    trace.push(new Map(furthest));
    for (let k = -d; k <= d; k += 2) {
      const down =
        k === -d || (k !== d && (furthest.get(k - 1) ?? -1) < (furthest.get(k + 1) ?? -1));
      let x = down ? (furthest.get(k + 1) ?? 0) : (furthest.get(k - 1) ?? 0) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x += 1;
        y += 1;
      }
      furthest.set(k, x);
      if (x >= a.length && y >= b.length) return walkBack(trace, a.length, b.length);
    }
  }
  return [];
}

function walkBack(
  trace: readonly Map<number, number>[],
  endX: number,
  endY: number,
): (readonly [number, number])[] {
  const found: (readonly [number, number])[] = [];
  let x = endX;
  let y = endY;
  for (let d = trace.length - 1; d >= 0; d -= 1) {
    const before = trace[d] ?? new Map<number, number>();
    const k = x - y;
    const down = k === -d || (k !== d && (before.get(k - 1) ?? -1) < (before.get(k + 1) ?? -1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = before.get(fromK) ?? 0;
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      x -= 1;
      y -= 1;
      found.push([x, y]);
    }
    if (d === 0) break;
    x = fromX;
    y = fromY;
  }
  return found.reverse();
}
