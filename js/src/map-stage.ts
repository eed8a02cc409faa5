// The stage: the canvases, the pointer and the keyboard. Nothing here asks the kernel.
import { effect } from "@preact/signals";
import { pan, pointSize, unit, unproject, zoomAt } from "./camera";
import { LEVELS } from "./look";
import { Overlay } from "./map-overlay";
import type { MapState } from "./map-state";
import type { Cleanup } from "./model";
import { createPainter, type Painter } from "./renderer";
import { rowsInPolygon } from "./spatial";

export interface StageEvents {
  /** Which renderer paints now; null: none can. */
  painter(kind: Painter["kind"] | null): void;
  /** The wheel was turned over a map that is not in use. */
  wheelIdle(): void;
}

const PAN_STEP = 48;
const ZOOM_STEP = 1.35;
const CLICK_SLOP = 4;
const REACH = 10;

export class Stage {
  private painter: Painter | null = null;
  private points: HTMLCanvasElement | null = null;
  private readonly overlayCanvas = document.createElement("canvas");
  private readonly overlay: Overlay;
  private lasso: number[] = [];
  private drag: { x: number; y: number; startX: number; startY: number; lasso: boolean } | null =
    null;
  private frame = 0;
  private readonly cleanups: Cleanup[] = [];

  constructor(
    private readonly host: HTMLElement,
    private readonly state: MapState,
    private readonly events: StageEvents,
  ) {
    this.overlayCanvas.className = "slw-map-overlay";
    this.overlayCanvas.setAttribute("aria-hidden", "true");
    host.prepend(this.overlayCanvas);
    this.overlay = new Overlay(this.overlayCanvas, state);
    const observer = new ResizeObserver(() => this.measure());
    observer.observe(host);
    this.measure();
    this.open();
    this.listen();
    const { sizes, opacities } = this.style();
    this.cleanups.push(
      () => observer.disconnect(),
      effect(() => {
        // Everything that is painted, so that any change asks for a frame.
        for (const value of [state.x, state.y, state.color, state.emphasis, state.palette,
          state.camera, state.size, state.theme, state.hover, state.activeRow, state.labels,
          state.ranked, sizes, opacities]) {
          void ("value" in value && value.value);
        }
        this.schedule();
      }),
    );
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    for (const cleanup of this.cleanups) cleanup();
    this.painter?.destroy();
    this.points?.remove();
    this.overlayCanvas.remove();
  }

  zoom(direction: 1 | -1): void {
    const { camera, size } = this.state;
    const factor = direction > 0 ? ZOOM_STEP : 1 / ZOOM_STEP;
    this.state.look(zoomAt(camera.value, size.value, factor));
  }

  private style() {
    const { state } = this;
    const opacity = () => (state.count.value > 20_000 ? LEVELS.opacity.many : LEVELS.opacity.few);
    return {
      sizes: {
        get value() {
          const ordinary = pointSize(state.count.value, state.camera.value, state.size.value);
          return LEVELS.size.map((factor) => Math.round(factor * ordinary * 8) / 8);
        },
      },
      opacities: {
        get value() {
          return opacity();
        },
      },
    };
  }

  private measure(): void {
    const { width, height } = this.host.getBoundingClientRect();
    const { size } = this.state;
    if (width < 1 || height < 1) return; // hidden, for example scrolled out of the notebook
    if (Math.abs(width - size.value.width) >= 1 || Math.abs(height - size.value.height) >= 1) {
      size.value = { width: Math.floor(width), height: Math.floor(height) };
    } else {
      this.schedule();
    }
  }

  private open(): void {
    this.points?.remove();
    this.points = document.createElement("canvas");
    this.points.className = "slw-map-points";
    this.points.setAttribute("aria-hidden", "true");
    this.host.prepend(this.points);
    this.painter = createPainter(this.points, this.state.count.peek(), () => {
      this.painter = null;
      this.open();
      this.schedule();
    });
    this.events.painter(this.painter?.kind ?? null);
  }

