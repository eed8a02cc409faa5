// What lies over the points: rings, the lasso, names and ranks. One 2D canvas, theme colours.
import { pointSize, project } from "./camera";
import { css } from "./colors";
import { placeRegions, regions, type PlacedText, type Region } from "./labels";
import { LEVELS } from "./look";
import type { MapState } from "./map-state";

const NUMBERED = 5;

export class Overlay {
  private named: { labels: readonly string[]; x: Float32Array; regions: Region[] } | null = null;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly state: MapState,
  ) {}

  /** `lasso` is in pixels: [x0, y0, x1, y1, ...]. */
  paint(lasso: readonly number[]): void {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const { state } = this;
    const size = state.size.value;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(size.width * ratio);
    this.canvas.height = Math.round(size.height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const { family } = this;
    context.textAlign = "center";
    context.textBaseline = "middle";
    if (state.ranked.value.length > 0) {
      context.font = `600 11px ${family}`;
      this.ranks(context);
    } else if (state.selection.value.length === 0 && state.isolated.value === null) {
      context.font = `500 12px ${family}`;
      for (const region of this.placed(context)) this.text(context, region, 0.82);
    }
    this.ring(context, state.activeRow.value, true);
    if (state.hover.value !== state.activeRow.value) this.ring(context, state.hover.value, false);
    this.drawLasso(context, lasso);
  }

  private get family(): string {
    return getComputedStyle(this.canvas).fontFamily || "sans-serif";
  }

  private placed(context: CanvasRenderingContext2D): PlacedText[] {
    const { state } = this;
    const [labels, x] = [state.labels.value, state.x.value];
    if (!labels) return [];
    if (this.named?.labels !== labels || this.named.x !== x) {
      this.named = { labels, x, regions: regions(x, state.y.value, labels) };
    }
    const widthOf = (text: string) => context.measureText(text).width;
    return placeRegions(this.named.regions, state.camera.value, state.size.value, widthOf);
  }

  private text(context: CanvasRenderingContext2D, { text, x, y }: PlacedText, alpha: number): void {
    const { background, text: color } = this.state.theme.value;
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = css(background, 0.85);
    context.strokeText(text, x, y);
    context.fillStyle = css(color, alpha);
    context.fillText(text, x, y);
  }

  private ranks(context: CanvasRenderingContext2D): void {
    const { state } = this;
    const taken: PlacedText[] = [];
    state.ranked.value.slice(0, NUMBERED).forEach((row, position) => {
      const [px, py] = this.where(row);
      const label = state.labelOf(row);
      const text = label ? `${position + 1} ${label}` : `${position + 1}`;
      const y = py - this.radius(row) - 8;
      if (taken.some((o) => Math.abs(o.x - px) < 46 && Math.abs(o.y - y) < 13)) return;
      taken.push({ text, x: px, y });
    });
    for (const text of taken) this.text(context, text, 1);
  }

  private ring(context: CanvasRenderingContext2D, row: number, strong: boolean): void {
    if (row < 0) return;
    const { state } = this;
    const [px, py] = this.where(row);
    if (!Number.isFinite(px)) return;
    const radius = this.radius(row) + (strong ? 2 : 1.5);
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
    if (!strong) return;
    context.beginPath();
    context.arc(px, py, radius + 4, 0, 2 * Math.PI);
    context.lineWidth = 1.5;
    context.strokeStyle = css(text, 0.75);
    context.stroke();
  }

  private drawLasso(context: CanvasRenderingContext2D, lasso: readonly number[]): void {
    if (lasso.length < 4) return;
    const { accent } = this.state.theme.value;
    context.beginPath();
    for (let i = 0; i < lasso.length; i += 2) context.lineTo(lasso[i]!, lasso[i + 1]!);
    context.closePath();
    context.fillStyle = css(accent, 0.1);
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = css(accent);
    context.stroke();
  }

  private where(row: number): [number, number] {
    const { camera, size, x, y } = this.state;
    return project(camera.value, size.value, x.value[row]!, y.value[row]!);
  }

  private radius(row: number): number {
    const { state } = this;
    const ordinary = pointSize(state.count.value, state.camera.value, state.size.value);
    const level = state.emphasis.value.level[row] ?? 1;
    return Math.max(4, (ordinary * (LEVELS.size[level] ?? 1)) / 2);
  }
}
