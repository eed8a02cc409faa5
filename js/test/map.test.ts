import { afterEach, describe, expect, test, vi } from "vitest";
import { fitRows, HOME, pan, project, unproject, zoomAt } from "../src/camera";
import { encode, palette, type Legend } from "../src/colors";
import { placeRegions, regions } from "../src/labels";
import { emphasise, mixedOrder, rankRows } from "../src/look";
import { render } from "../src/map";
import type { MapTraits } from "../src/map-state";
import { GridIndex, rowsInPolygon } from "../src/spatial";
import { FakeModel, inBrowser, until, type Request } from "./fake-model";

const bytes = (values: Float32Array | Uint32Array) => new DataView(values.slice().buffer);
const NONE = () => new DataView(new ArrayBuffer(0));

/** Four neurons in the corners of a square, two layers. */
function traits(change: Partial<MapTraits> = {}): MapTraits {
  return {
    active: null,
    selection: NONE(),
    highlight: NONE(),
    color_by: "layer",
    height: 400,
    _x: bytes(Float32Array.of(-1, 1, -1, 1)),
    _y: bytes(Float32Array.of(-1, -1, 1, 1)),
    _layers: ["early", "late"],
    _layer_codes: bytes(Uint32Array.of(0, 0, 1, 1)),
    _indices: bytes(Uint32Array.of(0, 1, 0, 1)),
    _labels: ["ox", "ox", "", "<img src=x onerror=alert(1)>"],
    _columns: [
      { name: "layer", title: "Layer", empty: false },
      { name: "score", title: "Label score", empty: true },
    ],
    _color: bytes(Float32Array.of(0, 0, 1, 1)),
    _legend: { name: "layer", title: "Layer", kind: "category", names: ["early", "late"],
      counts: [2, 2], missing: 0 },
    _revision: 1,
    ...change,
  };
}

const FACTS = { label: "ox", score: 0.5, measures: [{ title: "Clarity", value: 0.25 }],
  examples: ["ox"] };
type Answer = (request: Request) => { result: unknown; buffers: DataView[] } | undefined;
const answer: Answer = (request) =>
  request.method === "hover" ? { result: FACTS, buffers: [NONE()] } : undefined;

const views: { el: HTMLElement; cleanup: () => void; model: FakeModel<MapTraits> }[] = [];
async function show(change: Partial<MapTraits> = {}, replies: Answer | null = answer) {
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
  const pointer = (type: string, at: object, more: object = {}) =>
    stage.dispatchEvent(
      new PointerEvent(type, { bubbles: true, cancelable: true, pointerId: 1, ...at, ...more }),
    );
  const press = (key: string) => {
    stage.focus();
    stage.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  };
  return { el, model, find, stage, corner, pointer, press };
}
HTMLElement.prototype.setPointerCapture = () => {}; // synthetic pointers cannot be captured

afterEach(() => {
  for (const { el, cleanup } of views.splice(0)) {
    cleanup();
    el.remove();
  }
  vi.restoreAllMocks();
});

