import { describe, expect, test, vi } from "vitest";
import { cropTransform, stage } from "../../src/neuron/crop";
import { drawHeatmap, overlayPixels } from "../../src/neuron/heatmap";
import { readHeatmap } from "../../src/source/heatmap";
import { outlinePath, relevantBox } from "../../src/neuron/outline";
import { Resources } from "../../src/source/resources";
import { inBrowser, until } from "../fake-model";

const box = (left: number, top: number, right: number, bottom: number) =>
  ({ left, top, right, bottom });

describe("colours", () => {
  test("no relevance is transparent, more relevance is more opaque and lighter", () => {
    const pixels = overlayPixels(Uint8Array.of(0, 60, 128, 255));
    const alphas = [3, 7, 11, 15].map((place) => pixels[place]!);
    expect(alphas[0]).toBe(0);
    expect(alphas).toEqual([...alphas].sort((a, b) => a - b));
    expect(alphas[3]).toBe(255);
    const light = [4, 8, 12].map((place) => pixels[place]! + pixels[place + 1]!);
    expect(light).toEqual([...light].sort((a, b) => a - b));
  });

  test("a reply of the wrong size is refused", () => {
    const shape: [number, number] = [2, 3];
    const reply = { shape, box: null, method: "CRP", arrived: 1, side: 1 };
    expect(readHeatmap(reply, new Uint8Array(6))).toMatchObject({ width: 3, height: 2 });
    expect(() => readHeatmap(reply, new Uint8Array(5))).toThrow("5 values, expected 3 × 2");
  });

  test.runIf(inBrowser)("the canvas shows the relevance row by row", () => {
    const canvas = document.createElement("canvas");
    const values = Uint8Array.of(0, 255, 0, 0, 0, 0);
    drawHeatmap(canvas, { width: 3, height: 2, values, box: box(0, 0, 1, 1), method: "", arrived: null });
    const alpha = (x: number, y: number) =>
      canvas.getContext("2d")!.getImageData(x, y, 1, 1).data[3];
    expect([canvas.width, canvas.height]).toEqual([3, 2]);
    expect([alpha(0, 0), alpha(1, 0), alpha(1, 1)]).toEqual([0, 255, 0]);
  });
});

describe("crops", () => {
  /** Where a point of the picture (fractions) comes to lie in the unit tile. */
  function place(target: ReturnType<typeof box>, aspect: number, x: number, y: number) {
    const { left, top, width, height } = stage(aspect);
    const zoom = cropTransform(target, aspect);
    return [
      left + (zoom.x + x * zoom.scale) * width,
      top + (zoom.y + y * zoom.scale) * height,
    ] as const;
  }

  test("the whole image is not zoomed", () => {
    expect(cropTransform(box(0, 0, 1, 1), 1)).toEqual({ scale: 1, x: 0, y: 0 });
    expect(cropTransform(box(0.3, 0.3, 0.3, 0.3), 1)).toEqual({ scale: 1, x: 0, y: 0 });
  });

  test("a box in the middle fills the tile", () => {
    const target = box(0.25, 0.25, 0.75, 0.75);
    expect(place(target, 1, 0.25, 0.25)).toEqual([0, 0]);
    expect(place(target, 1, 0.75, 0.75)).toEqual([1, 1]);
  });

  test.each([1, 4 / 3, 0.6])("at aspect %d a box in the corner stays inside, none left bare", (a) => {
    const target = box(0.8, 0.7, 1, 1);
    const [[l, t], [r, b]] = [place(target, a, 0.8, 0.7), place(target, a, 1, 1)];
    for (const edge of [l, t, r, b]) {
      expect(edge).toBeGreaterThan(-1e-9);
      expect(edge).toBeLessThan(1 + 1e-9);
    }
    expect(Math.max(r - l, b - t)).toBeCloseTo(1);
    expect(Math.max(...place(target, a, 1, 1))).toBeCloseTo(1);
  });

  test("a tiny box is not blown up beyond sense", () => {
    expect(cropTransform(box(0.5, 0.5, 0.501, 0.501), 1).scale).toBe(6);
  });
});

