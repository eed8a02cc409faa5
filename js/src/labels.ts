// Names on the map: a label where several neurons with it lie together, and ranks of search hits.
import { project, type Camera, type Size } from "./camera";

export interface Region {
  text: string;
  x: number;
  y: number;
  count: number;
}

export interface PlacedText {
  text: string;
  x: number;
  y: number;
}

const CELLS = 12;
const MOST = 60;

/** Where the neurons of a label are densest, for labels that at least three share there. */
export function regions(x: Float32Array, y: Float32Array, labels: readonly string[]): Region[] {
  const byLabel = new Map<string, number[]>();
  labels.forEach((label, row) => {
    if (!label || !Number.isFinite(x[row]!)) return;
    const rows = byLabel.get(label);
    if (rows) rows.push(row);
    else byLabel.set(label, [row]);
  });
  const found: Region[] = [];
  for (const [text, rows] of byLabel) {
    if (rows.length < 3) continue;
    const cells = new Map<number, number[]>();
    for (const row of rows) {
      const cell =
        Math.floor(((y[row]! + 1) / 2) * CELLS) * CELLS + Math.floor(((x[row]! + 1) / 2) * CELLS);
      const inside = cells.get(cell);
      if (inside) inside.push(row);
      else cells.set(cell, [row]);
    }
    let densest: number[] = [];
    for (const inside of cells.values()) if (inside.length > densest.length) densest = inside;
    if (densest.length < 3) continue;
    const mean = (column: Float32Array) =>
      densest.reduce((sum, row) => sum + column[row]!, 0) / densest.length;
    found.push({ text, x: mean(x), y: mean(y), count: densest.length });
  }
  return found.sort((a, b) => b.count - a.count || (a.text < b.text ? -1 : 1)).slice(0, MOST);
}

/** The regions whose names fit into the view without touching, the largest first. */
export function placeRegions(
  candidates: readonly Region[],
  camera: Camera,
  size: Size,
  widthOf: (text: string) => number,
): PlacedText[] {
  const placed: (PlacedText & { half: number })[] = [];
  const most = Math.max(3, Math.floor((size.width * size.height) / 26_000));
  for (const { text, x, y } of candidates) {
    if (placed.length >= most) break;
    const [px, py] = project(camera, size, x, y);
    const half = widthOf(text) / 2 + 6;
    if (px - half < 0 || px + half > size.width || py < 14 || py > size.height - 14) continue;
    const free = placed.every(
      (other) => Math.abs(other.x - px) > other.half + half || Math.abs(other.y - py) > 20,
    );
    if (free) placed.push({ text, x: px, y: py, half });
  }
  return placed;
}