describe.skipIf(!inBrowser)("the map", () => {
  test("hovering shows the card at once, then the examples", async () => {
    const { find, pointer, corner, model } = await show();
    pointer("pointermove", corner(0));
    const card = await until(() => find(".slw-map-card"));
    expect(card.textContent).toContain("early / 0");
    expect(card.textContent).toContain("ox");
    expect(card.querySelectorAll(".slw-skeleton")).toHaveLength(4);
    expect(model.sent).toHaveLength(0);
    await until(() => find(".slw-map-card img"));
    expect(card.textContent).toContain("Clarity");
    expect(find<HTMLImageElement>(".slw-map-card img")!.alt).toBe("Example 1: ox");
    pointer("pointerleave", {});
    await until(() => !find(".slw-map-card"));
  });

  test("a neuron seen before asks the kernel nothing", async () => {
    const { find, pointer, corner, model } = await show();
    for (const c of [0, 1, 0]) {
      pointer("pointermove", corner(c));
      await until(() => find(".slw-map-card img") && find(".slw-mono")!.textContent!.endsWith(`${c}`));
    }
    expect(model.sent.map((request) => request.params.row)).toEqual([0, 1]);
  });

  test("after new labels the kernel is asked again", async () => {
    const { find, pointer, corner, model } = await show();
    pointer("pointermove", corner(0));
    await until(() => find(".slw-map-card img"));
    model.set("_revision", 2);
    await until(() => model.sent.length === 2);
  });

  test("passing over neurons asks for none of them", async () => {
    const { pointer, corner, model, find } = await show();
    for (const c of [0, 1, 2, 3]) pointer("pointermove", corner(c));
    pointer("pointerleave", {});
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(model.sent).toHaveLength(0);
    expect(find(".slw-map-card")).toBeNull();
  });

  test("an error of the kernel is told on the card", async () => {
    const { find, pointer, corner, model } = await show({}, null);
    pointer("pointermove", corner(2));
    await until(() => model.sent[0]);
    model.fail(model.sent[0]!, "LensUnavailable", "the images are gone");
    await until(() => find(".slw-map-card .slw-error")?.textContent === "the images are gone");
  });

  test("labels are text, never markup", async () => {
    const { find, pointer, corner } = await show({}, null);
    pointer("pointermove", corner(3));
    const card = await until(() => find(".slw-map-card"));
    expect(card.textContent).toContain("<img src=x");
    expect(card.querySelector("img")).toBeNull();
  });

  test("a click makes the neuron active", async () => {
    const { model, pointer, corner, find } = await show();
    pointer("pointerdown", corner(3), { button: 0 });
    pointer("pointerup", corner(3));
    expect(model.get("active")).toEqual({ layer: "late", neuron: 1 });
    expect(model.saves).toBe(1);
    await until(() => find(".slw-map-active")!.textContent!.includes("late / 1"));
  });

  test("dragging with Shift selects, the count is told and can be cleared", async () => {
    const { model, pointer, corner, find } = await show();
    const [a, b] = [corner(0), corner(3)];
    const out = 20;
    const path = [
      { clientX: a.clientX - out, clientY: a.clientY + out },
      { clientX: a.clientX - out, clientY: b.clientY - out },
      { clientX: a.clientX + out, clientY: b.clientY - out },
      { clientX: a.clientX + out, clientY: a.clientY + out },
    ];
    pointer("pointerdown", path[0]!, { button: 0, shiftKey: true });
    for (const at of path.slice(1)) pointer("pointermove", at);
    pointer("pointerup", path[3]!);
    const rows = new Uint32Array(model.get("selection").buffer as ArrayBuffer);
    expect([...rows]).toEqual([0, 2]);
    const chip = await until(() => find(".slw-map-chip"));
    expect(chip.textContent).toBe("2 selected");
    expect(chip.closest("[aria-live]")).not.toBeNull();
    chip.querySelector("button")!.click();
    expect(model.get("selection").byteLength).toBe(0);
  });

  test("brackets step through the neurons, through the hits where there are some", async () => {
    const { model, press, find } = await show();
    press("]");
    expect(model.get("active")).toEqual({ layer: "early", neuron: 0 });
    press("[");
    expect(model.get("active")).toEqual({ layer: "late", neuron: 1 });
    model.set("highlight", bytes(Float32Array.of(0.1, Number.NaN, 0.9, Number.NaN)));
    press("]");
    expect(model.get("active")).toEqual({ layer: "late", neuron: 0 });
    press("]");
    expect(model.get("active")).toEqual({ layer: "early", neuron: 0 });
    await until(() => find(".slw-map-rank")?.textContent?.includes("#2"));
  });

  test("keys move the view and Enter picks the neuron nearest to its centre", async () => {
    const { model, press } = await show();
    for (let i = 0; i < 8; i++) press("ArrowLeft");
    for (let i = 0; i < 8; i++) press("ArrowUp");
    press("Enter");
    expect(model.get("active")).toEqual({ layer: "late", neuron: 0 });
  });

  test("the page scrolls over a map that is not in use", async () => {
    const { stage, find } = await show();
    const turn = () => {
      const event = new WheelEvent("wheel", { deltaY: 100, cancelable: true, bubbles: true });
      stage.dispatchEvent(event);
      return event.defaultPrevented;
    };
    stage.blur();
    expect(turn()).toBe(false);
    await until(() => find(".slw-map-hint"));
    stage.focus();
    expect(turn()).toBe(true);
  });

  test("another column is asked for by trait, and one without values cannot be", async () => {
    const { model, find } = await show({ _columns: [
      { name: "layer", title: "Layer", empty: false },
      { name: "clarity", title: "Clarity", empty: false },
      { name: "score", title: "Label score", empty: true },
    ] });
    const select = find<HTMLSelectElement>("select")!;
    expect(select.options[2]!.disabled).toBe(true);
    select.value = "clarity";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    expect(model.get("color_by")).toBe("clarity");
    await until(() => find(".slw-map-legend")!.getAttribute("aria-busy") === "true");
    model.set("_color", bytes(Float32Array.of(0, 0.5, 1, Number.NaN)));
    model.set("_legend", { name: "clarity", title: "Clarity", kind: "number", min: 0, max: 1,
      missing: 1 });
    await until(() => find(".slw-map-ramp"));
    expect(find(".slw-map-legend")!.getAttribute("aria-busy")).toBe("false");
  });

  test("colours that do not come are told, and one can go back", async () => {
    const { model, find } = await show();
    model.set("color_by", "clarity");
    const notice = await until(() => find(".slw-notice"), 8000);
    expect(notice.textContent).toContain("The kernel has not sent these colours");
    notice.querySelector("button")!.click();
    expect(model.get("color_by")).toBe("layer");
    await until(() => !find(".slw-notice"));
  });

  test("states say what to do: nothing, no layout", async () => {
    const nothing = await show({ _x: NONE(), _y: NONE(), _layer_codes: NONE(), _indices: NONE(),
      _labels: [], _color: NONE() });
    expect(nothing.find(".slw-map-state")!.textContent).toContain("No neurons yet");
    const nowhere = await show({ _x: bytes(new Float32Array(4).fill(Number.NaN)) });
    expect(nowhere.find(".slw-map-state")!.textContent).toContain("No layout yet");
  });

  test("many labels are fetched once the map is there", async () => {
    const codes = bytes(Uint32Array.of(0, 0, 1, 0));
    const { find, pointer, corner } = await show({ _labels: null }, (request) =>
      request.method === "labels" ? { result: { names: ["far", "near"] }, buffers: [codes] } : undefined,
    );
    pointer("pointermove", corner(2));
    await until(() => find(".slw-map-card")?.textContent?.includes("near"));
  });

  test("cleaning up leaves no listeners", async () => {
    const { model } = await show();
    views.pop()!.cleanup();
    expect(model.listening).toBe(0);
  });
});

