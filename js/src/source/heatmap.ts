// A heatmap as the kernel sends it.
import type { HeatmapSaid } from "./messages";

/** Fractions of the image, from its top left corner. */
export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export interface Heatmap {
  width: number;
  height: number;
  /** Positive relevance over its maximum, row by row. */
  values: Uint8Array;
  /** The region that crop embedding embeds; null where its place in the image is not known. */
  box: Box | null;
  method: string;
  /** Share of the relevance that arrived at the input; null where it is not propagated. */
  arrived: number | null;
}

export function readHeatmap(reply: HeatmapSaid, values: Uint8Array): Heatmap {
  const [height, width] = reply.shape;
  if (values.length !== width * height) {
    throw new Error(`The heatmap has ${values.length} values, expected ${width} × ${height}.`);
  }
  const { method, arrived } = reply;
  const [left, top, right, bottom] = reply.box ?? [0, 0, 0, 0];
  const box = reply.box && { left, top, right, bottom };
  return { width, height, values, box, method, arrived };
}