  private schedule(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  private paint(): void {
    const { state } = this;
    const size = state.size.value;
    if (size.width === 0) return;
    const { sizes, opacities } = this.style();
    this.painter?.paint({
      x: state.x.value,
      y: state.y.value,
      color: state.color.value,
      level: state.emphasis.value.level,
      order: state.emphasis.value.order,
      palette: state.palette.value,
      sizes: sizes.value,
      opacities: opacities.value,
      camera: state.camera.value,
      size,
    });
    this.overlay.paint(this.lasso);
  }

  private rowAt(px: number, py: number, reach = REACH): number {
    const { state } = this;
    const [camera, size] = [state.camera.value, state.size.value];
    const [x, y] = unproject(camera, size, px, py);
    const radius = reach / unit(camera, size);
    const { level, dims } = state.emphasis.value;
    // Dimmed points yield to those that stand out.
    const bright = dims ? state.grid.value.nearest(x, y, radius, (row) => level[row]! > 0) : -1;
    return bright >= 0 ? bright : state.grid.value.nearest(x, y, radius);
  }

  private listen(): void {
    const { host } = this;
    const listen = <K extends keyof HTMLElementEventMap>(
      name: K,
      handle: (event: HTMLElementEventMap[K]) => void,
      options?: AddEventListenerOptions,
    ) => {
      host.addEventListener(name, handle, options);
      this.cleanups.push(() => host.removeEventListener(name, handle, options));
    };
    listen("pointerdown", (event) => this.press(event));
    listen("pointermove", (event) => this.move(event));
    listen("pointerup", (event) => this.release(event));
    listen("pointercancel", () => this.stopDrag());
    listen("pointerleave", () => {
      if (!this.drag) this.state.hover.value = -1;
    });
    listen("dblclick", (event) => {
      const { camera, size } = this.state;
      const [px, py] = this.position(event);
      this.state.look(zoomAt(camera.value, size.value, 2, px, py));
    });
    listen("wheel", (event) => this.wheel(event), { passive: false });
    listen("keydown", (event) => this.key(event));
  }

  private position(event: MouseEvent): [number, number] {
    const { left, top } = this.host.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const [x, y] = this.position(event);
    const lasso = this.state.tool.value === "lasso" || event.shiftKey;
    this.drag = { x, y, startX: x, startY: y, lasso };
    this.lasso = lasso ? [x, y] : [];
    this.host.setPointerCapture(event.pointerId);
    this.host.focus({ preventScroll: true });
    event.preventDefault();
  }

  private move(event: PointerEvent): void {
    const [x, y] = this.position(event);
    const { state, drag } = this;
    if (!drag) {
      state.hover.value = this.rowAt(x, y);
      return;
    }
    const moved = Math.hypot(x - drag.startX, y - drag.startY) > CLICK_SLOP;
    if (drag.lasso) {
      const [lastX, lastY] = this.lasso.slice(-2) as [number, number];
      if (Math.hypot(x - lastX, y - lastY) > 3) this.lasso.push(x, y);
      this.schedule();
    } else if (moved || this.host.classList.contains("slw-dragging")) {
      state.hover.value = -1;
      this.host.classList.add("slw-dragging");
      state.look(pan(state.camera.value, state.size.value, x - drag.x, y - drag.y));
    }
    if (moved || drag.lasso) Object.assign(drag, { x, y });
  }

  private release(event: PointerEvent): void {
    const { drag, state, lasso } = this;
    if (!drag) return;
    const [x, y] = this.position(event);
    const click = Math.hypot(x - drag.startX, y - drag.startY) <= CLICK_SLOP && lasso.length < 8;
    this.stopDrag();
    if (click) {
      const row = this.rowAt(x, y);
      if (row >= 0) state.pick(row);
      else if (state.selection.value.length > 0) state.clearSelection();
    } else if (drag.lasso) {
      const [camera, size] = [state.camera.value, state.size.value];
      const polygon: number[] = [];
      for (let i = 0; i < lasso.length; i += 2) {
        polygon.push(...unproject(camera, size, lasso[i]!, lasso[i + 1]!));
      }
      state.select(rowsInPolygon(state.x.value, state.y.value, polygon));
    }
  }

  private stopDrag(): void {
    this.drag = null;
    this.lasso = [];
    this.host.classList.remove("slw-dragging");
    this.schedule();
  }

  private wheel(event: WheelEvent): void {
    // A page that scrolls past must not be caught by the map.
    const inUse = this.host.contains(document.activeElement) ||
      this.host.matches(":focus, :focus-within");
    if (!(inUse || event.ctrlKey || event.metaKey)) {
      this.events.wheelIdle();
      return;
    }
    event.preventDefault();
    const { camera, size } = this.state;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : 1;
    const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.008 : 0.0018));
    const [px, py] = this.position(event);
    this.state.look(zoomAt(camera.value, size.value, factor, px, py));
    this.state.hover.value = this.rowAt(px, py);
  }

  private key(event: KeyboardEvent): void {
    // On many keyboards brackets need AltGr, which counts as Ctrl and Alt.
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if ((modified && !event.getModifierState("AltGraph")) || event.target !== this.host) return;
    const { state } = this;
    const shift = (dx: number, dy: number) => {
      state.look(pan(state.camera.value, state.size.value, dx, dy));
    };
    const actions: Record<string, () => void> = {
      ArrowLeft: () => shift(PAN_STEP, 0),
      ArrowRight: () => shift(-PAN_STEP, 0),
      ArrowUp: () => shift(0, PAN_STEP),
      ArrowDown: () => shift(0, -PAN_STEP),
      "+": () => this.zoom(1),
      "=": () => this.zoom(1),
      "-": () => this.zoom(-1),
      "0": () => state.look(null),
      "[": () => state.step(-1),
      "]": () => state.step(1),
      Enter: () => this.pickNearest(),
      Escape: () => this.escape(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    // JupyterLab has its own meaning for Enter, Escape and the arrows.
    event.stopPropagation();
    action();
  }

  private pickNearest(): void {
    const { state } = this;
    const { width, height } = state.size.value;
    const row = state.hover.value >= 0
      ? state.hover.value
      : this.rowAt(width / 2, height / 2, Math.hypot(width, height));
    if (row < 0) return;
    state.hover.value = row;
    state.pick(row);
  }

  private escape(): void {
    const { state } = this;
    if (this.drag) this.stopDrag();
    else if (state.hover.value >= 0) state.hover.value = -1;
    else if (state.isolated.value !== null) state.isolated.value = null;
    else if (state.selection.value.length > 0) state.clearSelection();
    else this.host.blur();
  }
}
