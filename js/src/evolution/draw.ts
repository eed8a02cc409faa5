// The neurons of a moment on a canvas.
import { css } from "../shared/colors";
import type { Rgb } from "../shared/theme";
import { toPixels, type Frame, type Moment, type Size } from "./places";

interface Drawing extends Size {
  moment: Moment;
  frame: Frame;
  /** Index into the palette of each neuron; null while the colours are on their way. */
  codes: Uint16Array | null;
  palette: readonly Rgb[];
  text: Rgb;
  selection: ArrayLike<number>;
}

/** The more neurons, the smaller. */
export const radiusOf = (neurons: number): number =>
  Math.min(5.5, Math.max(2, 90 / Math.sqrt(Math.max(1, neurons))));

export function draw(canvas: HTMLCanvasElement, drawing: Drawing): void {
  const context = canvas.getContext("2d");
  if (!context) return;
  const { width, height, moment, frame, codes, palette, text, selection } = drawing;
  const density = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * density), Math.round(height * density)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  context.setTransform(density, 0, 0, density, 0, 0);
  context.clearRect(0, 0, width, height);
  const { x, y, seen } = moment;
  const radius = radiusOf(x.length);
  const colors = palette.map((color) => css(color));
  const waiting = css(text, 0.35);
  const disc = (at: number, size: number) => {
    const [px, py] = toPixels(frame, x[at]!, y[at]!);
    context.beginPath();
    context.arc(px, py, size, 0, 2 * Math.PI);
  };
  for (let at = 0; at < x.length; at++) {
    if (seen[at] === 0) continue;
    context.globalAlpha = 0.85 * seen[at]!;
    context.fillStyle = codes ? colors[codes[at]!]! : waiting;
    disc(at, radius);
    context.fill();
  }
  context.strokeStyle = css(text);
  context.lineWidth = 1.5;
  for (let i = 0; i < selection.length; i++) {
    const at = selection[i]!;
    if (!seen[at]) continue;
    context.globalAlpha = seen[at]!;
    disc(at, radius + 2);
    context.stroke();
  }
  context.globalAlpha = 1;
}
