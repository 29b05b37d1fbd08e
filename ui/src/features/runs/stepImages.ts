/**
 * Images that a run logged at steps, read from the names that MLflow's clients give their files.
 *
 * `images/<key>+step+<step>+timestamp+<ms>+<id>[+compressed].<png|webp>`; older clients write `%`
 * for `+`, and `#` or `~` stands for a slash of the key. Always holds: a file whose name is none of
 * these is left out; of one step logged twice the later stays.
 */

export interface StepImage {
  readonly key: string;
  readonly step: number;
  readonly timeMs: number;
  /** As it was logged. */
  readonly path: string;
  readonly sizeBytes: number;
  /** A small copy of it, where the client made one. */
  readonly smallPath: string | null;
}

interface NamedFile {
  readonly path: string;
  readonly size_bytes: number;
}

const NAME =
  /^images\/(?<key>.+)(?<mark>[+%])step\k<mark>(?<step>-?\d+)\k<mark>timestamp\k<mark>(?<time>\d+)\k<mark>(?<id>[\w-]+?)(?<small>\k<mark>compressed)?\.\w+$/;

/** By key, each in the order of steps. */
export function readStepImages(files: readonly NamedFile[]): Map<string, StepImage[]> {
  const whole = new Map<string, StepImage>();
  const small = new Map<string, string>();
  for (const file of files) {
    const parts = NAME.exec(file.path)?.groups;
    if (parts === undefined) continue;
    const { key = "", step = "", time = "", id = "" } = parts;
    const name = `${key} ${step} ${time} ${id}`;
    if (parts["small"] !== undefined) {
      small.set(name, file.path);
      continue;
    }
    whole.set(name, {
      key: key.replaceAll(/[#~]/g, "/"),
      step: Number(step),
      timeMs: Number(time),
      path: file.path,
      sizeBytes: file.size_bytes,
      smallPath: null,
    });
  }
  const byKey = new Map<string, Map<number, StepImage>>();
  for (const [name, image] of whole) {
    const steps = byKey.get(image.key) ?? new Map<number, StepImage>();
    byKey.set(image.key, steps);
    const before = steps.get(image.step);
    if (before !== undefined && before.timeMs > image.timeMs) continue;
    steps.set(image.step, { ...image, smallPath: small.get(name) ?? null });
  }
  return new Map(
    [...byKey]
      .sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }))
      .map(([key, steps]) => [key, [...steps.values()].sort((a, b) => a.step - b.step)]),
  );
}

/** Every step at which any of these was logged. */
export function stepsOf(images: ReadonlyMap<string, readonly StepImage[]>): number[] {
  const steps = new Set([...images.values()].flat().map((image) => image.step));
  return [...steps].sort((a, b) => a - b);
}

/** The image that a key shows at a step: its latest until then, else its first. */
export function imageAt(images: readonly StepImage[], step: number): StepImage | undefined {
  return images.findLast((image) => image.step <= step) ?? images[0];
}
