import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { render, type TraceTraits } from "../../src/trace/trace";
import { keyOf } from "../../src/trace/graph";
import type { Traced } from "../../src/source/messages";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, enter, EVIL, facts, jpeg, show, thumbnails } from "../neuron/panel-world";
import { TRACE } from "./world";

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

const HORN = { layer: "high", neuron: 1 };
const BELOW = [
  { layer: "low", neuron: 4, label: "red", relevance: 0.3, kept: true },
  { layer: "low", neuron: 0, label: EVIL, relevance: 0.1, kept: false },
];

function answer(request: Request, trace: Traced | null) {
  const { method, params } = request;
  if (method === "thumbnails") return thumbnails(picture, request);
  if (method === "traceable") return { result: ["ox", "zebra"] };
  if (method === "traced") return { result: trace };
  if (method !== "node") return undefined;
  const examples = [{ rank: 0, sample: 3, activation: 1, class_name: "ox", uri: "zoo/3.jpg" }];
  const own = { layer: params.layer as string, neuron: params.neuron as number, label: "horn" };
  return { result: { facts: facts(own), examples, below: own.layer === "high" ? BELOW : [] } };
}

describe.runIf(inBrowser)("the trace", () => {
  function trace(change: Partial<TraceTraits> = {}, given: Traced | null = TRACE, replies?: any) {
    const traits: TraceTraits = { active: null, target: "ox", keep: 0.8, threshold: 0, pinned: [],
      groups: {}, _revision: 0, ...change };
    const model = new FakeModel(traits, replies ?? ((request: Request) => answer(request, given)));
    const view = show(render, model);
    const card = (key: string) => view.all(".slw-node").find(({ dataset }) => dataset.key === key)!;
    return { model, ...view, card };
  }
  const drawn = (view: ReturnType<typeof trace>) => until(() => view.all(".slw-node").length > 0);

  test("a column for each layer, a card for each node, text that stays text", async () => {
    const view = trace();
    await drawn(view);
    expect(view.texts(".slw-board-heads .slw-mono")).toEqual(["high", "low"]);
    expect(view.texts(".slw-board-heads .slw-number")).toEqual(["50.0 % shown", "50.0 % shown"]);
    expect(view.all(".slw-node")).toHaveLength(7);
    expect(view.card(keyOf("high", 2)).textContent).toContain(EVIL);
    expect(view.el.querySelector("[onerror]")).toBeNull();
    expect(view.card(keyOf("high", -1)).title).toContain("50.0 % of the layer's relevance");
    expect(view.find(".slw-trace-heading h2")!.textContent).toBe("ox");
    expect(view.find(".slw-trace-heading")!.textContent).toContain("20 images · LRP EpsilonPlusFlat");
    await until(() => view.all(".slw-node img").length === 4);
  });

  test("pointing at a card lights its strongest way", async () => {
    const view = trace();
    await drawn(view);
    view.card(keyOf("high", 1)).dispatchEvent(new PointerEvent("pointerenter"));
    await until(() => view.all(".slw-edge-path").length === 2);
    const lit = view.all(".slw-node:not(.slw-node-dim)").map(({ dataset }) => dataset.key);
    expect(lit.sort()).toEqual([keyOf("", 0), keyOf("high", 1), keyOf("low", 4)].sort());
    view.card(keyOf("high", 1)).dispatchEvent(new PointerEvent("pointerleave"));
    await until(() => view.all(".slw-node-dim").length === 0);
  });

  test("a click chooses the neuron for all views, and shows what it gets most from", async () => {
    const view = trace();
    await drawn(view);
    view.card(keyOf("high", 1)).click();
    expect(view.model.traits.active).toEqual(HORN);
    await until(() => view.all(".slw-below li").length === 2);
    expect(view.card(keyOf("high", 1)).ariaPressed).toBe("true");
    expect(view.texts(".slw-below .slw-tag")).toEqual(["not kept"]);
    expect(view.find(".slw-facts[aria-label='In this trace']")!.textContent).toContain("share 40.0 %");
    view.all(".slw-below button")[0]!.click();
    expect(view.model.traits.active).toEqual({ layer: "low", neuron: 4 });
    await until(() => view.card(keyOf("low", 4)).ariaPressed === "true");
  });

  test("arrow keys walk, one stop for the Tab key", async () => {
    const view = trace();
    await drawn(view);
    const stops = () => view.all(".slw-node").filter((one) => one.tabIndex === 0);
    expect(stops().map(({ dataset }) => dataset.key)).toEqual([keyOf("", 0)]);
    stops()[0]!.focus();
    const press = (key: string) =>
      document.activeElement!.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    press("ArrowRight");
    expect((document.activeElement as HTMLElement).dataset.key).toBe(keyOf("high", 1));
    press("ArrowRight");
    expect((document.activeElement as HTMLElement).dataset.key).toBe(keyOf("low", 4));
    press("ArrowLeft");
    expect((document.activeElement as HTMLElement).dataset.key).toBe(keyOf("high", 1));
    press("Home");
    expect((document.activeElement as HTMLElement).dataset.key).toBe(keyOf("", 0));
    await until(() => stops().length === 1 && stops()[0]!.dataset.key === keyOf("", 0));
  });

  test("pin, threshold and groups", async () => {
    const view = trace({ active: { layer: "high", neuron: 2 } });
    await until(() => view.button("Pin"));
    view.button("Pin")!.click();
    expect(view.model.traits.pinned).toEqual([{ layer: "high", neuron: 2 }]);
    view.model.set("threshold", 0.35);
    await until(() => view.all(".slw-node-neuron").length === 2); // 40 %, and the pinned one
    await until(() => view.button("Pinned"));
    enter(view.find(".slw-group-form input")!, " warm ");
    view.find(".slw-group-form")!.dispatchEvent(new SubmitEvent("submit", { bubbles: true, cancelable: true }));
    expect(view.model.traits.groups).toEqual({ warm: [{ layer: "high", neuron: 2 }] });
    const card = await until(() => view.card(keyOf("high", "warm")));
    card.click();
    const leave = await until(() => view.button("Take high / 2 out of warm"));
    leave.click();
    expect(view.model.traits.groups).toEqual({});
  });

  test("without a trace it can be asked for, and says how far it is", async () => {
    let given: Traced | null = null;
    const view = trace({ target: "zebra", active: HORN }, null, (request: Request) => answer(request, given));
    const button = await until(() => view.button("Trace class"));
    await until(() => view.find(".slw-state")?.textContent?.includes("Trace a class or a neuron"));
    expect(view.button("Trace high / 1")).toBeDefined();
    button.click();
    const request = await until(() => view.asked("trace")[0]);
    expect(request.params).toEqual({ target: "zebra", neuron: null, keep: 0.8 });
    view.model.tell(request, { done: 10, total: 40 });
    await until(() => view.find("progress")?.getAttribute("value") === "0.25");
    button.click(); // it is at work
    given = TRACE;
    view.model.reply(request, {});
    view.model.set("_revision", 1);
    await drawn(view);
    expect(view.asked("trace")).toHaveLength(1);
    expect(view.find("progress")).toBeNull();
  });

  test("why it cannot be traced is said, and can be tried again", async () => {
    const view = trace({}, null);
    (await until(() => view.button("Trace class"))).click();
    await until(() => view.asked("trace").length === 1);
    view.model.fail(view.asked("trace")[0]!, "ValueError", `of='ox' ${EVIL}: no images`);
    await until(() => view.find("[role=alert]"));
    expect(view.find("[role=alert]")!.textContent).toContain(EVIL);
    view.button("Retry")!.click();
    await until(() => view.asked("trace").length === 2);
  });

  test("a trace that does not come is asked for again; the old one stays meanwhile", async () => {
    let works = true;
    const view = trace({}, TRACE, (request: Request) =>
      request.method === "traced" && !works ? undefined : answer(request, TRACE));
    await drawn(view);
    works = false;
    view.model.set("_revision", 1);
    await until(() => view.asked("traced").length === 2);
    view.model.fail(view.asked("traced")[1]!, "OSError", "The disk is away.");
    await until(() => view.find("[role=alert]"));
    expect(view.all(".slw-node")).toHaveLength(7);
    works = true;
    view.button("Retry")!.click();
    await until(() => view.find("[role=alert]") === null);
  });

  test("ablation is shown beside relevance", async () => {
    const agreement = { value: 0.72, low: 0.57, high: 0.82 };
    const ablated = { neurons: 8, agreement, of_nodes: null, drop: 0.3, control: 0 };
    let given = TRACE;
    const view = trace({ active: HORN }, null, (request: Request) => answer(request, given));
    (await until(() => view.button("Verify by ablation"))).click();
    await until(() => view.asked("verify").length === 1);
    const nodes = TRACE.nodes.map((one, at) => (at === 1 ? { ...one, drop: 1.75 } : one));
    given = { ...TRACE, nodes, ablated };
    view.model.reply(view.asked("verify")[0]!, {});
    view.model.set("_revision", 1);
    await until(() => view.find(".slw-verify")!.textContent!.includes("0.72 [0.57, 0.82] over 8 neurons"));
    await until(() => view.find("[aria-label='In this trace']")!.textContent!.includes("ablation takes 1.75"));
  });

  test("at the end nothing listens any more", async () => {
    const view = trace();
    await drawn(view);
    view.stop();
    expect(view.model.listening).toBe(0);
  });
});
