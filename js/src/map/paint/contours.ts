// Lines of equal density: points counted on a grid, smoothed, and traced by marching squares.
import { unit, type Camera, type Size } from "../camera";

const CELLS = 192;
const PAD = 12;
const SIDE = CELLS + 2 * PAD;

/** A square of the map. */
export interface Square {
  x: number;
  y: number;
  half: number;
}
export const WHOLE: Square = { x: 0, y: 0, half: 1 };

/** The square that is looked at, and some more to each side; the whole map where this is smaller. */
export function lookedAt(camera: Camera, size: Size): Square {
  const half = (1.2 * Math.max(size.width, size.height)) / 2 / unit(camera, size);
  return half < 1 ? { x: camera.x, y: camera.y, half } : WHOLE;
}

export interface Contour {
  /** Pairs of points [x0, y0, x1, y1, ...] in data coordinates. */
  segments: Float32Array;
  /** From the outermost (0) to the innermost (1). */
  height: number;
}

/** Where this share of the points lies inside, from the outermost line to the innermost. */
const SHARES = [0.95, 0.8, 0.6, 0.4, 0.2];

/** `shown` leaves rows out; the points within a square alone show it in detail. */
export function contours(
  x: Float32Array,
  y: Float32Array,
  shown: Uint8Array | null,
  square: Square,
): Contour[] {
  const step = (2 * square.half) / CELLS;
  const [left, bottom] = [square.x - square.half, square.y - square.half];
  const density = new Float32Array(SIDE * SIDE);
  let total = 0;
  for (let row = 0; row < x.length; row++) {
    if (shown && !shown[row]) continue;
    const column = Math.floor((x[row]! - left) / step) + PAD;
    const line = Math.floor((y[row]! - bottom) / step) + PAD;
    if (column >= 0 && column < SIDE && line >= 0 && line < SIDE) {
      density[line * SIDE + column]!++;
      total++;
    }
  }
  if (total < 3) return [];
  // Few points need a wider view to make a shape.
  const radius = Math.max(2, Math.min(7, Math.round(22 / total ** 0.17)));
  for (let pass = 0; pass < 3; pass++) blur(density, radius);
  return levels(density).map((level, i) => ({
    segments: trace(density, level).map((cell, k) => (k % 2 ? bottom : left) + cell * step),
    height: i / (SHARES.length - 1),
  }));
}

/** The densities above which the shares of the mass lie. */
function levels(density: Float32Array): number[] {
  const sorted = density.filter((value) => value > 0).sort().reverse();
  let total = 0;
  for (const value of sorted) total += value;
  let mass = 0;
  let at = 0;
  return [...SHARES]
    .reverse()
    .map((share) => {
      while (at < sorted.length - 1 && mass < share * total) mass += sorted[at++]!;
      return sorted[at]!;
    })
    .reverse();
}

/** Mean over a square, in place: three passes come close to a Gaussian. */
function blur(density: Float32Array, radius: number): void {
  const line = new Float32Array(SIDE);
  const pass = (start: number, step: number) => {
    let sum = 0;
    for (let i = -radius; i < SIDE; i++) {
      const enters = i + radius;
      const leaves = i - radius - 1;
      if (enters < SIDE) sum += density[start + enters * step]!;
      if (leaves >= 0) sum -= line[leaves]!;
      if (i < 0) continue;
      line[i] = density[start + i * step]!;
      density[start + i * step] = Math.max(0, sum) / (2 * radius + 1);
    }
  };
  for (let i = 0; i < SIDE; i++) pass(i * SIDE, 1);
  for (let i = 0; i < SIDE; i++) pass(i, SIDE);
}

// The edges (bottom, right, top, left) that a line crosses, by which corners lie above.
const CROSSINGS = [[], [3, 0], [0, 1], [3, 1], [1, 2], [3, 2, 0, 1], [0, 2], [3, 2], [2, 3], [2, 0],
  [0, 3, 1, 2], [2, 1], [1, 3], [1, 0], [0, 3], []];

/** Pairs of points, in cells from the lower left. */
function trace(density: Float32Array, level: number): Float32Array {
  const found: number[] = [];
  const place = (cell: number) => cell - PAD + 0.5;
  for (let j = 0; j < SIDE - 1; j++) {
    for (let i = 0; i < SIDE - 1; i++) {
      const at = j * SIDE + i;
      const [a, b] = [density[at]!, density[at + 1]!];
      const [d, c] = [density[at + SIDE]!, density[at + SIDE + 1]!];
      const which = (a > level ? 1 : 0) | (b > level ? 2 : 0) | (c > level ? 4 : 0) |
        (d > level ? 8 : 0);
      for (const edge of CROSSINGS[which]!) {
        const share = (from: number, to: number) => (level - from) / (to - from);
        if (edge === 0) found.push(place(i + share(a, b)), place(j));
        else if (edge === 1) found.push(place(i + 1), place(j + share(b, c)));
        else if (edge === 2) found.push(place(i + share(d, c)), place(j + 1));
        else found.push(place(i), place(j + share(a, d)));
      }
    }
  }
  return Float32Array.from(found);
}
