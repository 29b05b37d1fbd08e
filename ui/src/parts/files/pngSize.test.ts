import { expect, test } from "vitest";
import { readPngSize } from "./pngSize.ts";

test("width and height stand in the first chunk", () => {
  const head = new Uint8Array(24);
  head.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52]);
  head.set([0, 0, 0x27, 0x10, 0, 0, 0x01, 0x00], 16);
  expect(readPngSize(head.buffer)).toEqual({ width: 10_000, height: 256 });
  expect(readPngSize(head.buffer.slice(0, 20))).toBeNull();
  head[0] = 0;
  expect(readPngSize(head.buffer)).toBeNull();
});
