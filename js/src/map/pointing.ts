// The pointer on the stage: hovering, moving, pinching, clicking, lasso and box.
import { pan, unproject, zoomAt } from "./camera";
import type { Stage } from "./stage";
import type { MapState } from "./state";
import type { Tool } from "./traits";
import type { Cleanup } from "../source/model";
import { rowsInPolygon } from "./spatial";

const CLICK_SLOP = 4;

interface Drag {
  x: number;
  y: number;
  startX: number;
  startY: number;
  tool: Tool;
}

type How = "replace" | "add" | "remove";
const howOf = (event: MouseEvent): How =>
  event.altKey ? "remove" : event.shiftKey ? "add" : "replace";

export class Pointing {
  private readonly state: MapState;
  private drag: Drag | null = null;
  /** Fingers that are down, by pointer. */
  private readonly fingers = new Map<number, [number, number]>();
  private readonly cleanups: Cleanup[] = [];

  constructor(private readonly stage: Stage) {
    this.state = stage.state;
    const { host } = stage;
    const listen = <K extends keyof HTMLElementEventMap>(
      name: K,
      handle: (event: HTMLElementEventMap[K]) => void,
    ) => {
      host.addEventListener(name, handle, { passive: false });
      this.cleanups.push(() => host.removeEventListener(name, handle));
    };
    listen("pointerdown", (event) => this.press(event));
    listen("pointermove", (event) => this.move(event));
    listen("pointerup", (event) => this.release(event));
    listen("pointercancel", (event) => this.lose(event));
    listen("lostpointercapture", (event) => this.lose(event));
    listen("pointerleave", () => {
      if (!this.drag) this.state.hover.value = -1;
    });
    listen("dblclick", (event) => {
      const { camera, size } = this.state;
      this.state.look(zoomAt(camera.value, size.value, 2, ...this.position(event)));
    });
    listen("wheel", (event) => this.wheel(event));
  }

  dispose(): void {
    for (const cleanup of this.cleanups) cleanup();
  }

  /** Drop what is being dragged; says whether there was anything. */
  cancel(): boolean {
    const dragged = this.drag !== null;
    this.drag = null;
    this.stage.shape = [];
    this.stage.host.classList.remove("slw-dragging");
    this.stage.schedule();
    return dragged;
  }

  /** A pointer that is no longer ours: nothing goes on by it. */
  private lose(event: PointerEvent): void {
    // After a release, too, which has done what there was to do.
    if (this.fingers.delete(event.pointerId)) this.cancel();
  }

  /** In the map's own pixels, however much what lies around it is scaled. */
  private position(event: MouseEvent): [number, number] {
    const { host } = this.stage;
    const { left, top, width, height } = host.getBoundingClientRect();
    return [
      (event.clientX - left) * (host.offsetWidth / (width || 1)),
      (event.clientY - top) * (host.offsetHeight / (height || 1)),
    ];
  }

  private press(event: PointerEvent): void {
    if (event.button !== 0) return;
    const [x, y] = this.position(event);
    const { host } = this.stage;
    this.stage.aiming = false;
    if (event.isPrimary) this.fingers.clear(); // of which no release was heard
    this.fingers.set(event.pointerId, [x, y]);
    if (this.fingers.size > 1) {
      this.cancel();
    } else {
      const chosen = this.state.tool.value;
      const tool = chosen === "pan" && (event.shiftKey || event.altKey) ? "lasso" : chosen;
      this.drag = { x, y, startX: x, startY: y, tool };
      this.stage.shape = tool === "lasso" ? [x, y] : [];
    }
    host.setPointerCapture(event.pointerId);
    host.focus({ preventScroll: true });
    event.preventDefault();
  }

  private move(event: PointerEvent): void {
    const [x, y] = this.position(event);
    // A press whose release was lost, outside the window or to a menu, is over.
    if (!(event.buttons & 1)) this.lose(event);
    const { state, drag, stage } = this;
    if (this.fingers.size > 1 && this.fingers.has(event.pointerId)) {
      this.pinch(event.pointerId, x, y);
      return;
    }
    if (!drag) {
      if (event.pointerType !== "touch") state.hover.value = stage.rowAt(x, y);
      return;
    }
    const moved = Math.hypot(x - drag.startX, y - drag.startY) > CLICK_SLOP;
    if (drag.tool === "lasso") {
      const [lastX, lastY] = stage.shape.slice(-2) as [number, number];
      if (Math.hypot(x - lastX, y - lastY) > 3) stage.shape = [...stage.shape, x, y];
      stage.schedule();
    } else if (drag.tool === "box") {
      if (moved) stage.shape = [drag.startX, drag.startY, x, drag.startY, x, y, drag.startX, y];
      stage.schedule();
    } else if (moved || stage.host.classList.contains("slw-dragging")) {
      state.hover.value = -1;
      stage.host.classList.add("slw-dragging");
      state.look(pan(state.camera.value, state.size.value, x - drag.x, y - drag.y));
    }
    if (moved || drag.tool !== "pan") Object.assign(drag, { x, y });
  }

  /** Two fingers: what lies between them stays between them. */
  private pinch(pointer: number, x: number, y: number): void {
    const { camera, size } = this.state;
    const middle = () => {
      const [[ax, ay], [bx, by]] = [...this.fingers.values()] as [[number, number], [number, number]];
      return { x: (ax + bx) / 2, y: (ay + by) / 2, apart: Math.hypot(ax - bx, ay - by) };
    };
    const before = middle();
    this.fingers.set(pointer, [x, y]);
    const after = middle();
    const panned = pan(camera.value, size.value, after.x - before.x, after.y - before.y);
    const factor = before.apart > 0 ? after.apart / before.apart : 1;
    this.state.look(zoomAt(panned, size.value, factor, after.x, after.y));
  }

  private release(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    const { drag, state, stage } = this;
    if (!drag) return;
    const [x, y] = this.position(event);
    const { shape } = stage;
    const short = Math.hypot(x - drag.startX, y - drag.startY) <= CLICK_SLOP;
    this.cancel();
    const how = howOf(event);
    if (short && shape.length < 8) {
      const row = stage.rowAt(x, y);
      if (row >= 0 && how !== "replace") state.select([row], how);
      else if (row >= 0) state.pick(row);
      else if (state.selection.value.length > 0 && how === "replace") state.clearSelection();
    } else if (drag.tool !== "pan") {
      this.selectWithin(shape, how);
    }
  }

  private selectWithin(shape: readonly number[], how: How): void {
    const { state } = this;
    const [camera, size] = [state.camera.value, state.size.value];
    const polygon: number[] = [];
    for (let i = 0; i < shape.length; i += 2) {
      polygon.push(...unproject(camera, size, shape[i]!, shape[i + 1]!));
    }
    const rows = rowsInPolygon(state.x.value, state.y.value, polygon);
    state.select(state.shown.value ? rows.filter((row) => state.isShown(row)) : rows, how);
  }

  private wheel(event: WheelEvent): void {
    const { host } = this.stage;
    // A page that scrolls past must not be caught by the map.
    const inUse = host.matches(":focus, :focus-within");
    if (!(inUse || event.ctrlKey || event.metaKey)) {
      this.stage.events.wheelIdle();
      return;
    }
    event.preventDefault();
    const { camera, size } = this.state;
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 24 : 1;
    const factor = Math.exp(-event.deltaY * lines * (event.ctrlKey ? 0.008 : 0.0018));
    const [px, py] = this.position(event);
    this.state.look(zoomAt(camera.value, size.value, factor, px, py));
    this.state.hover.value = this.stage.rowAt(px, py);
  }
}
