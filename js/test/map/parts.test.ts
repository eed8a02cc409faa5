import { describe, expect, test } from "vitest";
import { fitRows, HOME, pan, project, unproject, zoomAt } from "../../src/map/camera";
import { encode, palette } from "../../src/shared/colors";
import type { Legend } from "../../src/source/messages";
import type { Column } from "../../src/source/columns";
import { contours, lookedAt, WHOLE } from "../../src/map/paint/contours";
import { passing, toggled } from "../../src/map/filter";
import { regions } from "../../src/map/regions";
import { codeLabels } from "../labels";
import {
  binned, emphasise, emphasisOf, mixedOrder, readHits, sizeTable,
} from "../../src/map/emphasis";
import { GridIndex, rowsInPolygon } from "../../src/map/spatial";
import { rowsOfBits, toBits } from "../../src/source/bits";

describe("camera", () => {
  const size = { width: 400, height: 200 };
  test("projecting and back is the identity", () => {
    const camera = { x: 0.3, y: -0.2, zoom: 3 };
    const [x, y] = unproject(camera, size, ...project(camera, size, 0.7, 0.1));
    expect([x, y]).toEqual([expect.closeTo(0.7), expect.closeTo(0.1)]);
  });
  test("what lies under the pointer stays there while zooming", () => {
    const before = unproject(HOME, size, 130, 40);
    expect(unproject(zoomAt(HOME, size, 2.5, 130, 40), size, 130, 40)).toEqual([
      expect.closeTo(before[0]), expect.closeTo(before[1]),
    ]);
  });
  test("panning moves what is seen with the pointer", () => {
    const [x, y] = project(pan(HOME, size, 30, -10), size, 0, 0);
    expect([x, y]).toEqual([expect.closeTo(230), expect.closeTo(90)]);
  });
  test("fitting shows every row, and home where there is none", () => {
    const [xs, ys] = [Float32Array.of(-0.9, 0.5, Number.NaN), Float32Array.of(0, 0.6, 0)];
    const camera = fitRows(xs, ys, size, null);
    for (const row of [0, 1]) {
      const [px, py] = project(camera, size, xs[row]!, ys[row]!);
      expect(px > 0 && px < 400 && py > 0 && py < 200).toBe(true);
    }
    expect(fitRows(xs, ys, size, [2])).toEqual(HOME);
  });
});

describe("finding points", () => {
  const x = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i * 12.9898) );
  const y = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i * 78.233));
  test("the grid finds what trying all finds", () => {
    const grid = new GridIndex(x, y);
    for (let q = 0; q < 50; q++) {
      const [qx, qy] = [Math.cos(q), Math.cos(q * 1.7)];
      let best = -1;
      let least = 0.15;
      for (let i = 0; i < x.length; i++) {
        const distance = Math.hypot(x[i]! - qx, y[i]! - qy);
        if (distance < least) [best, least] = [i, distance];
      }
      expect(grid.nearest(qx, qy, 0.15)).toBe(best);
    }
    expect(grid.nearest(0, 0, 2, () => false)).toBe(-1);
  });
  test("the grid counts what lies in a box", () => {
    const grid = new GridIndex(x, y);
    const shown = Uint8Array.from({ length: 3000 }, (_, i) => i % 3 && 1);
    for (const [cx, cy, dx, dy] of [[0, 0, 0.2, 0.1], [-0.9, 0.9, 0.3, 0.3], [0.4, -0.2, 2, 0.05]] as const) {
      const inside = (i: number) => Math.abs(x[i]! - cx) <= dx && Math.abs(y[i]! - cy) <= dy;
      const rows = [...x.keys()].filter(inside);
      expect(grid.count(cx, cy, dx, dy, Infinity, null)).toBe(rows.length);
      expect(grid.count(cx, cy, dx, dy, Infinity, shown)).toBe(rows.filter((i) => shown[i]).length);
      expect(grid.count(cx, cy, dx, dy, 5, null)).toBe(5);
    }
  });
  test("a concave lasso leaves its notch out", () => {
    const notch = [-1, -1, 1, -1, 1, 1, 0, 0, -1, 1];
    const rows = rowsInPolygon(Float32Array.of(0, 0, 0.9), Float32Array.of(0.5, -0.5, 0.5), notch);
    expect([...rows]).toEqual([1, 2]);
    expect(rowsInPolygon(x, y, [0, 0, 1, 1])).toHaveLength(0);
  });
});

