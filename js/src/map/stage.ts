// The stage: the canvases and what is painted when. Nothing here asks the kernel.
import { effect } from "@preact/signals";
import { unit, unproject, zoomAt } from "./camera";
import { isBright, isShown } from "./emphasis";
import { listenToKeys } from "./keys";
import { Overlay } from "./paint/overlay";
import { Pointing } from "./pointing";
import type { MapState } from "./state";
import type { Cleanup } from "../source/model";
import { createPainter, type Frame, type Painter } from "./paint/painter";
import { CanvasPainter } from "./paint/canvas";

export interface StageEvents {
  /** Which renderer paints now; null: none can. */
  painter(kind: Painter["kind"] | null): void;
  /** The wheel was turned over a map that is not in use. */
  wheelIdle(): void;
}

const ZOOM_STEP = 1.35;
const REACH = 10;

export class Stage {
  /** The lasso or box being drawn, in pixels: [x0, y0, x1, y1, ...]. */
  shape: readonly number[] = [];
  /** Whether the keyboard points, at the centre. */
  aiming = false;
  private painter: Painter | null = null;
  private points: HTMLCanvasElement | null = null;
  /** The pixels of the screen for one of the page that the points are painted with. */
  private ratio = 0;
  private readonly overlayCanvas = document.createElement("canvas");
  private readonly overlay: Overlay;
  private frame = 0;
  private readonly cleanups: Cleanup[] = [];

  constructor(
    readonly host: HTMLElement,
    readonly state: MapState,
    readonly events: StageEvents,
  ) {
    this.overlayCanvas.className = "slw-map-overlay";
    this.overlayCanvas.setAttribute("aria-hidden", "true");
    host.prepend(this.overlayCanvas);
    this.overlay = new Overlay(this.overlayCanvas, state, () => this.schedule());
    const resized = new ResizeObserver(() => this.measure());
    resized.observe(host);
    // Scrolled back into the notebook: the browser may have let go of what was painted. Taken out of
    // the page, perhaps for good, without a word: what it holds is given back until it returns.
    const seen = new IntersectionObserver((entries) => {
      if (!host.isConnected) this.close();
      else if (entries.some((entry) => entry.isIntersecting)) this.reopen();
    });
    seen.observe(host);
    this.measure();
    if (host.isConnected) this.open();
    const pointing = new Pointing(this);
    this.cleanups.push(
      () => resized.disconnect(),
      () => seen.disconnect(),
      followRatio(() => this.schedule()),
      () => pointing.dispose(),
      () => this.overlay.dispose(),
      listenToKeys(this, () => pointing.cancel()),
      effect(() => {
        // Everything that is painted, so that any change asks for a frame.
        for (const { value } of [state.x, state.y, state.color, state.emphasis, state.palette,
          state.camera, state.size, state.theme, state.hover, state.activeRow, state.markedRow,
          state.labels, state.ranked, state.sizes, state.opacities, state.contours, state.regionLabels]) {
          void value;
        }
        this.schedule();
      }),
    );
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    for (const cleanup of this.cleanups) cleanup();
    this.close();
    this.overlayCanvas.remove();
  }

  zoom(direction: 1 | -1): void {
    const { camera, size } = this.state;
    const factor = direction > 0 ? ZOOM_STEP : 1 / ZOOM_STEP;
    this.state.look(zoomAt(camera.value, size.value, factor));
  }

  /** Draw what is seen onto two canvases, at so many pixels for one: the points, and what is over. */
  draw(ratio: number): HTMLCanvasElement[] {
    const [points, over] = [document.createElement("canvas"), document.createElement("canvas")];
    new CanvasPainter(points, ratio).paint(this.view());
    this.overlay.paint({ shape: [], aim: false }, over, ratio);
    return [points, over];
  }

  schedule(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  /** The row within reach of a pixel, or -1. */
  rowAt(px: number, py: number, reach = REACH): number {
    const { state } = this;
    const [camera, size] = [state.camera.value, state.size.value];
    const [x, y] = unproject(camera, size, px, py);
    const radius = reach / unit(camera, size);
    const { level, dims } = state.emphasis.value;
    const { grid } = state;
    if (!dims) return grid.value.nearest(x, y, radius);
    // Dimmed points yield to those that stand out; what is filtered out is not there.
    const bright = grid.value.nearest(x, y, radius, (row) => isBright(level[row]!));
    return bright >= 0 ? bright : grid.value.nearest(x, y, radius, (row) => isShown(level[row]!));
  }

  private measure(): void {
    // In its own pixels: what lies around may be scaled.
    const { offsetWidth: width, offsetHeight: height } = this.host;
    const { size } = this.state;
    if (width < 1 || height < 1) return; // hidden, for example scrolled out of the notebook
    if (width !== size.value.width || height !== size.value.height) {
      size.value = { width, height };
    } else {
      this.schedule();
    }
  }

  private close(): void {
    this.painter?.destroy();
    this.painter = null;
    this.points?.remove();
    this.points = null;
  }

  private reopen(): void {
    if (!this.points) this.open();
    this.schedule();
  }

  private open(): void {
    this.points?.remove();
    this.points = document.createElement("canvas");
    this.points.className = "slw-map-points";
    this.points.setAttribute("aria-hidden", "true");
    this.host.prepend(this.points);
    this.ratio = window.devicePixelRatio;
    this.painter = createPainter(this.points, this.state.count.peek(), () => {
      this.painter = null;
      if (this.host.isConnected) this.open();
      this.schedule();
    });
    this.events.painter(this.painter?.kind ?? null);
  }

  private paint(): void {
    if (this.state.size.value.width === 0) return;
    // The same size on another screen: points painted for the old one would be blurred.
    if (this.painter && this.ratio !== window.devicePixelRatio) {
      this.close();
      this.open();
    }
    this.painter?.paint(this.view());
    this.overlay.paint({ shape: this.shape, aim: this.aiming });
  }

  private view(): Frame {
    const { state } = this;
    return {
      x: state.x.value,
      y: state.y.value,
      color: state.color.value,
      level: state.emphasis.value.level,
      order: state.emphasis.value.order,
      palette: state.palette.value,
      sizes: state.sizes.value,
      opacities: state.opacities.value,
      camera: state.camera.value,
      size: state.size.value,
    };
  }
}

/** Hear when the page is shown at another resolution: moved to another screen, or zoomed. */
function followRatio(changed: () => void): Cleanup {
  let media: MediaQueryList;
  const listen = () => {
    media = matchMedia(`(resolution: ${window.devicePixelRatio}dppx)`);
    media.addEventListener("change", change);
  };
  const stop = () => media.removeEventListener("change", change);
  const change = () => {
    stop();
    listen();
    changed();
  };
  listen();
  window.addEventListener("resize", changed);
  return () => {
    stop();
    window.removeEventListener("resize", changed);
  };
}