describe("resources", () => {
  const ready = <V>(store: Resources<number, V>, key: number) =>
    until(() => store.resource(key).value.state === "ready");

  test("what is held at once is asked for in few requests, and once", async () => {
    const fetch = vi.fn(async (keys: number[]) => keys.map(String));
    const store = new Resources(fetch, { batch: 3, capacity: 10 });
    for (const key of [1, 2, 3, 4, 1]) store.hold(key);
    await ready(store, 4);
    expect(fetch.mock.calls.map(([keys]) => keys)).toEqual([[1, 2, 3], [4]]);
  });

  test("keys of different groups do not share a request", async () => {
    const fetch = vi.fn(async (keys: number[]) => keys.map(String));
    const store = new Resources(fetch, { batch: 9, capacity: 10, group: (key: number) => key % 2 });
    for (const key of [1, 2, 3]) store.hold(key);
    await ready(store, 2);
    expect(fetch.mock.calls.map(([keys]) => keys)).toEqual([[1, 3], [2]]);
  });

  test("what is released before it was asked for is not asked for; late, it is aborted", async () => {
    let signal: AbortSignal | undefined;
    const fetch = vi.fn((_: number[], abort: AbortSignal) => {
      signal = abort;
      return new Promise<string[]>(() => {});
    });
    const store = new Resources(fetch, { batch: 3, capacity: 10 });
    store.hold(1);
    store.release(1);
    store.hold(2);
    await until(() => fetch.mock.calls.length === 1);
    expect(fetch.mock.calls[0]![0]).toEqual([2]);
    expect(signal!.aborted).toBe(false);
    store.release(2);
    expect(signal!.aborted).toBe(true);
  });

  test("one failure leaves its neighbours whole; retry asks for it alone", async () => {
    let broken = true;
    const fetch = vi.fn(async (keys: number[]) =>
      keys.map((key) => (key === 2 && broken ? new Error("unreadable") : `v${key}`)));
    const store = new Resources(fetch, { batch: 3, capacity: 10 });
    for (const key of [1, 2, 3]) store.hold(key);
    await ready(store, 3);
    expect(store.resource(2).value).toMatchObject({ state: "error" });
    expect(store.failure.value?.message).toBe("unreadable");
    broken = false;
    store.retry();
    await ready(store, 2);
    expect(fetch.mock.calls.at(-1)![0]).toEqual([2]);
    expect(store.failure.value).toBeNull();
  });

  test("beyond the capacity the oldest not held is freed, and all at the end", async () => {
    const free = vi.fn();
    const store = new Resources(async (keys: number[]) => keys.map(String), {
      batch: 1, capacity: 2, free,
    });
    for (const key of [1, 2]) {
      store.hold(key);
      await ready(store, key);
    }
    store.release(1);
    store.hold(3);
    await ready(store, 3);
    await until(() => free.mock.calls.length === 1);
    expect(free.mock.calls).toEqual([["1"]]);
    store.dispose();
    expect(free.mock.calls.map(([value]) => value).sort()).toEqual(["1", "2", "3"]);
  });

  test("what was let go before it came takes no place from what is there", async () => {
    const fetch = vi.fn(async (keys: number[], signal: AbortSignal) => {
      if (keys[0]! < 100) return keys.map(String);
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      throw new DOMException("left", "AbortError");
    });
    const store = new Resources<number, string>(fetch, { batch: 3, capacity: 6 });
    for (const key of [1, 2, 3]) store.hold(key);
    await ready(store, 3);
    for (const key of [1, 2, 3]) store.release(key);
    for (let skimmed = 100; skimmed < 160; skimmed += 3) {
      for (const key of [0, 1, 2]) store.hold(skimmed + key);
      await until(() => fetch.mock.calls.some(([keys]) => keys.includes(skimmed)));
      for (const key of [0, 1, 2]) store.release(skimmed + key);
    }
    await until(() => fetch.mock.calls.every(([, signal], at) => at === 0 || signal.aborted));
    const before = fetch.mock.calls.length;
    for (const key of [1, 2, 3]) store.hold(key);
    expect([1, 2, 3].map((key) => store.resource(key).value)).toEqual(
      ["1", "2", "3"].map((value) => ({ state: "ready", value })));
    expect(fetch.mock.calls.length).toBe(before);
    store.dispose();
  });
});

test("the box of what reaches a level follows the level", () => {
  const heatmap = { width: 4, height: 2, method: "", box: null, arrived: null,
    values: Uint8Array.of(0, 10, 0, 0, 0, 200, 255, 0) };
  expect(relevantBox(heatmap, 0.01)).toEqual(box(0.25, 0, 0.75, 1));
  expect(relevantBox(heatmap, 0.5)).toEqual(box(0.25, 0.5, 0.75, 1));
  expect(relevantBox(heatmap, 1)).toEqual(box(0.5, 0.5, 0.75, 1));
  expect(relevantBox({ ...heatmap, values: new Uint8Array(8) }, 0.5)).toBeNull();
});

test("an outline closes around what reaches the level, also at the edge", () => {
  const heatmap = (values: number[]) => ({
    width: 3, height: 2, values: Uint8Array.from(values), method: "", arrived: null,
    box: { left: 0, top: 0, right: 1, bottom: 1 },
  });
  const numbers = (path: string) => path.match(/[\d.]+/g)!.map(Number);
  const path = outlinePath(heatmap([0, 255, 0, 0, 255, 0]), 0.5);
  const xs = numbers(path).filter((_, i) => i % 2 === 0);
  expect([Math.min(...xs), Math.max(...xs)]).toEqual([1, 2]);
  expect(path.match(/M/g)!.length).toBe(path.match(/L/g)!.length);
  const ends = new Map<string, number>();
  for (const point of path.match(/[\d.]+ [\d.]+/g)!) ends.set(point, (ends.get(point) ?? 0) + 1);
  expect([...ends.values()].every((count) => count === 2)).toBe(true);
  expect(outlinePath(heatmap([0, 0, 0, 0, 0, 0]), 0.5)).toBe("");
});
