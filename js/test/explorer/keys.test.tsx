// The explorer by keyboard, what chance says of its hits, and what a large table may fail to send.
import { afterEach, describe, expect, test } from "vitest";
import { render, type ExplorerTraits } from "../../src/explorer/explorer";
import type { HostedContext } from "../../src/source/host";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, enter, show } from "../neuron/panel-world";
import VIEWS from "./views.json";
import { coded } from "../labels";

afterEach(endViews);

const n = (neuron: number) => ({ layer: "layer4", neuron });
const NONE = () => new DataView(new ArrayBuffer(0));
const view = (array: ArrayBufferView) => new DataView(array.buffer as ArrayBuffer);
const HITS = [{ ...n(2), label: "old", score: 0.5, chance: 0.2 }, { ...n(1), label: "", score: 0.1, chance: 0.2 }];

/** `ask` answers what the map's table is asked for; null: that fails. */
function explorer(hits = HITS, table: object = {}, ask: (request: Request) => any = () => undefined) {
  const traits: ExplorerTraits = { active: null, _layers: ["layer4"],
    _views: VIEWS.map((view) => ({ ...view, model: `anywidget:${view.name}` })), query: "", query_layer: null, like: null,
    tab: "gallery" };
  const model = new FakeModel(traits, ({ method }) =>
    method === "search" ? { result: { hits }, buffers: [NONE()] } : undefined);
  const map: FakeModel<any> = new FakeModel({ active: null, highlight: NONE(), _count: 3, _revision: 1,
    _selected: NONE(), filter: {}, color_by: "layer", _labels: coded(["a", "b", "c"]), _columns: [],
    _data: {
      layer: { kind: "category", name: "layer", title: "Layer", names: ["layer4"], missing: 0,
        data: view(new Uint16Array(3)) },
      neuron: { kind: "index", data: view(Uint32Array.from([0, 1, 2])) },
    }, ...table }, (request) => {
    const answer = ask(request);
    if (answer === null) queueMicrotask(() => map.fail(request, "OSError", "The disk is away."));
    return answer ?? undefined;
  });
  const other = new FakeModel<any>({ active: null });
  const host = {
    getModel: async (reference: string) => reference === "anywidget:map" ? map : other,
    getWidget: async () => ({ render: async () => {} }),
  };
  const shown = show<ExplorerTraits>(
    (context) => render({ ...context, host } as HostedContext<ExplorerTraits>), model);
  const box = shown.find(".slw-search input") as HTMLInputElement;
  const press = (on: Element, key: string) => on.dispatchEvent(
    new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  return { model, map, box, press, ...shown };
}

describe.runIf(inBrowser)("the search field", () => {
  test("Enter searches at once, and then goes to the best hit; the arrow goes into the list", async () => {
    const { model, box, press, all, asked } = explorer();
    enter(box, "stripes");
    box.form!.requestSubmit();
    expect(asked("search")).toHaveLength(1);
    await until(() => all(".slw-hit").length === 2);
    box.focus();
    press(box, "ArrowDown");
    expect(document.activeElement).toBe(all(".slw-hit")[0]);
    press(all(".slw-hit")[0]!, "ArrowRight");
    expect(document.activeElement).toBe(all(".slw-hit")[1]);
    box.focus();
    box.form!.requestSubmit();
    expect(model.traits.active).toEqual(n(2));
    expect([asked("search").length, document.activeElement]).toEqual([1, box]);
    enter(box, "dots");
    box.form!.requestSubmit(); // other words: search first
    expect(asked("search")).toHaveLength(2);
  });

  test("without hits the arrow stays in the field", async () => {
    const { box, press } = explorer();
    box.focus();
    press(box, "ArrowDown");
    expect(document.activeElement).toBe(box);
  });
});

describe.runIf(inBrowser)("hits", () => {
  test("carry the labels of now, and those below chance are muted and said", async () => {
    const { map, box, all, texts, find } = explorer();
    enter(box, "stripes");
    await until(() => texts(".slw-hit > :first-child").join() === "c,b");
    expect(all(".slw-hit").map((hit) => hit.classList.contains("slw-hit-by-chance"))).toEqual([false, true]);
    expect(all(".slw-hit")[1]!.textContent).toContain("no more than a random word may score");
    expect(find(".slw-hits-of")!.textContent).toContain("top 2");
    map.set("_labels", coded(["a", "b", "new"]));
    await until(() => texts(".slw-hit > :first-child")[0] === "new");
  });

  test("of which none is above chance are called so", async () => {
    const { box, find } = explorer(HITS.map((hit) => ({ ...hit, score: 0.1 })));
    enter(box, "qwertz");
    await until(() => find(".slw-hits-of")?.textContent?.includes("none above chance"));
  });
});

describe.runIf(inBrowser)("a table too large for the state", () => {
  const LARGE = { _labels: null, _data: {} };
  const columns = ({ method, params }: Request) => {
    if (method === "labels") {
      return { result: { kind: "labels", names: ["x", "y"] }, buffers: [view(Uint32Array.of(0, 1, 1))] };
    }
    return params.name === "neuron"
      ? { result: { kind: "index" }, buffers: [view(Uint32Array.from([0, 1, 2]))] }
      : { result: { kind: "category", name: "layer", title: "Layer", names: ["layer4"], missing: 0 },
        buffers: [view(new Uint16Array(3))] };
  };

  test("is asked for labels too, and a failure can be asked for again", async () => {
    let broken = true;
    const { map, texts, find, button } = explorer([], LARGE, (request) => broken ? null : columns(request));
    map.set("_selected", view(Uint8Array.of(0b101)));
    await until(() => find("[role=alert]")?.textContent?.includes("The disk is away."));
    broken = false;
    button("Retry")!.click();
    await until(() => texts(".slw-hit > :first-child").join() === "x,y");
    expect(find("[role=alert]")).toBeNull();
  });
});

describe.runIf(inBrowser)("a notebook that listens before its content does", () => {
  test("gets keys with Ctrl, and no others of the widget's", async () => {
    const { box, press, all, asked } = explorer();
    const taken: string[] = [];
    // As Lumino does: it looks for the attribute from the target upwards, till its selector matches.
    const shortcuts = (event: KeyboardEvent) => {
      if ((event.target as Element).hasAttribute("data-lm-suppress-shortcuts")) return;
      taken.push(event.key);
      event.stopPropagation();
    };
    document.addEventListener("keydown", shortcuts, true);
    try {
      enter(box, "stripes");
      box.form!.requestSubmit();
      await until(() => asked("search").length === 1 && all(".slw-hit").length === 2);
      press(box, "ArrowDown");
      expect(document.activeElement).toBe(all(".slw-hit")[0]);
      const save = { key: "s", ctrlKey: true, bubbles: true };
      all(".slw-hit")[0]!.dispatchEvent(new KeyboardEvent("keydown", save));
      press(all(".slw-hit")[0]!, "ArrowRight");
      expect(document.activeElement).toBe(all(".slw-hit")[1]);
      press(document.body, "b");
    } finally {
      document.removeEventListener("keydown", shortcuts, true);
    }
    expect(taken).toEqual(["s", "b"]);
  });
});
