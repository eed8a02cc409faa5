import { describe, expect, test } from "vitest";
import { pointSize, project } from "../../../src/map/camera";
import { regions } from "../../../src/map/regions";
import { codeLabels } from "../../labels";
import { placeBeside, placeRegions, touch, type Box, type PlacedRegion } from "../../../src/map/paint/placing";
import { GridIndex } from "../../../src/map/spatial";

interface Point {
  text: string;
  x: number;
  y: number;
}
const size = { width: 400, height: 400 };

function place(rows: Point[], half = 15): PlacedRegion[] {
  const [x, y] = [Float32Array.from(rows, (row) => row.x), Float32Array.from(rows, (row) => row.y)];
  const found = regions(x, y, codeLabels(rows.map((row) => row.text)));
  const grid = new GridIndex(x, y);
  return placeRegions(found, size, () => 2 * half, { grid, count: rows.length, shown: null, home: 1 });
}

/** Points within a disc, evenly. */
const disc = (text: string, x: number, y: number, radius: number, count: number): Point[] =>
  Array.from({ length: count }, (_, i) => {
    const [away, turn] = [radius * Math.sqrt((i + 0.5) / count), i * 2.399963];
    return { text, x: x + away * Math.cos(turn), y: y + away * Math.sin(turn) };
  });

/** The name as it lies on the screen when all of the map is zoomed so much. */
function box(region: PlacedRegion, zoom: number): Box {
  const [px, py] = project({ x: 0, y: 0, zoom }, size, region.x, region.y);
  return { x: px + region.dx, y: py + region.dy, halfX: region.half, halfY: 8 };
}

/** How far the edge of the nearest point is from a box, in pixels; negative: it is on it. */
function room({ x, y, halfX, halfY }: Box, rows: Point[], zoom: number): number {
  const radius = pointSize(rows.length, { x: 0, y: 0, zoom }, size) / 2;
  return Math.min(...rows.map((row) => {
    const [px, py] = project({ x: 0, y: 0, zoom }, size, row.x, row.y);
    return Math.hypot(Math.max(0, Math.abs(px - x) - halfX), Math.max(0, Math.abs(py - y) - halfY)) - radius;
  }));
}

describe("names of regions", () => {
  const at = (text: string, x: number, y: number, n: number) =>
    Array.from({ length: n }, (_, i) => ({ text, x: x + i / 1000, y }));

  test("the lesser of two that touch waits for a closer look, and stays from then on", () => {
    const placed = place([...at("ox", 0, 0, 9), ...at("cow", 0.1, 0, 5), ...at("far", 0.9, 0.9, 3)]);
    const zoom = Object.fromEntries(placed.map((region) => [region.text, region.zoom]));
    expect(zoom.ox).toBeLessThanOrEqual(1);
    expect(zoom.far).toBeLessThanOrEqual(1);
    expect(zoom.cow).toBeGreaterThan(1);
    expect(zoom.cow).toBeLessThan(3);
  });

  test("names that are shown never touch, however near one looks", () => {
    const words = ["ox", "cow", "horse", "pig", "hen", "duck", "goat", "sheep", "cat", "dog"];
    const rows = words.flatMap((text, i) => disc(text, 0.35 * Math.sin(i * 5), 0.35 * Math.cos(i * 3), 0.08, 30));
    const placed = place(rows);
    expect(placed.length).toBeGreaterThan(5);
    for (let zoom = 1; zoom < 60; zoom *= 1.1) {
      const boxes = placed.filter((region) => region.zoom <= zoom).map((region) => box(region, zoom));
      boxes.forEach((one, i) => boxes.slice(i + 1).forEach((other) => expect(touch(one, other)).toBe(false)));
    }
  });

  test("a name stands beside its points, and beside them while one zooms in", () => {
    const rows = disc("ox", 0.1, -0.2, 0.08, 200);
    const [name] = place(rows);
    for (const zoom of [1, 1.5, 2, 4]) {
      const beside = room(box(name!, zoom), rows, zoom);
      expect(beside).toBeGreaterThanOrEqual(-1); // points grow a little while they part
      expect(beside).toBeLessThan(16 + 8 * zoom);
    }
  });

  test("a name stays in the middle of points that leave no room near by", () => {
    const rows = disc("ox", 0, 0, 0.9, 5000);
    const { x, y, dx, dy } = place(rows)[0]!;
    expect(Math.hypot(x, y, dx, dy)).toBeLessThan(0.05);
  });

  test("a name does not go over to another region", () => {
    const rows = [...disc("ox", 0, 0, 0.1, 400), ...disc("cow", 0, 0.3, 0.05, 100)];
    const ox = box(place(rows).find(({ text }) => text === "ox")!, 1);
    const [, own] = project({ x: 0, y: 0, zoom: 1 }, size, 0, 0);
    const [, other] = project({ x: 0, y: 0, zoom: 1 }, size, 0, 0.3);
    expect(Math.abs(ox.y - own)).toBeLessThan(Math.abs(ox.y - other));
  });
});

describe("texts beside points", () => {
  const crowd = (count: number, apart: number) =>
    Array.from({ length: count }, (_, i) => ({
      text: `${i + 1} watermark`, x: 200 + apart * Math.sin(i * 2), y: 200 + apart * Math.cos(i * 2),
      reach: 9, half: 38,
    }));

  test("never lie on each other or on a line, the best of a crowd first", () => {
    for (const apart of [0, 4, 12, 40, 90]) {
      const texts = crowd(5, apart);
      const placed = placeBeside(texts, texts, size);
      expect(placed[0]!.text).toBe("1 watermark");
      expect(placed.length).toBeGreaterThanOrEqual(4);
      placed.forEach((one, i) => placed.slice(i + 1).forEach((other) => {
        expect(touch(one, other)).toBe(false);
        for (const [text, { line }] of [[one, other], [other, one]] as const) {
          if (!line) continue;
          for (let at = 0; at <= 1; at += 0.1) {
            const x = line[0] + at * (line[2] - line[0]);
            const y = line[1] + at * (line[3] - line[1]);
            expect(Math.abs(x - text.x) < text.halfX && Math.abs(y - text.y) < text.halfY).toBe(false);
          }
        }
      }));
    }
  });

  test("do not cover the points where there is room elsewhere", () => {
    const texts = [{ text: "1 ox", x: 200, y: 200, reach: 8, half: 20 }];
    const above = { x: 200, y: 184, reach: 8 };
    const [beside] = placeBeside(texts, [...texts, above], size);
    expect(beside!.x).toBeGreaterThan(220);
    expect(beside!.line).toBeNull();
  });

  test("stay on the map, and what finds no room is left out", () => {
    const corner = [{ text: "1 watermark", x: 395, y: 4, reach: 8, half: 38 }];
    const [beside] = placeBeside(corner, corner, size);
    expect(beside!.x + beside!.halfX).toBeLessThanOrEqual(400);
    expect(beside!.y - beside!.halfY).toBeGreaterThanOrEqual(0);
    expect(placeBeside(crowd(5, 0), [], { width: 60, height: 400 })).toEqual([]);
  });
});
