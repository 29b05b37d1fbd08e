/** Finding by parts of words: `nit` finds "New item", `cpred` finds "Copy code: predict". */

/** How well a text answers what was typed: greater is better, null is not at all. */
export function fuzzyScore(text: string, typed: string): number | null {
  const where = text.toLowerCase();
  const what = typed.toLowerCase().replace(/\s+/g, "");
  if (what === "") return 0;
  const whole = where.indexOf(typed.toLowerCase().trim());
  if (whole >= 0) return 100 - whole - where.length / 100;
  let score = 0;
  let at = -1;
  for (const mark of what) {
    const next = where.indexOf(mark, at + 1);
    if (next < 0) return null;
    const isStart = next === 0 || /[\s/_.:-]/.test(where.charAt(next - 1));
    score += next === at + 1 ? 3 : isStart ? 2 : -0.1 * (next - at);
    at = next;
  }
  return score - where.length / 100;
}