describe("camera", () => {
  const size = { width: 400, height: 200 };
  test("projecting and back is the identity", () => {
    const camera = { x: 0.3, y: -0.2, zoom: 3 };
    const [x, y] = unproject(camera, size, ...project(camera, size, 0.7, 0.1));
    expect([x, y]).toEqual([expect.closeTo(0.7), expect.closeTo(0.1)]);
  });
  test("what lies under the pointer stays there while zooming", () => {
    const before = unproject(HOME, size, 130, 40);
    expect(unproject(zoomAt(HOME, size, 2.5, 130, 40), size, 130, 40)).toEqual([
      expect.closeTo(before[0]), expect.closeTo(before[1]),
    ]);
  });
  test("panning moves what is seen with the pointer", () => {
    const [x, y] = project(pan(HOME, size, 30, -10), size, 0, 0);
    expect([x, y]).toEqual([expect.closeTo(230), expect.closeTo(90)]);
  });
  test("fitting shows every row, and home where there is none", () => {
    const [xs, ys] = [Float32Array.of(-0.9, 0.5, Number.NaN), Float32Array.of(0, 0.6, 0)];
    const camera = fitRows(xs, ys, size, null);
    for (const row of [0, 1]) {
      const [px, py] = project(camera, size, xs[row]!, ys[row]!);
      expect(px > 0 && px < 400 && py > 0 && py < 200).toBe(true);
    }
    expect(fitRows(xs, ys, size, [2])).toEqual(HOME);
  });
});

