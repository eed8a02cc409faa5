import { afterEach, describe, expect, test, vi } from "vitest";
import type { HostedContext } from "../../src/source/host";
import { render, type ExplorerTraits } from "../../src/explorer/explorer";
import { hearMark, tellPointed } from "../../src/shared/links";
import type { Neuron } from "../../src/source/model";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, enter, EVIL, show } from "../neuron/panel-world";
import VIEWS from "./views.json";
import { coded } from "../labels";

afterEach(endViews);

const n = (neuron: number): Neuron => ({ layer: "layer4", neuron });

describe.runIf(inBrowser)("the explorer", () => {
  const NONE = () => new DataView(new ArrayBuffer(0));

  const view = (array: ArrayBufferView) => new DataView(array.buffer as ArrayBuffer);
  /** Six neurons of one layer, as the map's model holds them. */
  const TABLE = {
    _count: 6, _revision: 1, _selected: NONE(), filter: {}, color_by: "layer",
    _labels: coded(["a", "b", "c", EVIL, "e", "f"]),
    _data: {
      layer: { kind: "category", name: "layer", title: "Layer", names: ["layer4"], missing: 0,
        data: view(new Uint16Array(6)) },
      neuron: { kind: "index", data: view(Uint32Array.from([0, 1, 2, 3, 4, 5])) },
      clarity: { kind: "number", name: "clarity", title: "Clarity", missing: 0,
        data: view(Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6)) },
    },
  };

  function explorer(
    replies: (request: Request) => any = () => undefined,
    hosted = true,
    change: Partial<ExplorerTraits> = {},
  ) {
    const traits: ExplorerTraits = { active: null, _layers: ["layer3", "layer4"],
      _views: VIEWS.map((view) => ({ ...view, model: `anywidget:${view.name}` })),
      query: "", query_layer: null, like: null, tab: "gallery", ...change };
    const model = new FakeModel(traits, replies);
    const children = new Map(VIEWS.map(({ name }) => [
      `anywidget:${name}`,
      new FakeModel<any>({ active: null, highlight: NONE(), ...(name === "map" ? TABLE : {}) }),
    ]));
    const host = {
      getModel: async (reference: string) => children.get(reference)!,
      getWidget: async (reference: string) => ({
        render: async ({ el }: { el: HTMLElement }) => void el.append(`child ${reference}`),
      }),
    };
    const shown = show<ExplorerTraits>(
      (context) => render(hosted ? ({ ...context, host } as HostedContext<ExplorerTraits>) : context),
      model,
    );
    return { model, map: children.get("anywidget:map")!, gallery: children.get("anywidget:gallery")!,
      contrast: children.get("anywidget:contrast")!, ...shown };
  }

  const found = (request: Request) =>
    request.method === "search"
      ? {
          result: { hits: [{ ...n(4), label: EVIL, score: 0.5 }, { ...n(5), label: "", score: 0.4 }] },
          buffers: [new DataView(Float32Array.of(NaN, 0.5).buffer)],
        }
      : undefined;

  test("shows its children and links them", async () => {
    const { el, model, map, gallery, texts } = explorer();
    await until(() => texts(".slw-hosted").join() === VIEWS.map(({ name }) => `child anywidget:${name}`).join());
    map.set("active", n(3));
    expect(model.traits.active).toEqual(n(3));
    expect(gallery.traits.active).toEqual(n(3));
    expect(el.querySelector("[role=tabpanel]:not([hidden])")!.textContent).toContain("anywidget:gallery");
  });

  test("a search lists neurons, lights them on the map, and a click chooses one", async () => {
    const { el, model, map, find, texts, all, button } = explorer(found);
    await until(() => texts(".slw-hosted").length === VIEWS.length);
    enter(find(".slw-search input")!, "stripes");
    await until(() => all(".slw-hit").length === 2);
    // As the map's table has them now, whatever they were when they were found.
    expect(texts(".slw-hit > :first-child")).toEqual(["e", "f"]);
    map.set("_labels", coded(["a", "b", "c", "d", EVIL, ""]));
    await until(() => texts(".slw-hit > :first-child").join() === `${EVIL},not labelled`);
    expect(el.querySelector("[onerror]")).toBeNull();
    expect(new Float32Array(map.traits.highlight.buffer)).toEqual(Float32Array.of(NaN, 0.5));
    expect(map.saves).toBe(1);
    all(".slw-hit")[1]!.click();
    expect(model.traits.active).toEqual(n(5));
    expect(map.traits.active).toEqual(n(5));
    await until(() => all(".slw-hit")[1]!.ariaPressed === "true");
    button("Clear the search")!.click();
    await until(() => all(".slw-hit").length === 0);
    expect(map.traits.highlight.byteLength).toBe(0);
  });

  test("a hit pointed at or focused is told to the map, which sends nothing", async () => {
    const { el, model, map, find, all, texts } = explorer(found);
    await until(() => texts(".slw-hosted").join("").includes("anywidget:contrast"));
    const onMap = Object.assign(document.createElement("div"), { className: "slw slw-map" });
    el.querySelector(".slw-hosted")!.append(onMap);
    const marked: (Neuron | null)[] = [];
    hearMark(onMap, (neuron) => marked.push(neuron && n(neuron.neuron)));
    enter(find(".slw-search input")!, "stripes");
    await until(() => all(".slw-hit").length === 2);
    const before = [model.sent.length, model.saves, map.sent.length, map.saves];
    const [first, second] = all(".slw-hit") as [HTMLElement, HTMLElement];
    first.dispatchEvent(new PointerEvent("pointerenter"));
    first.dispatchEvent(new PointerEvent("pointerleave"));
    second.focus();
    second.blur();
    expect(marked).toEqual([n(4), null, n(5), null]);
    second.focus();
    second.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await until(() => all(".slw-hit").length === 0);
    expect(marked.at(-1)).toBeNull();
    expect(document.activeElement).toBe(find(".slw-search input"));
    expect([model.sent.length, map.sent.length]).toEqual([before[0], before[2]]);
  });

  test("what the map points at is marked in the list without moving it", async () => {
    const { el, model, find, all, texts } = explorer(found);
    await until(() => texts(".slw-hosted").length === VIEWS.length);
    enter(find(".slw-search input")!, "stripes");
    await until(() => all(".slw-hit").length === 2);
    const [sent, saves] = [model.sent.length, model.saves];
    const places = () => JSON.stringify(all(".slw-hit").map((hit) => hit.getBoundingClientRect()));
    const [before, inside] = [places(), el.querySelector<HTMLElement>(".slw-hosted")!];
    const pointed = () => all(".slw-hit").map((hit) => hit.hasAttribute("data-pointed"));
    tellPointed(inside, n(5));
    await new Promise(requestAnimationFrame);
    await new Promise(requestAnimationFrame);
    expect(pointed()).toEqual([false, true]);
    expect(places()).toBe(before);
    tellPointed(inside, n(9)); // not in the list
    await until(() => !pointed().includes(true));
    expect([model.sent.length, model.saves]).toEqual([sent, saves]);
  });

  test("a search for neurons like one is ended in the box, by key and by button", async () => {
    const { model, find, all, button, asked } = explorer(found, true, { active: n(1) });
    const box = find(".slw-search input") as HTMLInputElement;
    const key = (on: Element, name: string) =>
      on.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true }));
    const similar = button("Similar neurons")!;
    const ends: [string, () => void][] = [
      ["Escape in the box", () => key(box, "Escape")],
      ["Escape where it was begun", () => key(similar, "Escape")],
      ["Backspace in the empty box", () => key(box, "Backspace")],
      ["Enter in the empty box", () => box.form!.requestSubmit()],
      ["the button", () => button("End the search")!.click()],
    ];
    for (const [name, end] of ends) {
      similar.click();
      await until(() => all(".slw-hit").length === 2 && button("End the search"));
      const before = asked("search").length;
      end();
      await until(() => all(".slw-hit").length === 0 && !button("End the search"));
      expect(model.traits.like, name).toBeNull();
      expect(asked("search").length, name).toBe(before);
    }
  });

  test("goes back and forward", async () => {
    const { model, map, button, texts } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:contrast"));
    const back = () => button("Go back") as HTMLButtonElement;
    expect(back().disabled).toBe(true);
    map.set("active", n(1));
    map.set("active", n(2));
    await until(() => !back().disabled);
    back().click();
    expect(map.traits.active).toEqual(n(1));
    await until(() => !(button("Go forward to layer4 / 2") as HTMLButtonElement)?.disabled);
    button("Go forward")!.click();
    expect(model.traits.active).toEqual(n(2));
  });

  test("a failed search says why and can be repeated", async () => {
    const { model, find, button, asked, all } = explorer();
    enter(find(".slw-search input")!, "stripes");
    await until(() => asked("search").length === 1);
    model.fail(asked("search")[0]!, "LensUnavailable", "There is no foundation model.");
    await until(() => find("[role=alert]"));
    expect(find("[role=alert]")!.textContent).toContain("There is no foundation model.");
    button("Retry")!.click();
    await until(() => asked("search").length === 2);
    const reply = found(asked("search")[1]!)!;
    model.reply(asked("search")[1]!, reply.result, reply.buffers);
    await until(() => all(".slw-hit").length === 2);
    expect(find("[role=alert]")).toBeNull();
  });

  test("the neuron's measures stand among those of its layer, without the kernel", async () => {
    const { map, texts, find, asked } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:contrast"));
    map.set("active", n(3));
    await until(() => find(".slw-measures"));
    expect(find(".slw-measures li")!.title).toContain("higher than in 60 % of layer4");
    expect(texts(".slw-measures b")[0]).toBe("0.40");
    expect(asked("search")).toEqual([]);
  });

  test("what is selected on the map is listed, marked where its filter hides it, and cleared", async () => {
    const { model, map, texts, all, button } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:contrast"));
    map.set("_selected", view(Uint8Array.of(0b101000)));
    await until(() => all(".slw-hit").length === 2);
    expect(texts(".slw-hit > :first-child")).toEqual([EVIL, "f"]);
    expect(texts(".slw-hits-of span")).toEqual(["2 neurons"]);
    map.set("filter", { clarity: [0.5, 1] });
    await until(() => all(".slw-hit-filtered").length === 1);
    all(".slw-hit")[1]!.click();
    expect(model.traits.active).toEqual(n(5));
    button("Clear the selection")!.click();
    await until(() => all(".slw-hit").length === 0);
    expect(map.traits._selected.byteLength).toBe(0);
  });

  test("a search is one event for Python; Python searches too", async () => {
    const { model, find, all, asked, texts } = explorer(found);
    await until(() => texts(".slw-hosted").length === VIEWS.length);
    const before = model.saves;
    enter(find(".slw-search input")!, "st");
    enter(find(".slw-search input")!, "stripes");
    await until(() => all(".slw-hit").length === 2);
    expect([model.traits.query, model.traits.like, model.saves - before]).toEqual(["stripes", null, 1]);
    expect(asked("search")).toHaveLength(1);
    model.set("query", "dots");
    await until(() => asked("search").length === 2);
    expect(asked("search")[1]!.params).toMatchObject({ query: "dots" });
    await until(() => texts(".slw-hits-of strong")[0] === "“dots”");
    expect((find(".slw-search input") as HTMLInputElement).value).toBe("dots");
  });

  test("a restored view searches again and opens its tab", async () => {
    const { find, all, map } = explorer(found, true, { query: "stripes", query_layer: "layer4", tab: "contrast" });
    await until(() => all(".slw-hit").length === 2);
    await until(() => map.traits.highlight.byteLength === 8);
    expect((find(".slw-search select") as HTMLSelectElement).value).toBe("layer4");
    expect(find("[role=tab][aria-selected=true]")!.textContent).toBe("Labels and contrast");
  });

  test("the state is copied as Python", async () => {
    const written = vi.spyOn(navigator.clipboard, "writeText").mockResolvedValue();
    const { map, contrast, button, texts } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:contrast"));
    map.set("active", n(3));
    map.set("_selected", view(Uint8Array.of(0b10)));
    contrast.set("_excluded", { ...n(3), ranks: [2] });
    contrast.set("candidates", [`it's "${EVIL}"`]);
    await until(() => !(button("Copy state") as HTMLButtonElement).disabled);
    button("Copy state")!.click();
    await until(() => written.mock.calls.length === 1);
    const [text] = written.mock.calls[0]!;
    expect(text).toContain('lens.explore(state={"active": ["layer4", 3], "query": "", "query_layer": None');
    expect(text).toContain(`"candidates": ["it's \\"${EVIL}\\""]`);
    expect(text).toContain('"excluded": [2]');
    expect(text).toContain('"selection": [1]})');
    await until(() => button("Copy state")!.textContent === "Copied");
  });

  test("where there is room two panels stand beside the map, none is started again", async () => {
    const { el, model, all, texts } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:contrast"));
    const [examples, ...others] = VIEWS.slice(1).map(({ title }) => title);
    const hosted = all(".slw-hosted > *");
    el.style.width = "1500px";
    await until(() => all("[role=region]").length === 1);
    expect(texts("[role=tab]")).toEqual(others);
    expect(all("[role=region]")[0]!.ariaLabelledByElements?.[0]?.textContent).toBe(examples);
    const open = () => texts(".slw-tab-panel:not([hidden])");
    expect(open()).toEqual(["child anywidget:gallery", "child anywidget:contrast"]);
    model.set("tab", "audit");
    await until(() => open()[1] === "child anywidget:audit");
    expect(open()).toHaveLength(2);
    el.style.width = "900px";
    await until(() => all("[role=tab]").length === VIEWS.length - 1);
    expect(open()).toEqual(["child anywidget:audit"]);
    expect(all(".slw-hosted > *")).toEqual(hosted);
  });

  test("a front end that cannot nest widgets is told so", () => {
    const { find } = explorer(() => undefined, false);
    expect(find(".slw-state")!.textContent).toContain("cannot show widgets inside");
  });

  test("at the end nothing listens any more", async () => {
    const { model, map, gallery, stop, texts } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:contrast"));
    stop();
    expect([model, map, gallery].map((one) => one.listening)).toEqual([0, 0, 0]);
  });
});
