import { describe, expect, test } from "vitest";
import { arrange, readLabels, type Shown, type Sorting } from "../../src/review/labels";
import { pick, type Picked } from "../../src/review/picking";
import { EVIL } from "../neuron/panel-world";
import { labels, packed } from "./review-world";

const read = (all = labels(), judged = false) => {
  const { result, buffers } = packed(all, judged);
  return readLabels(result, buffers);
};
const rows = (
  wanted: Partial<{ layer: string | null; show: Shown; sorting: Sorting; text: string }>,
  all = labels(), judged = false, selected: number[] = [],
) => arrange(read(all, judged), { layer: null, show: "all", sorting: "neuron", text: "", ...wanted },
  new Set(selected)).map(({ row }) => row);

describe("the labels", () => {
  test("are read as they were packed", () => {
    const all = labels();
    all[1] = { ...all[1]!, label: "", source: "person", flags: 2 };
    expect(read(all).at(1)).toMatchObject({
      row: 1, layer: "layer3", neuron: 1, label: "", person: true, said: EVIL, runnerUp: "",
      score: expect.closeTo(0.9), margin: expect.closeTo(0.1), lead: null, unsure: false, changed: true, dead: false,
    });
    expect(read(all).at(2)).toMatchObject({ label: "unknown", said: "", unsure: true, person: false, source: "csp" });
  });

  test("are sorted, what has no number or no label last, equal ones as they come", () => {
    const all = labels();
    all[0]!.score = NaN;
    all[5]!.label = "";
    expect(rows({ sorting: "score" }, all)).toEqual([2, 5, 3, 4, 1, 0]);
    expect(rows({ sorting: "lead" }, all)).toEqual([2, 5, 1, 3, 0, 4]);
    expect(rows({ sorting: "label" }, all)).toEqual([1, 3, 0, 4, 2, 5]);
    all.forEach((one, at) => (one.lead = 6 - at));
    expect(rows({ sorting: "lead" }, all, true)).toEqual([5, 4, 3, 2, 1, 0]);
  });

  test("are filtered by layer, kind and text", () => {
    const all = labels();
    all[0] = { ...all[0]!, source: "person", flags: 2 };
    all[4] = { ...all[4]!, source: "person", label: "" };
    expect(rows({ layer: "layer4" }, all)).toEqual([3, 4, 5]);
    expect(rows({ show: "unknown" }, all)).toEqual([2, 3]);
    expect(rows({ show: "people" }, all)).toEqual([0, 4]);
    expect(rows({ show: "none" }, all)).toEqual([4]);
    expect(rows({ show: "changed" }, all)).toEqual([0]);
    expect(rows({ show: "selected" }, all, false, [5, 1])).toEqual([1, 5]);
    expect(rows({ show: "close" }, all)).toEqual([2]); // a tenth of six is one
    expect(rows({ text: " StriP" }, all)).toEqual([0]);
    expect(rows({ text: "layer4 / 2" }, all)).toEqual([5]);
    expect(rows({ text: "nothing like it" }, all)).toEqual([]);
  });
});

describe("picking rows", () => {
  const order = [4, 2, 0, 3, 1];
  const picked = (before: Picked, row: number, range: boolean, add: boolean) => {
    const { rows, anchor } = pick(before, row, order, { range, add });
    return [[...rows].sort(), anchor];
  };
  test("one, one more or less, and all between in the order shown", () => {
    const before = { rows: new Set([2]), anchor: 2 };
    expect(picked(before, 3, false, false)).toEqual([[3], 3]);
    expect(picked(before, 3, false, true)).toEqual([[2, 3], 3]);
    expect(picked(before, 2, false, true)).toEqual([[], 2]);
    expect(picked(before, 3, true, false)).toEqual([[0, 2, 3], 2]);
    expect(picked({ rows: new Set([1]), anchor: 0 }, 4, true, true)).toEqual([[0, 1, 2, 4], 0]);
    // Where the anchor is not shown any more, the range is the row alone.
    expect(picked({ rows: new Set([9]), anchor: 9 }, 3, true, false)).toEqual([[3], 3]);
  });
});