describe("finding points", () => {
  const x = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i * 12.9898) );
  const y = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i * 78.233));
  test("the grid finds what trying all finds", () => {
    const grid = new GridIndex(x, y);
    for (let q = 0; q < 50; q++) {
      const [qx, qy] = [Math.cos(q), Math.cos(q * 1.7)];
      let best = -1;
      let least = 0.15;
      for (let i = 0; i < x.length; i++) {
        const distance = Math.hypot(x[i]! - qx, y[i]! - qy);
        if (distance < least) [best, least] = [i, distance];
      }
      expect(grid.nearest(qx, qy, 0.15)).toBe(best);
    }
    expect(grid.nearest(0, 0, 2, () => false)).toBe(-1);
  });
  test("a concave lasso leaves its notch out", () => {
    const notch = [-1, -1, 1, -1, 1, 1, 0, 0, -1, 1];
    const rows = rowsInPolygon(Float32Array.of(0, 0, 0.9), Float32Array.of(0.5, -0.5, 0.5), notch);
    expect([...rows]).toEqual([1, 2]);
    expect(rowsInPolygon(x, y, [0, 0, 1, 1])).toHaveLength(0);
  });
});

describe("colours and emphasis", () => {
  const rows = Uint32Array.of(0, 1, 2);
  const number: Legend = { name: "c", title: "C", kind: "number", min: 2, max: 4, missing: 1 };
  test("numbers run along the ramp and missing ones take the last colour", () => {
    const codes = encode(Float32Array.of(2, 3, 4, Number.NaN), number, 4);
    const colors = palette(number, false);
    expect([...codes]).toEqual([0, 32, 63, colors.length - 1]);
    expect([...encode(Float32Array.of(2, 2), { ...number, max: 2 }, 2)]).toEqual([0, 0]);
  });
  test("more categories than colours each have their own", () => {
    const names = Array.from({ length: 24 }, (_, i) => `block${i}`);
    const legend: Legend = { name: "layer", title: "Layer", kind: "category", names, missing: 0 };
    expect(new Set(palette(legend, true).map(String)).size).toBe(25);
  });
  test("hits rank by score, ties by row", () => {
    const ranked = rankRows(Float32Array.of(0.2, Number.NaN, 0.9, 0.2));
    expect([...ranked]).toEqual([2, 0, 3]);
  });
  test("hits grow with their score, others are dimmed and drawn first", () => {
    const scores = Float32Array.of(0.2, Number.NaN, 0.9);
    const { level, order } = emphasise(rows, rankRows(scores), scores, [], null);
    expect([...level]).toEqual([2, 0, 5]);
    expect([...order]).toEqual([1, 0, 2]);
  });
  test("a selection dims the others; nothing chosen dims nothing", () => {
    const none = new Float32Array(0);
    expect([...emphasise(rows, [], none, [1], null).level]).toEqual([0, 1, 0]);
    const { level, order, dims } = emphasise(rows, [], none, [], null);
    expect([[...level], order, dims]).toEqual([[1, 1, 1], rows, false]);
  });
  test("the order of drawing is mixed, complete and always the same", () => {
    const order = mixedOrder(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect(order).toEqual(mixedOrder(1000));
    const early = [...order.slice(0, 500)].filter((row) => row < 500).length;
    expect(Math.abs(early - 250)).toBeLessThan(60);
  });
});

describe("names on the map", () => {
  test("stand where at least three of a label lie together, and do not touch", () => {
    const x = Float32Array.of(0.5, 0.5, 0.5, -0.9, 0.51, 0.51, 0.51, 0);
    const y = Float32Array.of(0.5, 0.5, 0.5, -0.9, 0.51, 0.51, 0.51, 0);
    const found = regions(x, y, ["ox", "ox", "ox", "ox", "cow", "cow", "cow", "cat"]);
    expect(found.map((region) => region.text)).toEqual(["cow", "ox"]);
    const placed = placeRegions(found, HOME, { width: 400, height: 400 }, () => 30);
    expect(placed).toHaveLength(1);
  });
});
