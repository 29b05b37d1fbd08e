import { expect, test } from "vitest";
import { imageAt, readStepImages, stepsOf } from "./stepImages.ts";

const file = (path: string, size_bytes = 1) => ({ path, size_bytes });
const named = (key: string, step: number, time = 1, mark = "+", ending = ".png") =>
  file(
    `images/${key}${mark}step${mark}${String(step)}${mark}timestamp${mark}${String(time)}${mark}a-${String(time)}${ending}`,
  );

test("names of newer and older clients", () => {
  const found = readStepImages([
    named("a", 2),
    named("a", 2, 1, "+", "+compressed.webp"),
    named("eval~mask", 0),
    named("eval#old", 4, 9, "%"),
    named("a", 10),
  ]);
  expect([...found.keys()]).toEqual(["a", "eval/mask", "eval/old"]);
  expect(found.get("a")?.map((image) => [image.step, image.smallPath !== null])).toEqual([
    [2, true],
    [10, false],
  ]);
  expect(stepsOf(found)).toEqual([0, 2, 4, 10]);
});

test("what is no such name is left out, and the later of one step stays", () => {
  const found = readStepImages([
    file("images/photo.png"),
    file("images/a+step+x+timestamp+1+b.png"),
    file("other/a+step+1+timestamp+1+b.png"),
    named("a", 1, 5),
    named("a", 1, 3),
  ]);
  expect([...found.keys()]).toEqual(["a"]);
  expect(found.get("a")?.map((image) => image.timeMs)).toEqual([5]);
});

test("keys that hold the marks themselves", () => {
  const found = readStepImages([named("a+step+b", 3), named("100%", 1)]);
  expect([...found.keys()]).toEqual(["100%", "a+step+b"]);
});

test("a key shows its latest until the step, else its first", () => {
  const images = readStepImages([named("a", 2), named("a", 6)]).get("a") ?? [];
  expect([0, 2, 5, 6, 99].map((step) => imageAt(images, step)?.step)).toEqual([2, 2, 2, 6, 6]);
  expect(imageAt([], 1)).toBeUndefined();
});
