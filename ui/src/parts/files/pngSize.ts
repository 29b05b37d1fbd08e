/**
 * How large a PNG is before it is decoded: a small file may unfold to gigabytes of pixels.
 *
 * Format: https://www.w3.org/TR/png-3/#5PNG-file-signature, width and height in the first chunk.
 */
const HEAD_BYTES = 24;
const SIGNATURE = 0x89504e47;
/** More pixels are not unfolded: four bytes each. */
const PIXELS_MAX = 40_000_000;

export interface PixelSize {
  readonly width: number;
  readonly height: number;
}

/** The size that the first bytes of a PNG tell; null for what is none. */
export function readPngSize(head: ArrayBuffer): PixelSize | null {
  if (head.byteLength < HEAD_BYTES) return null;
  const view = new DataView(head);
  if (view.getUint32(0) !== SIGNATURE) return null;
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

/** The size of a PNG at an address, of which only the beginning is fetched. */
export async function loadPngSize(address: string, signal: AbortSignal): Promise<PixelSize | null> {
  const answer = await fetch(address, {
    headers: { range: `bytes=0-${HEAD_BYTES - 1}` },
    signal,
  });
  if (!answer.ok) return null;
  return readPngSize((await answer.arrayBuffer()).slice(0, HEAD_BYTES));
}

/** Whether unfolding it would take more memory than looking at it is worth. */
export function isTooLarge(size: PixelSize | null | undefined): boolean {
  return size ? size.width * size.height > PIXELS_MAX : false;
}
