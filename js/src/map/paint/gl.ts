// Points by regl-scatterplot. It paints; looking, pointing and the lasso are the stage's.
import createScatterplot, { createRenderer } from "regl-scatterplot";
import type { Size } from "../camera";
import { toHex } from "../../shared/colors";
import type { Frame, Painter } from "./painter";

type SharedRenderer = ReturnType<typeof createRenderer>;

// An empty spatial index (KDBush, version 1, float64): the stage finds points by itself, and
// building one costs more than drawing.
const NO_INDEX = new ArrayBuffer(8);
new Uint8Array(NO_INDEX).set([0xdb, 0x18, 16, 0]);

// Far outside: a neuron without a place.
const NOWHERE = 1e4;

interface Shared {
  renderer: SharedRenderer;
  users: Set<GlPainter>;
  /** Stops listening to the window. */
  release: () => void;
}

// A page has some 16 WebGL contexts and every widget loads its own copy of this module: all maps
// share one renderer, found under a name that changes with the version.
const KEY = Symbol.for("semlens_widgets.renderer regl-scatterplot@1.16.0");
const registry = globalThis as unknown as Record<symbol, Shared | undefined>;

function acquire(user: GlPainter): Shared {
  let shared = registry[KEY];
  if (!shared) {
    shared = openRenderer();
    registry[KEY] = shared;
  }
  shared.users.add(user);
  return shared;
}

function openRenderer(): Shared {
  const probe = document.createElement("canvas").getContext("webgl");
  if (!probe?.getExtension("OES_texture_float")) throw new Error("WebGL is not available");
  probe.getExtension("WEBGL_lose_context")?.loseContext();
  const renderer = createRenderer();
  const users = new Set<GlPainter>();
  const cover = () => {
    // The shared canvas follows the window and must hold the largest map.
    const { innerWidth, innerHeight, screen } = window;
    const sizes = [...users].map((user) => user.size);
    renderer.resize(
      Math.max(1, Math.min(innerWidth, screen.availWidth), ...sizes.map((size) => size.width)),
      Math.max(1, Math.min(innerHeight, screen.availHeight), ...sizes.map((size) => size.height)),
    );
    for (const user of users) user.repaint();
  };
  const onLost = (event: Event) => {
    event.preventDefault();
    if (registry[KEY] === shared) registry[KEY] = undefined;
    shared.release();
    for (const user of [...users]) user.lost();
  };
  const { canvas } = renderer;
  window.addEventListener("resize", cover);
  canvas.addEventListener("webglcontextlost", onLost);
  const shared: Shared = {
    renderer,
    users,
    release: () => {
      window.removeEventListener("resize", cover);
      canvas.removeEventListener("webglcontextlost", onLost);
    },
  };
  return shared;
}

function leave(shared: Shared, user: GlPainter): void {
  shared.users.delete(user);
  if (shared.users.size > 0 || registry[KEY] !== shared) return;
  registry[KEY] = undefined;
  shared.release();
  const { canvas } = shared.renderer;
  shared.renderer.destroy();
  // Not when the garbage is collected: a page has few contexts, and the oldest go first.
  canvas.getContext("webgl")?.getExtension("WEBGL_lose_context")?.loseContext();
}

/** How many maps share the renderer; 0 when there is none. */
export const sharedUsers = (): number => registry[KEY]?.users.size ?? 0;

/** The shared WebGL canvas, for tests that lose its context. */
export const sharedCanvas = (): HTMLCanvasElement | undefined => registry[KEY]?.renderer.canvas;

