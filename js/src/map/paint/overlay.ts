// What lies over the points: contours, names, ranks, rings and the lasso. One 2D canvas.
import { effect } from "@preact/signals";
import { project } from "../camera";
import { css } from "../../shared/colors";
import { contours, lookedAt, WHOLE, type Contour } from "./contours";
import { Names } from "./names";
import type { MapState } from "../state";
import type { Cleanup } from "../../source/model";
import { once } from "../once";
import type { Rgb } from "../../shared/theme";

/** A view at rest, in milliseconds. */
const REST = 150;
/** From the edge of the map to an arrow, in pixels. */
const EDGE = 12;

/** What is being drawn by hand. */
interface Gesture {
  /** The lasso or box in pixels: [x0, y0, x1, y1, ...]. */
  shape: readonly number[];
  /** Whether the centre is marked. */
  aim: boolean;
}

export class Overlay {
  private readonly contours = once(contours);
  private readonly names: Names;
  /** The part of the map that contours show. */
  private square = WHOLE;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly stopLooking: Cleanup;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly state: MapState,
    /** Asks for another paint. */
    again: () => void,
  ) {
    this.names = new Names(state, again);
    this.stopLooking = effect(() => {
      const [camera, size] = [state.camera.value, state.size.value];
      clearTimeout(this.timer);
      // Not while one moves: many points take longer than a frame.
      this.timer = setTimeout(() => {
        this.square = lookedAt(camera, size);
        if (state.contours.peek()) again();
      }, REST);
    });
  }

  dispose(): void {
    this.stopLooking();
    clearTimeout(this.timer);
    this.names.dispose();
  }

  paint(
    { shape, aim }: Gesture,
    canvas = this.canvas,
    ratio = window.devicePixelRatio || 1,
  ): void {
    const context = canvas.getContext("2d");
    if (!context) return;
    const { state } = this;
    const { width, height } = state.size.value;
    const pixels = [Math.round(width * ratio), Math.round(height * ratio)] as const;
    if (canvas.width !== pixels[0] || canvas.height !== pixels[1]) {
      [canvas.width, canvas.height] = pixels;
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    if (state.contours.value) this.lines(context);
    const family = getComputedStyle(this.canvas).fontFamily || "sans-serif";
    this.names.paint(context, family, (row) => this.radius(row));
    const { text, accent } = state.theme.value;
    this.ring(context, state.activeRow.value, text);
    if (state.hover.value !== state.activeRow.value) this.ring(context, state.hover.value);
    this.ring(context, state.markedRow.value, accent);
    this.pointTo(context, state.markedRow.value);
    this.drawShape(context, shape);
    if (aim) this.cross(context, width / 2, height / 2);
  }

  private lines(context: CanvasRenderingContext2D): void {
    const { state } = this;
    const { x, y, shown } = state;
    const found: Contour[] = this.contours(x.value, y.value, shown.value, this.square);
    const { text } = state.theme.value;
    const [originX, originY] = project(state.camera.value, state.size.value, 0, 0);
    const unit = project(state.camera.value, state.size.value, 1, 0)[0] - originX;
    context.lineCap = "round";
    for (const { segments, height } of found) {
      context.beginPath();
      for (let i = 0; i < segments.length; i += 4) {
        context.moveTo(originX + segments[i]! * unit, originY - segments[i + 1]! * unit);
        context.lineTo(originX + segments[i + 2]! * unit, originY - segments[i + 3]! * unit);
      }
      context.lineWidth = 1;
      context.strokeStyle = css(text, 0.34 + 0.36 * height);
      context.stroke();
    }
  }

  /** A ring around a point, and a second one around that which `outer` colours. */
  private ring(context: CanvasRenderingContext2D, row: number, outer?: Rgb): void {
    if (row < 0) return;
    const { state } = this;
    const [px, py] = this.where(row);
    if (!Number.isFinite(px)) return;
    const radius = this.radius(row) + (outer ? 2 : 1.5);
    const { background, text } = state.theme.value;
    context.beginPath();
    context.arc(px, py, radius, 0, 2 * Math.PI);
    context.fillStyle = css(state.colorOf(row));
    context.fill();
    context.lineWidth = 4;
    context.strokeStyle = css(background);
    context.stroke();
    context.lineWidth = 2;
    context.strokeStyle = css(text);
    context.stroke();
    if (!outer) return;
    context.beginPath();
    context.arc(px, py, radius + 4, 0, 2 * Math.PI);
    context.lineWidth = outer === text ? 1.5 : 2.5;
    context.strokeStyle = css(outer, outer === text ? 0.75 : 1);
    context.stroke();
  }

  /** An arrow at the edge where a point lies outside of what is seen. */
  private pointTo(context: CanvasRenderingContext2D, row: number): void {
    if (row < 0) return;
    const { size, theme } = this.state;
    const [halfX, halfY] = [size.value.width / 2, size.value.height / 2];
    const [px, py] = this.where(row);
    const [dx, dy] = [px - halfX, py - halfY];
    const beyond = Math.max(Math.abs(dx) / halfX, Math.abs(dy) / halfY);
    if (!(beyond > 1)) return;
    const inside = Math.min((halfX - EDGE) / Math.abs(dx), (halfY - EDGE) / Math.abs(dy));
    context.save();
    context.translate(halfX + dx * inside, halfY + dy * inside);
    context.rotate(Math.atan2(dy, dx));
    context.beginPath();
    for (const [x, y] of [[7, 0], [-5, 7], [-5, -7]] as const) context.lineTo(x, y);
    context.closePath();
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = css(theme.value.background);
    context.stroke();
    context.fillStyle = css(theme.value.accent);
    context.fill();
    context.restore();
  }

  private drawShape(context: CanvasRenderingContext2D, shape: readonly number[]): void {
    if (shape.length < 4) return;
    const { accent } = this.state.theme.value;
    context.beginPath();
    for (let i = 0; i < shape.length; i += 2) context.lineTo(shape[i]!, shape[i + 1]!);
    context.closePath();
    context.fillStyle = css(accent, 0.1);
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = css(accent);
    context.stroke();
  }

  /** Where the keyboard points. */
  private cross(context: CanvasRenderingContext2D, x: number, y: number): void {
    const { background, text } = this.state.theme.value;
    context.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]] as const) {
      context.moveTo(x + 5 * dx, y + 5 * dy);
      context.lineTo(x + 11 * dx, y + 11 * dy);
    }
    context.lineCap = "butt";
    context.lineWidth = 3.5;
    context.strokeStyle = css(background, 0.85);
    context.stroke();
    context.lineWidth = 1.5;
    context.strokeStyle = css(text, 0.8);
    context.stroke();
  }

  private where(row: number): [number, number] {
    const { camera, size, x, y } = this.state;
    return project(camera.value, size.value, x.value[row]!, y.value[row]!);
  }

  private radius(row: number): number {
    const { sizes, emphasis } = this.state;
    return Math.max(4, (sizes.value[emphasis.value.level[row] ?? 0] ?? 4) / 2);
  }
}
