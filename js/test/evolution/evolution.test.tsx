import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { render } from "../../src/evolution/evolution";
import type { EvolutionTraits } from "../../src/evolution/state";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { coded } from "../labels";
import { endViews, EVIL, jpeg, show, thumbnails } from "../neuron/panel-world";

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(() => {
  endViews();
  vi.restoreAllMocks();
});

const bytes = (values: Float32Array | Uint32Array | Uint8Array) =>
  new DataView(values.slice().buffer as ArrayBuffer);
const number = (name: string, ...values: number[]) => ({
  kind: "number" as const, name, title: name, min: 0, max: 1, missing: 0,
  data: bytes(Float32Array.from(values)),
});
const category = (name: string, names: string[], ...codes: number[]) => ({
  kind: "category" as const, name, title: name, names, counts: names.map(() => 0), missing: 0,
  data: bytes(Uint8Array.from(codes)),
});
const NONE = 0xff;

/** Two neurons at three steps: the first stays, the second goes to the right, and dies. */
const DATA = {
  x: { kind: "place" as const, data: bytes(Float32Array.of(-1, -0.5, -1, 1, -1, NaN)) },
  y: { kind: "place" as const, data: bytes(Float32Array.of(0, 0, 0, 0, 0, NaN)) },
  neuron: { kind: "index" as const, data: bytes(Uint32Array.of(4, 7, 4, 7, 4, 7)) },
  layer: category("layer", ["deep"], 0, 0, 0, 0, 0, 0),
  label_changed: category("label_changed", ["kept", "changed"], NONE, NONE, 0, 1, NONE, NONE),
  moved: number("moved", NaN, NaN, 0, 0.5, 0, NaN),
  score: number("score", 0.1, 0.2, 0.3, 0.4, 0.5, NaN),
  clarity: number("clarity", 0.5, 0.6, 0.7, 0.8, 0.9, NaN),
  unsure: { kind: "flags" as const, data: bytes(Uint8Array.of(0b1)) },
  dead: category("dead", ["no", "yes"], 0, 0, 0, 0, 0, 1),
};
const shown = (sample: number) => ({ sample, activation: 1, class_name: "ox", uri: `zoo/${sample}.jpg` });
const THROUGH = { moments: [{ examples: [shown(0)] }, { examples: [shown(1), shown(4)] }, { examples: [] }] };

const answers = (request: Request): { result: unknown; buffers?: DataView[] } | undefined => {
  if (request.method === "through") return { result: THROUGH };
  if (request.method === "thumbnails") return thumbnails(picture, request);
  if (request.method !== "hover") return undefined;
  const result = { label: "", unsure: false, score: null, measures: [], examples: ["ox"] };
  return { result, buffers: [picture] };
};

const asked = window.matchMedia.bind(window);

/** Whether motion is to be reduced, as the page is told. */
function motion(reduced: boolean) {
  vi.spyOn(window, "matchMedia").mockImplementation((query) =>
    query.includes("reduced-motion")
      ? ({ matches: reduced } as MediaQueryList)
      : asked(query));
}