export class GlPainter implements Painter {
  readonly kind = "webgl";
  size: Size = { width: 1, height: 1 };
  private readonly shared: Shared;
  private readonly plot: ReturnType<typeof createScatterplot>;
  private last: Frame | null = null;
  private wanted: Frame | null = null;
  private busy = false;
  private destroyed = false;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly onLost: () => void,
  ) {
    this.shared = acquire(this);
    try {
      this.plot = createScatterplot({
        canvas,
        renderer: this.shared.renderer,
        cameraIsFixed: true,
        pointScaleMode: "constant",
        colorBy: "valueA",
        sizeBy: "valueB",
        opacityBy: "valueB",
        deselectOnDblClick: false,
        deselectOnEscape: false,
        antiAliasing: 1,
        width: 1,
        height: 1,
      });
    } catch (error) {
      leave(this.shared, this);
      throw error;
    }
  }

  paint(frame: Frame): void {
    this.wanted = frame;
    if (!this.busy) void this.catchUp();
  }

  repaint(): void {
    if (!this.destroyed) this.plot.redraw();
  }

  lost(): void {
    this.destroy();
    this.onLost();
  }

  destroy(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    this.plot.destroy();
    leave(this.shared, this);
  }

  // Drawing is asynchronous and refuses to overlap: of the frames that came meanwhile, the last.
  private async catchUp(): Promise<void> {
    this.busy = true;
    try {
      while (this.wanted && !this.destroyed) {
        const frame = this.wanted;
        this.wanted = null;
        this.style(frame);
        await this.points(frame);
        this.last = frame;
      }
    } finally {
      this.busy = false;
    }
  }

  private style(frame: Frame): void {
    const { last } = this;
    const { size, camera } = frame;
    const same = (["palette", "sizes", "opacities", "camera", "size"] as const).every(
      (part) => last?.[part] === frame[part],
    );
    if (same) return;
    if (last?.size !== size) this.resize(size);
    const changed = {
      ...(last?.palette !== frame.palette && { pointColor: frame.palette.map(toHex) }),
      ...(last?.sizes !== frame.sizes && { pointSize: [...frame.sizes] }),
      ...(last?.opacities !== frame.opacities && { opacity: [...frame.opacities] }),
    };
    if (Object.keys(changed).length > 0) void this.plot.set(changed);
    // regl-scatterplot fits [-1, 1] into the height.
    const scale = (camera.zoom * Math.min(size.width, size.height)) / size.height;
    // prettier-ignore
    const view = [
      scale, 0, 0, 0,
      0, scale, 0, 0,
      0, 0, 1, 0,
      -camera.x * scale, -camera.y * scale, 0, 1,
    ];
    // Not by set(), which draws once more a frame later.
    this.plot.view(view, { preventEvent: true });
  }

  private resize(size: Size): void {
    this.size = size;
    const { renderer, users } = this.shared;
    const { canvas } = renderer;
    const ratio = window.devicePixelRatio;
    if (canvas.width < size.width * ratio || canvas.height < size.height * ratio) {
      renderer.resize(
        Math.max(canvas.width / ratio, size.width),
        Math.max(canvas.height / ratio, size.height),
      );
      for (const user of users) user.repaint();
    }
    this.plot.set({ width: size.width, height: size.height });
  }

  private async points(frame: Frame): Promise<void> {
    const { last } = this;
    const { x, y, color, level, order } = frame;
    if (x.length === 0 || x.length !== y.length) return; // on their way
    const same = (["x", "y", "color", "level", "order"] as const).every(
      (column) => last?.[column] === frame[column],
    );
    if (same) return;
    // Later points lie on top: hand them over in drawing order.
    const points = new Array<[number, number, number, number]>(x.length);
    for (let i = 0; i < points.length; i++) {
      const row = order[i]!;
      const placed = Number.isFinite(x[row]! + y[row]!);
      points[i] = [placed ? x[row]! : NOWHERE, placed ? y[row]! : NOWHERE, color[row]!, level[row]!];
    }
    await this.plot.draw(points, {
      zDataType: "categorical",
      wDataType: "categorical",
      spatialIndex: NO_INDEX,
    });
    // They are on the graphics card now; the plot need not keep them as well.
    points.length = 0;
  }
}
