import { describe, expect, test } from "vitest";
import { having, rowsOf, sorted, type Row } from "../../src/compare/rows";
import { dots, frameOf, spotAt, spotBeyond } from "../../src/compare/spots";

const row = (own: number, similarity: number | null, match = own): Row =>
  ({ own, match, similarity, kept: null });
const order = (rows: readonly Row[]) => rows.map(({ own }) => own);

describe("the list", () => {
  const rows = [row(0, 0.5), row(1, null, -1), row(2, 0.9), row(3, 0.5)];

  test("is sorted either way, and what has no number comes last", () => {
    expect(order(sorted(rows, { by: "similarity", rising: true }))).toEqual([0, 3, 2, 1]);
    expect(order(sorted(rows, { by: "similarity", rising: false }))).toEqual([2, 0, 3, 1]);
    expect(order(sorted(rows, { by: "neuron", rising: false }))).toEqual([3, 2, 1, 0]);
  });

  test("finds labels of either side, and numbers", () => {
    const [own, match] = [["red", "Green", "", "blue"], ["", "", "dark green", ""]];
    expect(order(having(rows, "green", own, match))).toEqual([1, 2]);
    expect(order(having(rows, " 3 ", own, match))).toEqual([3]);
    expect(having(rows, " ", own, match)).toBe(rows);
  });

  test("leaves out what has not changed", () => {
    const same = { match: [0, 1], similarity: [1, null], kept: [1, 0.2], changed: [false, true] };
    expect(rowsOf(same)).toEqual([{ own: 1, match: 1, similarity: null, kept: 0.2 }]);
    expect(rowsOf({ ...same, kept: [], changed: [] })).toHaveLength(2);
  });
});

describe("the joint map", () => {
  const a = { x: Float32Array.of(0, 1, NaN), y: Float32Array.of(0, 0, 0) };
  const b = { x: Float32Array.of(0, -0.5), y: Float32Array.of(1, 0) };
  const both = new Map([["a", a], ["b", b]] as const);

  test("has a frame around all that is placed", () => {
    const [left, top, width, height] = frameOf([a, b]);
    expect(left).toBeLessThan(-0.5);
    expect(top).toBeLessThan(-1);
    expect(left + width).toBeGreaterThan(1);
    expect(top + height).toBeGreaterThan(0);
    expect(frameOf([{ x: Float32Array.of(NaN), y: Float32Array.of(0) }])).toEqual([-1, -1, 2, 2]);
  });

  test("draws what is placed, and finds what is near", () => {
    expect(dots(a, [0, 1, 2])).toBe("M0 0h0M1 0h0");
    expect(spotAt(both, 0.95, 0.02, 0.1)).toEqual({ side: "a", neuron: 1 });
    expect(spotAt(both, 0.5, 0.5, 0.1)).toBeNull();
  });

  test("goes from neuron to neuron by the arrows", () => {
    const here = { side: "a", neuron: 0 } as const;
    expect(spotBeyond(both, here, 1, 0)).toEqual({ side: "a", neuron: 1 });
    expect(spotBeyond(both, here, -1, 0)).toEqual({ side: "b", neuron: 1 });
    expect(spotBeyond(both, here, 0, -1)).toEqual({ side: "b", neuron: 0 });
    expect(spotBeyond(both, here, 0, 1)).toEqual(here);
    expect(spotBeyond(both, null, 1, 0)).toEqual(here);
  });
});