describe.runIf(inBrowser)("a model through its training", () => {
  function evolution(change: Partial<EvolutionTraits> = {}, replies = answers) {
    const traits: EvolutionTraits = {
      active: null, step: "epoch 0", color_by: "layer", _steps: ["epoch 0", "epoch 1", "epoch 2"],
      _layers: ["deep"], _count: 6, _labels: coded(["ox", "ox", "ox", EVIL, "", ""]), _data: DATA,
      _columns: [
        { name: "layer", title: "Layer", kind: "category", empty: false },
        { name: "moved", title: "Moved", kind: "number", empty: false },
        { name: "score", title: "Label score", kind: "number", empty: true },
      ],
      _notes: [], _selected: bytes(new Uint8Array()), _revision: 0, ...change,
    };
    const model = new FakeModel(traits, replies);
    const view = show(render, model);
    const slider = view.find("input[type=range]") as HTMLInputElement;
    const stage = view.find(".slw-evo-stage")!;
    const ring = (kind: string) => view.el.querySelector(`.slw-evo-${kind}`);
    const key = (name: string) =>
      stage.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    return { model, slider, stage, ring, key, ...view };
  }
  const SECOND = { layer: "deep", neuron: 7 };
  const x = (circle: Element | null) => Number(circle?.getAttribute("cx"));

  test("the slider goes from step to step and says where it is", async () => {
    motion(true);
    const view = evolution();
    expect(view.slider.ariaValueText ?? view.slider.getAttribute("aria-valuetext")).toBe("epoch 0");
    expect(view.slider.max).toBe("2");
    view.slider.value = "1";
    view.slider.dispatchEvent(new Event("input", { bubbles: true }));
    await until(() => view.model.traits.step === "epoch 1");
    await until(() => view.find(".slw-evo-step")!.textContent === "epoch 1");
    expect(view.stage.ariaLabel).toBe("Map of the neurons at epoch 1");
  });

  test("a neuron glides; where motion is to be reduced it jumps", async () => {
    motion(false);
    const view = evolution({ active: SECOND });
    const before = x(await until(() => view.ring("active")));
    view.model.set("step", "epoch 1");
    const on = await until(() => {
      const now = x(view.ring("active"));
      return now > before ? now : 0;
    });
    const goal = () => Number(view.ring("way")!.getAttribute("points")!.split(" ")[1]!.split(",")[0]);
    await until(() => x(view.ring("active")) === goal());
    const after = goal();
    expect(on).toBeLessThan(after);
    endViews();
    motion(true);
    const still = evolution({ active: SECOND });
    await until(() => still.ring("active"));
    still.model.set("step", "epoch 1");
    await until(() => x(still.ring("active")) !== before);
    expect(x(still.ring("active"))).toBeCloseTo(after, 3);
  });

  test("playing goes to the last step and ends; touching the slider pauses it", async () => {
    motion(true);
    const view = evolution({ step: "epoch 1" });
    view.button("Play")!.click();
    await until(() => view.model.traits.step === "epoch 2");
    await until(() => view.button("Play"));
    view.button("Play")!.click(); // from the start again
    await until(() => view.model.traits.step === "epoch 0" && view.button("Pause"));
    view.slider.dispatchEvent(new Event("input", { bubbles: true }));
    await until(() => view.button("Play"));
  });

  test("a click follows a neuron through every step; its label stays text", async () => {
    motion(true);
    const view = evolution({ step: "epoch 1" });
    await until(() => view.stage.clientWidth > 0);
    view.key("ArrowLeft");
    view.key("ArrowRight");
    await until(() => view.ring("pointed"));
    await until(() => view.find(".slw-map-card img"));
    view.key("ArrowRight");
    await until(() => view.find(".slw-evo-said")!.textContent!.startsWith("deep / 7"));
    view.key("Enter");
    expect(view.model.traits.active).toEqual(SECOND);
    view.el.style.width = "900px"; // beside the map, where pictures are in view
    await until(() => view.all(".slw-evo-thumbs img").length === 3);
    expect(view.texts(".slw-evo-label")).toEqual(["ox", EVIL, "no label"]);
    expect(view.el.querySelector("[onerror]")).toBeNull();
    expect(view.texts(".slw-evo-moment:nth-child(2) b")).toEqual(["0.40", "0.80", "0.50"]);
    expect(view.texts(".slw-tag")).toEqual(["changed", "dead"]);
    view.model.set("active", { layer: "deep", neuron: 4 });
    await until(() => view.texts(".slw-tag").join() === "by chance");
    view.model.set("active", SECOND);
    expect(view.texts(".slw-evo-moment:last-child p")).toEqual(["No image activates this neuron."]);
    expect(view.find("[aria-current=step] .slw-evo-goto")!.textContent).toBe("epoch 1");
    view.all(".slw-evo-goto")[0]!.click();
    await until(() => view.find("[aria-current=step] .slw-evo-goto")!.textContent === "epoch 0");
  });

  test("Space selects for all views, and who is dead is not on the map, and said to be so", async () => {
    motion(true);
    const view = evolution({ step: "epoch 2", active: SECOND });
    await until(() => view.stage.clientWidth > 0);
    expect(view.ring("active")).toBeNull();
    expect(view.find(".slw-evo-legend")!.textContent).toContain("1 dead neuron not on the map");
    view.key("ArrowUp");
    view.key(" ");
    expect([...new Uint8Array(view.model.traits._selected.buffer)]).toEqual([1]);
    await until(() => view.button("Clear"));
    view.button("Clear")!.click();
    expect(view.model.traits._selected.byteLength).toBe(0);
  });

  test("what is not in the state is asked for, and a failure says why", async () => {
    const view = evolution({ _data: {}, _labels: null }, (request) =>
      request.method === "column" ? undefined : answers(request));
    const x = await until(() => view.asked("column").find(({ params }) => params.name === "x"));
    view.model.fail(x, "StoreError", "the analysis was made anew");
    await until(() => view.find(".slw-notice-error")?.textContent?.includes("was made anew"));
  });

  test("notes are said, colours without values are not offered, a kernel's refusal leaves the figures", async () => {
    const view = evolution({ _notes: [EVIL], active: SECOND }, () => undefined);
    expect(view.texts(".slw-notice bdi")).toEqual([EVIL]);
    expect(view.texts("select option")).toEqual(["Layer", "Moved"]);
    const through = await until(() => view.asked("through")[0]);
    view.model.fail(through, "KeyError", "no images any more");
    await until(() => view.find("[role=alert]")?.textContent?.includes("no images any more"));
    expect(view.texts(".slw-evo-label")).toEqual(["ox", EVIL, "no label"]);
    expect(view.all(".slw-evo-thumbs")).toHaveLength(0);
  });
});
