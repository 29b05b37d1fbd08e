/** Finding by parts of words: `nit` finds "New item", `cpred` finds "Copy code: predict". */

/** How well a text answers what was typed: greater is better, null is not at all. */
export function fuzzyScore(text: string, typed: string): number | null {
  const where = text.toLowerCase();
  const what = typed.toLowerCase().replace(/\s+/g, "");
  if (what === "") return 0;
  const whole = where.indexOf(typed.toLowerCase().trim());
  const isWordStart = (place: number) => place === 0 || /[\s/_.:-]/.test(where.charAt(place - 1));
  if (whole >= 0 && isWordStart(whole)) return 100 - whole - where.length / 100;
  // Beginnings of words count for more than the middle of one.
  if (whole >= 0) return 3 * what.length - 2 - (whole + where.length) / 100;
  let score = 0;
  let at = -1;
  for (const mark of what) {
    const next = where.indexOf(mark, at + 1);
    if (next < 0) return null;
    score += next === at + 1 ? 3 : isWordStart(next) ? 2 : -0.1 * (next - at);
    at = next;
  }
  return score - where.length / 100;
}
