// Where a picture and its crop lie in a square tile.
import type { Box } from "../source/heatmap";

/** Where a picture of this aspect ratio lies in a unit square that contains it. */
export function stage(aspect: number): { left: number; top: number; width: number; height: number } {
  const width = aspect >= 1 ? 1 : aspect;
  const height = aspect >= 1 ? 1 / aspect : 1;
  return { left: (1 - width) / 2, top: (1 - height) / 2, width, height };
}

const MAX_ZOOM = 6;

/** Along one axis: the shift that centres the box, without baring the tile beyond the picture. */
function shift(start: number, extent: number, middle: number, scale: number): number {
  const [low, high] = [1 - start - extent * scale, 0 - start];
  if (low > high) return (low + high) / 2;
  return Math.min(high, Math.max(low, 0.5 - start - middle * extent * scale));
}

/**
 * Scale, and shifts as fractions of the picture's own size, that zoom a unit tile into the box.
 * Both axes scale alike, so that the picture keeps its shape.
 */
export function cropTransform(box: Box, aspect: number): { scale: number; x: number; y: number } {
  const { left, top, width, height } = stage(aspect);
  const extent = Math.max((box.right - box.left) * width, (box.bottom - box.top) * height);
  if (!(extent > 0)) return { scale: 1, x: 0, y: 0 };
  const scale = Math.min(Math.max(1 / extent, 1), MAX_ZOOM);
  return {
    scale,
    x: shift(left, width, (box.left + box.right) / 2, scale) / width,
    y: shift(top, height, (box.top + box.bottom) / 2, scale) / height,
  };
}
