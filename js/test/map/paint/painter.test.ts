import { afterEach, describe, expect, test, vi } from "vitest";
import { HOME } from "../../../src/map/camera";
import { createPainter, type Frame } from "../../../src/map/paint/painter";
import { CanvasPainter } from "../../../src/map/paint/canvas";
import { sharedCanvas, sharedUsers } from "../../../src/map/paint/gl";
import { inBrowser, until } from "../../fake-model";

const frame = (change: Partial<Frame> = {}): Frame => ({
  x: Float32Array.of(-0.5, 0.5, Number.NaN),
  y: Float32Array.of(0, 0, 0),
  color: Uint16Array.of(0, 1, 0),
  level: Uint8Array.of(0, 1, 0),
  order: Uint32Array.of(0, 1, 2),
  palette: [[1, 0, 0], [0, 0, 1]],
  sizes: [30, 30],
  opacities: [1, 1],
  camera: HOME,
  size: { width: 200, height: 100 },
  ...change,
});

/** The colour of a CSS pixel, whatever the screen's resolution. */
function pixel(canvas: HTMLCanvasElement, x: number, y: number): number[] {
  const ratio = window.devicePixelRatio;
  return [...canvas.getContext("2d")!.getImageData(x * ratio, y * ratio, 1, 1).data];
}
const reddish = ([r = 0, , b = 0, a = 0]: number[]) => a > 200 && r > 200 && b < 60;
const bluish = ([r = 0, , b = 0, a = 0]: number[]) => a > 200 && b > 200 && r < 60;

const canvases: HTMLCanvasElement[] = [];
function canvas(): HTMLCanvasElement {
  const made = document.createElement("canvas");
  document.body.append(made);
  canvases.push(made);
  return made;
}
afterEach(() => {
  vi.restoreAllMocks();
  for (const made of canvases.splice(0)) made.remove();
});

describe.skipIf(!inBrowser)("painters", () => {
  for (const kind of ["webgl", "canvas2d"] as const) {
    test(`${kind} puts each point where the camera says, in its colour`, async () => {
      const target = canvas();
      const painter = kind === "webgl"
        ? createPainter(target, 3, () => {})!
        : new CanvasPainter(target);
      expect(painter.kind).toBe(kind);
      painter.paint(frame());
      // One unit is half the shorter side: 50 px.
      await until(() => reddish(pixel(target, 75, 50)) && bluish(pixel(target, 125, 50)));
      expect(pixel(target, 100, 50)[3]).toBe(0);
      painter.paint(frame({ camera: { x: 0.5, y: 0, zoom: 2 } }));
      await until(() => bluish(pixel(target, 100, 50)));
      painter.destroy();
    });

    test(`${kind} has a colour for each of hundreds of categories`, async () => {
      const target = canvas();
      const painter = kind === "webgl"
        ? createPainter(target, 3, () => {})!
        : new CanvasPainter(target);
      const palette = Array.from({ length: 1000 }, () => [1, 0, 0] as const);
      painter.paint(frame({
        color: Uint16Array.of(999 - 256, 999, 0),
        palette: [...palette.slice(1), [0, 0, 1] as const],
      }));
      await until(() => reddish(pixel(target, 75, 50)) && bluish(pixel(target, 125, 50)));
      painter.destroy();
    });

    test(`${kind} draws later rows of the order on top`, async () => {
      const target = canvas();
      const painter = kind === "webgl"
        ? createPainter(target, 3, () => {})!
        : new CanvasPainter(target);
      const x = Float32Array.of(0, 0, 0);
      painter.paint(frame({ x, color: Uint16Array.of(1, 0, 0) }));
      await until(() => reddish(pixel(target, 100, 50)));
      painter.paint(frame({ x, color: Uint16Array.of(1, 0, 0), order: Uint32Array.of(1, 2, 0) }));
      await until(() => bluish(pixel(target, 100, 50)));
      painter.destroy();
    });
  }

  test("twenty maps share one WebGL context, and the last one closes it", async () => {
    const painters = Array.from({ length: 20 }, () => createPainter(canvas(), 3, () => {})!);
    expect(painters.every((painter) => painter.kind === "webgl")).toBe(true);
    expect(sharedUsers()).toBe(20);
    for (const painter of painters) painter.paint(frame());
    await until(() => canvases.every((target) => reddish(pixel(target, 75, 50))));
    for (const painter of painters) painter.destroy();
    expect(sharedUsers()).toBe(0);
  });

  test("a lost context is reported, and a new painter works", async () => {
    const lost = vi.fn();
    const painter = createPainter(canvas(), 3, lost)!;
    painter.paint(frame());
    const gl = sharedCanvas()!.getContext("webgl")!;
    gl.getExtension("WEBGL_lose_context")!.loseContext();
    await until(() => lost.mock.calls.length === 1);
    const target = canvas();
    const next = createPainter(target, 3, () => {})!;
    expect(next.kind).toBe("webgl");
    next.paint(frame());
    await until(() => reddish(pixel(target, 75, 50)));
    next.destroy();
  });

  test("without WebGL few points get a 2D canvas and many get none", () => {
    const original = HTMLCanvasElement.prototype.getContext;
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (
      this: HTMLCanvasElement,
      kind: string,
      ...rest: unknown[]
    ) {
      return kind === "webgl" ? null : (original as any).call(this, kind, ...rest);
    } as any);
    expect(createPainter(canvas(), 10_000, () => {})?.kind).toBe("canvas2d");
    expect(createPainter(canvas(), 10_001, () => {})).toBeNull();
  });
});
