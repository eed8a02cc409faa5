// Points without WebGL. Slower, and the same to look at.
import { project } from "../camera";
import { css } from "../../shared/colors";
import type { Frame, Painter } from "./painter";

export class CanvasPainter implements Painter {
  readonly kind = "canvas2d";

  /** `ratio` is how many pixels of the canvas are one of the page; by default the screen's. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly ratio?: number,
  ) {}

  paint(frame: Frame): void {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const { x, y, color, level, order, palette, sizes, opacities, camera, size } = frame;
    const ratio = this.ratio ?? (window.devicePixelRatio || 1);
    const styles = new Map<number, string>();
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, size.width, size.height);
    let style = -1;
    for (let i = 0; i < x.length; i++) {
      const row = order[i]!;
      const [px, py] = project(camera, size, x[row]!, y[row]!);
      const radius = sizes[level[row]!]! / 2;
      if (!(px > -radius && px < size.width + radius && py > -radius && py < size.height + radius)) {
        continue;
      }
      const next = color[row]! * 256 + level[row]!;
      if (next !== style) {
        style = next;
        const known = styles.get(style) ?? css(palette[color[row]!] ?? palette[0]!, opacities[level[row]!]);
        styles.set(style, known);
        context.fillStyle = known;
      }
      context.beginPath();
      context.arc(px, py, radius, 0, 2 * Math.PI);
      context.fill();
    }
  }

  destroy(): void {}
}