describe("colours and emphasis", () => {
  const rows = Uint32Array.of(0, 1, 2);
  const number: Legend = { name: "c", title: "C", kind: "number", min: 2, max: 4, missing: 1 };
  test("numbers run along the ramp and missing ones take the last colour", () => {
    const codes = encode(Float32Array.of(2, 3, 4, Number.NaN), number, 4);
    const colors = palette(number, false);
    expect([...codes]).toEqual([0, 32, 63, colors.length - 1]);
    expect([...encode(Float32Array.of(2, 2), { ...number, max: 2 }, 2)]).toEqual([32, 32]);
  });
  test("more categories than colours each have their own", () => {
    const names = Array.from({ length: 24 }, (_, i) => `block${i}`);
    const legend: Legend = { name: "layer", title: "Layer", kind: "category", names, missing: 0 };
    expect(new Set(palette(legend, true).map(String)).size).toBe(25);
  });
  test("hundreds of categories keep their own codes, and what is missing its own", () => {
    const names = Array.from({ length: 700 }, (_, i) => `block${i}`);
    const legend: Legend = { name: "layer", title: "Layer", kind: "category", names, missing: 1 };
    const codes = encode(Float32Array.of(0, 256, 699, Number.NaN), legend, 4);
    expect([...codes]).toEqual([0, 256, 699, palette(legend, false).length - 1]);
  });
  const plain = { hits: readHits(new Float32Array(0), 3), selection: [], shown: null, sizes: null,
    opacities: null };
  const look = (change: object) => {
    const { level, order, dims } = emphasise(rows, { ...plain, ...change });
    return { level: [...level].map(emphasisOf), order: [...order], dims };
  };
  test("hits rank by score, ties by row, and travel as rows and scores", () => {
    const hits = readHits(Float32Array.of(0.25, Number.NaN, 0.75, 0.25), 4);
    expect([...hits.ranked]).toEqual([2, 0, 3]);
    const pairs = new Float32Array(6);
    new Uint32Array(pairs.buffer, 0, 3).set([0, 2, 3]);
    pairs.set([0.25, 0.75, 0.25], 3);
    expect(readHits(pairs, 4000)).toEqual(hits);
  });
  test("hits grow with their score, others are dimmed and drawn first", () => {
    const hits = readHits(Float32Array.of(0.2, Number.NaN, 0.9), 3);
    expect(look({ hits })).toEqual({ level: [3, 1, 6], order: [1, 0, 2], dims: true });
  });
  test("a selection dims the others; nothing chosen dims nothing", () => {
    expect(look({ selection: [1] }).level).toEqual([1, 2, 1]);
    expect(look({})).toEqual({ level: [2, 2, 2], order: [0, 1, 2], dims: false });
  });
  test("what is filtered out is gone, whatever else it is", () => {
    expect(look({ selection: [1], shown: Uint8Array.of(1, 0, 1) }).level).toEqual([1, 0, 1]);
  });
  test("size and opacity ride on the emphasis, the largest lie lowest", () => {
    const sizes = binned(Float32Array.of(0, 5, 10, Number.NaN), 0, 10);
    expect([...sizes!]).toEqual([0, 3, 5, 0]);
    const { level, order } = emphasise(rows, { ...plain, sizes, opacities: Uint8Array.of(5, 0, 5) });
    expect([...level].map(emphasisOf)).toEqual([2, 2, 2]);
    expect([...order]).toEqual([2, 1, 0]);
    const table = sizeTable(true);
    const diameters = [...level].map((code) => table[code]!);
    expect(diameters).toEqual([...diameters].sort((a, b) => a - b));
  });
  test("the order of drawing is mixed, complete and always the same", () => {
    const order = mixedOrder(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(order).toEqual(mixedOrder(1000));
    const early = [...order.slice(0, 500)].filter((row) => row < 500).length;
    expect(Math.abs(early - 250)).toBeLessThan(60);
  });
});

describe("filter", () => {
  const layer: Column = {
    legend: { name: "layer", title: "", kind: "category", names: ["a", "b"], missing: 1 },
    values: Uint16Array.of(0, 1, 0xffff, 1),
  };
  const size: Column = {
    legend: { name: "size", title: "", kind: "number", min: 0, max: 1, missing: 1 },
    values: Float32Array.of(0.1, 0.2, 0.3, Number.NaN),
  };
  const read = (name: string) => ({ layer, size })[name] ?? null;
  const shown = (filter: Parameters<typeof passing>[0]) => {
    const passed = passing(filter, read, 4);
    return passed && [...passed];
  };
  test("names and ranges hold together; missing has a name of its own", () => {
    expect(shown({ layer: ["b"] })).toEqual([0, 1, 0, 1]);
    expect(shown({ layer: ["a", ""] })).toEqual([1, 0, 1, 0]);
    expect(shown({ layer: ["a", "b"], size: [0.1, 0.2] })).toEqual([1, 1, 0, 0]);
    expect(shown({})).toBeNull();
    expect(shown({ unknown: ["a"] })).toBeNull();
  });
  test("clicking the last shown one shows all", () => {
    expect(toggled({ size: [0, 1] }, "layer", "a")).toEqual({ size: [0, 1], layer: ["a"] });
    expect(toggled({ size: [0, 1], layer: ["a"] }, "layer", "a")).toEqual({ size: [0, 1] });
  });
});

describe("rows as bits", () => {
  test("adding, taking out, and back", () => {
    const rows = (bits: ArrayBuffer) => [...rowsOfBits(new Uint8Array(bits), 20)];
    expect(rows(toBits(20, [], [3, 19, 8], true))).toEqual([3, 8, 19]);
    expect(rows(toBits(20, [3, 8], [8, 9], false))).toEqual([3]);
    expect(toBits(20, [3], [3], false).byteLength).toBe(0);
  });
});

describe("contours", () => {
  const cloud = (n: number) => Float32Array.from({ length: n }, (_, i) => {
    const wave = Math.sin(i * 12.9898) * 43758.5453;
    return (wave - Math.floor(wave) - 0.5) * 0.4;
  });
  test("run around where points are, the inner ones shorter", () => {
    const x = cloud(4000);
    const y = cloud(8000).slice(4000);
    const lines = contours(x, y, null, WHOLE);
    const extent = lines.map(({ segments }) => Math.max(...segments.map(Math.abs)));
    expect(extent[0]).toBeLessThan(0.35);
    expect(extent[0]).toBeGreaterThan(0.15);
    expect(extent.at(-1)!).toBeLessThan(extent[0]!);
  });
  test("what is one hill from afar is two where one looks closer", () => {
    const near = cloud(4000).map((value, i) => 0.02 * value + (i % 2 ? 0.012 : -0.012));
    const y = cloud(8000).slice(4000).map((value) => 0.02 * value);
    const lines = (square: typeof WHOLE) => contours(near, y, null, square)[2]!.segments;
    // The line around one hill passes over the middle.
    const over = (segments: Float32Array) =>
      segments.some((value, i) => i % 4 === 0 && value * segments[i + 2]! < 0);
    expect(over(lines(WHOLE))).toBe(true);
    const closer = lookedAt({ x: 0, y: 0, zoom: 30 }, { width: 400, height: 400 });
    expect(closer.half).toBeCloseTo(0.04);
    expect(over(lines(closer))).toBe(false);
    const reach = Math.max(...lines(closer).map(Math.abs));
    expect(reach).toBeGreaterThan(0.012);
    expect(reach).toBeLessThan(0.02);
    expect(lookedAt({ x: 0.3, y: 0, zoom: 1 }, { width: 400, height: 400 })).toBe(WHOLE);
  });
  test("too few points have none, however many are filtered out", () => {
    const x = cloud(1_000_000);
    expect(contours(x, x, null, WHOLE)).not.toEqual([]);
    expect(contours(x, x, new Uint8Array(1_000_000), WHOLE)).toEqual([]);
  });
});

describe("names on the map", () => {
  const at = (text: string, x: number, y: number, n: number) =>
    Array.from({ length: n }, (_, i) => ({ text, x: x + i / 1000, y }));
  const place = (rows: { text: string; x: number; y: number }[]) =>
    regions(Float32Array.from(rows, (row) => row.x), Float32Array.from(rows, (row) => row.y),
      codeLabels(rows.map((row) => row.text)));
  test("stand where several neurons of a label lie together", () => {
    const found = place([...at("ox", 0.5, 0.5, 9), ...at("ox", -0.5, -0.5, 8), ...at("ox", 0, 0.9, 1),
      ...at("cow", 0.5, 0.52, 3), ...at("", 0, 0, 50)]);
    expect(found.map(({ text }) => text)).toEqual(["ox", "ox", "cow"]);
    expect(Math.min(...found.map(({ x }) => x))).toBeCloseTo(-0.4965);
  });
  test("a label that few of a place's neurons have does not name it", () => {
    const found = place([...at("ox", 0, 0, 40), ...at("cow", 0, 0, 3)]);
    expect(found.map(({ text }) => text)).toEqual(["ox"]);
  });
  test("what is filtered out names nothing", () => {
    const [x, y] = [Float32Array.of(0, 0, 0, 0.5, 0.5, 0.5), new Float32Array(6)];
    const labels = codeLabels(["ox", "ox", "ox", "cow", "cow", "cow"]);
    const found = regions(x, y, labels, Uint8Array.of(1, 1, 1, 0, 0, 1));
    expect(found.map(({ text }) => text)).toEqual(["ox"]);
  });
});
