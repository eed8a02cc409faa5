import { describe, expect, test } from "vitest";
import { frameOf, momentAt, neuronAt, neuronBeyond, toPixels, type Places } from "../../src/evolution/places";

// Three neurons at two steps: one stays, one goes, one has a place at the first step alone.
const PLACES: Places = {
  neurons: 3,
  x: Float32Array.of(-1, 0, 1, -1, 1, NaN),
  y: Float32Array.of(0, 0, 0, 0, 0.5, NaN),
};
const SIZE = { width: 236, height: 136 };

describe("the places of a moment", () => {
  test("at a step neurons are where the step has them", () => {
    expect([...momentAt(PLACES, 0).x]).toEqual([-1, 0, 1]);
    const second = momentAt(PLACES, 1);
    expect([...second.y].slice(0, 2)).toEqual([0, 0.5]);
    expect([...second.seen]).toEqual([1, 1, 0]);
  });

  test("between two steps they are on the straight way, and who has none at one of them fades", () => {
    const { x, y, seen } = momentAt(PLACES, 0.25);
    expect([...x]).toEqual([-1, 0.25, 1]);
    expect([...y]).toEqual([0, 0.125, 0]);
    expect([...seen]).toEqual([1, 1, 0.75]);
  });

  test("one frame shows all steps, both axes alike, y up", () => {
    const frame = frameOf(PLACES, SIZE);
    expect(frame.scale).toBe(100); // 236 less two margins of 18, for two units
    const [left, right] = [toPixels(frame, -1, 0), toPixels(frame, 1, 0.5)];
    expect(left).toEqual([18, 93]);
    expect(right).toEqual([218, 43]);
    const nothing = { neurons: 1, x: Float32Array.of(NaN), y: Float32Array.of(NaN) };
    expect(Number.isFinite(frameOf(nothing, SIZE).scale)).toBe(true);
  });

  test("the nearest to the pointer within reach, and never one that is not to be seen", () => {
    const frame = frameOf(PLACES, SIZE);
    const [first, second] = [momentAt(PLACES, 0), momentAt(PLACES, 1)];
    expect(neuronAt(first, frame, 215, 90, 14)).toBe(2);
    expect(neuronAt(second, frame, 215, 90, 14)).toBe(-1);
    expect(neuronAt(first, frame, 165, 93, 14)).toBe(-1);
  });

  test("arrows go to the next in a direction, and stay where there is none", () => {
    const frame = frameOf(PLACES, SIZE);
    const moment = momentAt(PLACES, 0);
    const beyond = (from: number, dx: number) => neuronBeyond(moment, frame, SIZE, from, dx, 0);
    expect(beyond(-1, 1)).toBe(1); // the one in the middle
    expect([beyond(0, 1), beyond(1, 1), beyond(2, 1), beyond(1, -1)]).toEqual([1, 2, 2, 0]);
    expect(neuronBeyond(momentAt(PLACES, 1), frame, SIZE, 2, 1, 0)).not.toBe(2);
  });
});
