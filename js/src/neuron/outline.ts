// Where the relevance reaches a level: a line around it by marching squares, and its box.
import type { Box, Heatmap } from "../source/heatmap";

// The edges (top, right, bottom, left) that the line crosses, by which corners lie above.
const CROSSINGS = [[], [3, 0], [0, 1], [3, 1], [1, 2], [3, 2, 0, 1], [0, 2], [3, 2], [2, 3], [2, 0],
  [0, 3, 1, 2], [2, 1], [1, 3], [1, 0], [0, 3], []] as const;

/** The mean over a neighbourhood, twice, and the maximum 255 again. */
function smooth({ width, height, values }: Heatmap): Float32Array {
  const radius = Math.round(Math.max(width, height) / 40);
  let from = Float32Array.from(values);
  const mean = (count: number, lines: number, step: number, across: number) => {
    const to = new Float32Array(from.length);
    for (let line = 0; line < lines; line++) {
      let sum = 0;
      for (let i = -radius; i < count; i++) {
        if (i + radius < count) sum += from[line * across + (i + radius) * step]!;
        if (i - radius - 1 >= 0) sum -= from[line * across + (i - radius - 1) * step]!;
        if (i >= 0) to[line * across + i * step] = sum;
      }
    }
    from = to;
  };
  for (let pass = 0; radius > 0 && pass < 2; pass++) {
    mean(width, height, 1, width);
    mean(height, width, width, 1);
  }
  let top = 0;
  for (const value of from) top = Math.max(top, value);
  return top > 0 ? from.map((value) => (value / top) * 255) : from;
}

/**
 * An SVG path in the heatmap's own pixels. Relevance is grainy: it is smoothed first. Outside the
 * image it is 0.
 */
export function outlinePath(heatmap: Heatmap, level: number): string {
  const { width, height } = heatmap;
  const values = smooth(heatmap);
  const bar = Math.max(level * 255, 0.5);
  const at = (x: number, y: number) =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : values[y * width + x]!;
  const clamp = (value: number, most: number) => +Math.min(most, Math.max(0, value)).toFixed(2);
  const share = (from: number, to: number) => (bar - from) / (to - from);
  let path = "";
  for (let y = -1; y < height; y++) {
    for (let x = -1; x < width; x++) {
      const [a, b, c, d] = [at(x, y), at(x + 1, y), at(x + 1, y + 1), at(x, y + 1)];
      const which = (a >= bar ? 1 : 0) | (b >= bar ? 2 : 0) | (c >= bar ? 4 : 0) | (d >= bar ? 8 : 0);
      CROSSINGS[which]!.forEach((edge, index) => {
        let [px, py] = [x + 0.5, y + 0.5];
        if (edge === 0) px += share(a, b);
        else if (edge === 1) [px, py] = [px + 1, py + share(b, c)];
        else if (edge === 2) [px, py] = [px + share(d, c), py + 1];
        else py += share(a, d);
        path += `${index % 2 === 0 ? "M" : "L"}${clamp(px, width)} ${clamp(py, height)}`;
      });
    }
  }
  return path;
}

/** The box around what reaches the level, as fractions of the image; null where nothing does. */
export function relevantBox(heatmap: Heatmap, level: number): Box | null {
  const { width, height } = heatmap;
  const values = smooth(heatmap);
  const bar = Math.max(level * 255, 0.5);
  let [left, top, right, bottom] = [width, height, 0, 0];
  values.forEach((value, index) => {
    if (value < bar) return;
    const [x, y] = [index % width, Math.floor(index / width)];
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
  });
  if (right === 0) return null;
  return { left: left / width, top: top / height, right: right / width, bottom: bottom / height };
}
