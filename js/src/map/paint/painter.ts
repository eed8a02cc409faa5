// The one thing the map asks of a renderer, and the choice between WebGL and Canvas2D.
import type { Camera, Size } from "../camera";
import { CanvasPainter } from "./canvas";
import { GlPainter } from "./gl";
import type { Rgb } from "../../shared/theme";

export interface Frame {
  /** Columns in [-1, 1]; a NaN is a neuron without a place. */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Per point: index into the palette, and into sizes and opacities. */
  readonly color: Uint16Array;
  readonly level: Uint8Array;
  /** Rows in drawing order: later ones lie on top. */
  readonly order: Uint32Array;
  readonly palette: readonly Rgb[];
  /** Diameters in CSS pixels. */
  readonly sizes: readonly number[];
  readonly opacities: readonly number[];
  readonly camera: Camera;
  readonly size: Size;
}

export interface Painter {
  readonly kind: "webgl" | "canvas2d";
  /** Paint; arrays that are the same objects as in the last frame are taken as unchanged. */
  paint(frame: Frame): void;
  destroy(): void;
}

/** More points than this are too slow without WebGL. */
export const CANVAS_LIMIT = 10_000;

/**
 * A painter for the canvas, or null where nothing can paint that many points.
 * `onLost` is called when the painter cannot go on; make a new one on a new canvas then.
 */
export function createPainter(
  canvas: HTMLCanvasElement,
  count: number,
  onLost: () => void,
): Painter | null {
  try {
    return new GlPainter(canvas, onLost);
  } catch {
    return count <= CANVAS_LIMIT ? new CanvasPainter(canvas) : null;
  }
}
