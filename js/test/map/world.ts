// A map of four neurons in the corners of a square, as its tests see and touch it.
import { afterEach, vi } from "vitest";
import type { Embedded } from "../../src/source/columns";
import { render } from "../../src/map/map";
import type { MapTraits } from "../../src/map/traits";
import { FakeModel, until, type Request } from "../fake-model";
import { coded } from "../labels";

export const bytes = (values: Float32Array | Uint32Array | Uint16Array) =>
  new DataView(values.slice().buffer as ArrayBuffer);
export const NONE = () => new DataView(new ArrayBuffer(0));
const LAYERS = { name: "layer", title: "Layer", kind: "category", names: ["early", "late"],
  counts: [2, 2], missing: 0 } as const;
export const CLARITY = { name: "clarity", title: "Clarity", kind: "number", min: 0, max: 1,
  missing: 1 } as const;
export const DATA: Embedded = {
  x: { kind: "place", data: bytes(Float32Array.of(-1, 1, -1, 1)) },
  y: { kind: "place", data: bytes(Float32Array.of(-1, -1, 1, 1)) },
  neuron: { kind: "index", data: bytes(Uint32Array.of(0, 1, 0, 1)) },
  layer: { ...LAYERS, names: [...LAYERS.names], counts: [2, 2],
    data: bytes(Uint16Array.of(0, 0, 1, 1)) },
};

/** Four neurons in the corners of a square, two layers. */
export function traits(change: Partial<MapTraits> = {}): MapTraits {
  return {
    active: null,
    highlight: NONE(),
    color_by: "layer",
    size_by: null,
    opacity_by: null,
    filter: {},
    contours: false,
    region_labels: true,
    tool: "pan",
    height: 400,
    _count: 4,
    _layers: ["early", "late"],
    _labels: coded(["ox", "ox", "", "<img src=x onerror=alert(1)>"]),
    _columns: [
      { name: "layer", title: "Layer", kind: "category", empty: false },
      { name: "clarity", title: "Clarity", kind: "number", empty: false },
      { name: "score", title: "Label score", kind: "number", empty: true },
    ],
    _data: DATA,
    _said: "",
    _selected: NONE(),
    _search_box: false,
    _revision: 1,
    ...change,
  };
}

const FACTS = { label: "ox", score: 0.5, measures: [{ title: "Clarity", value: 0.25 }],
  examples: ["ox"] };
type Answer = (request: Request) => { result: unknown; buffers: DataView[] } | undefined;
const answer: Answer = (request) =>
  request.method === "hover" ? { result: FACTS, buffers: [NONE()] } : undefined;

export const views: { el: HTMLElement; cleanup: () => void; model: FakeModel<MapTraits> }[] = [];
export async function show(change: Partial<MapTraits> = {}, replies: Answer | null = answer) {
  const el = document.createElement("div");
  el.style.width = "800px";
  document.body.append(el);
  const model = new FakeModel(traits(change), replies ?? (() => undefined));
  const cleanup = render({ model, el });
  views.push({ el, cleanup, model });
  const find = <T extends HTMLElement = HTMLElement>(selector: string) =>
    el.querySelector<T>(selector);
  const stage = await until(() => find(".slw-map-stage[data-renderer=webgl], .slw-map-state"));
  const { left, top, width, height } = stage.getBoundingClientRect();
  /** Corner c of the square, in page pixels: the map is fitted with a margin of 28. */
  const corner = (c: number) => {
    const half = height / 2 - 28;
    return {
      clientX: left + width / 2 + (c % 2 ? half : -half),
      clientY: top + height / 2 + (c < 2 ? half : -half),
    };
  };
  const down = new Set<number>();
  /** What a pointer does; between a press and its release a button is down. */
  const pointer = (type: string, at: object, more: PointerEventInit = {}) => {
    const { pointerId = 1 } = more;
    if (type === "pointerdown") down.add(pointerId);
    if (type === "pointerup") down.delete(pointerId);
    const buttons = down.has(pointerId) ? 1 : 0;
    return stage.dispatchEvent(
      new PointerEvent(type, { bubbles: true, cancelable: true, pointerId: 1, buttons, ...at, ...more }),
    );
  };
  const press = (key: string) => {
    stage.focus();
    stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  };
  return { el, model, find, stage, corner, pointer, press };
}
export const selected = (model: FakeModel<MapTraits>) => {
  const bits = new Uint8Array(model.get("_selected").buffer as ArrayBuffer);
  return [0, 1, 2, 3].filter((row) => ((bits[0] ?? 0) >> row) & 1);
};
HTMLElement.prototype.setPointerCapture = () => {}; // synthetic pointers cannot be captured

afterEach(() => {
  for (const { el, cleanup } of views.splice(0)) {
    cleanup();
    el.remove();
  }
  vi.restoreAllMocks();
});
