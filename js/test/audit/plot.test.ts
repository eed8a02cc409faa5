import { describe, expect, test } from "vitest";
import { nearest, placed, ticksOf, walk } from "../../src/audit/scatter";
import { sorted } from "../../src/audit/table";
import { shape, VERDICTS } from "../../src/audit/verdicts";
import { row, said } from "./audit-world";

const LAYER = said().layers[1]!;
const plot = (rows = [0, 1, 2, 3].map((at) => row(at))) => placed(rows, LAYER, 600)!;

describe("the plot", () => {
  test("has round numbers on its axes, all within", () => {
    expect(ticksOf(0.31, 0.88)).toEqual([0.4, 0.6, 0.8]);
    expect(ticksOf(-0.3, 0.3)).toEqual([-0.2, 0, 0.2]);
    expect(ticksOf(0.1, 0.13)).toEqual([0.1, 0.11, 0.12, 0.13]);
  });

  test("places neurons by their fits, sizes them by area, the largest below the others", () => {
    const { points, x, y } = plot();
    expect(points.map((one) => one.row.neuron)).toEqual([0, 1, 2, 3]);
    for (const one of points) {
      expect(one.x).toBeCloseTo(x.place(one.row.valid!));
      expect(one.y).toBeCloseTo(y.place(one.row.spurious!));
    }
    expect(x.place(0.5)).toBeGreaterThan(x.place(0.2));
    expect(y.place(0.5)).toBeGreaterThan(y.place(0.9)); // upwards on the screen
    const [first, second] = points;
    expect((first!.radius / second!.radius) ** 2).toBeCloseTo(first!.row.share / second!.row.share);
  });

  test("holds what chance reaches, also where no neuron does", () => {
    const { x } = placed([row(0, { valid: 0.1 })], { ...LAYER, valid: 0.8 }, 600)!;
    expect(x.place(0.8)).toBeLessThan(600);
    expect(x.place(0.8)).toBeGreaterThan(x.place(0.1));
  });

  test("leaves out what has no fit, and says how many", () => {
    const { points, left } = plot([row(0), row(1, { valid: null }), row(2, { spurious: null })]);
    expect([points.length, left]).toEqual([1, 2]);
    expect(placed([row(0, { valid: null })], LAYER, 600)).toBeNull();
  });

  test("a pointer finds the nearest neuron within reach", () => {
    const { points } = plot();
    const [, one] = points;
    expect(nearest(points, one!.x + 3, one!.y)!.row.neuron).toBe(1);
    expect(nearest(points, 5, 5)).toBeNull();
  });

  test("arrows reach every neuron, from left to right and from top to bottom", () => {
    const { points } = plot();
    const reached = (key: string) => {
      let here = points.find((one) => one.row.neuron === (key === "ArrowLeft" ? 3 : 0));
      const all = [here!.row.neuron];
      for (let step = 0; step < 4; step++) all.push((here = walk(points, here, key))!.row.neuron);
      return all;
    };
    expect(reached("ArrowRight")).toEqual([0, 1, 2, 3, 3]);
    expect(reached("ArrowDown")).toEqual([0, 1, 2, 3, 3]);
    expect(reached("ArrowLeft")).toEqual([3, 2, 1, 0, 0]);
  });

  test("every verdict has a shape of its own", () => {
    const shapes = VERDICTS.map((one) => shape(one, 0, 0, 10).replace(/[-\d.]+/g, ""));
    expect(new Set(shapes).size).toBe(VERDICTS.length - 1); // weak is a small ring, valid a disc
  });
});

describe("the table", () => {
  const neurons = (by: Parameters<typeof sorted>[1]) =>
    sorted([row(0), row(1, { valid: null }), row(2), row(3)], by).map(({ neuron }) => neuron);

  test("is sorted by any figure, what has none last", () => {
    expect(neurons("share")).toEqual([0, 1, 2, 3]);
    expect(neurons("valid")).toEqual([3, 2, 0, 1]);
    expect(neurons("spurious")).toEqual([0, 1, 2, 3]);
    expect(neurons("verdict")).toEqual([0, 2, 1, 3]);
  });
});
