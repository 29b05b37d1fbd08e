import { describe, expect, it } from "vitest";
import { type Course, placeNear, traceCourse } from "./crowd.ts";

const course: Course = {
  xs: Float64Array.of(0, 100, 200, 300),
  ys: Float64Array.of(0, 100, NaN, 50),
};

describe("a line among many", () => {
  it("is drawn with its gaps", () => {
    const drawn: string[] = [];
    traceCourse(
      {
        moveTo: (x, y) => drawn.push(`M${String(x)},${String(y)}`),
        lineTo: (x, y) => drawn.push(`L${String(x)},${String(y)}`),
      },
      course,
    );
    expect(drawn).toEqual(["M0,0", "L100,100", "M300,50"]);
  });

  it("is pointed at along its pieces, at the nearer end", () => {
    expect(placeNear(course, 30, 32)).toBe(0);
    expect(placeNear(course, 80, 78)).toBe(1);
    expect(placeNear(course, 30, 60)).toBe(-1);
  });

  it("is not pointed at in a gap", () => {
    expect(placeNear(course, 150, 100)).toBe(-1);
    expect(placeNear(course, 250, 50)).toBe(-1);
  });
});
