import { afterEach, describe, expect, test, vi } from "vitest";
import { linkActive, type HostedContext } from "../src/children";
import { render, type ExplorerTraits } from "../src/explorer";
import { createFinder } from "../src/finder";
import { Rpc } from "../src/rpc";
import { createTrail } from "../src/trail";
import type { Neuron } from "../src/model";
import { FakeModel, inBrowser, until, type Request } from "./fake-model";
import { endViews, enter, EVIL, show } from "./panel-world";

afterEach(endViews);

const n = (neuron: number): Neuron => ({ layer: "layer4", neuron });

describe("linked selections", () => {
  const models = (...active: (Neuron | null)[]) =>
    active.map((one) => new FakeModel<{ active: Neuron | null }>({ active: one }));

  test("start from the first that has one", () => {
    const [a, b, c] = models(null, n(2), n(3)) as any;
    linkActive([a, b, c]);
    expect([a, b, c].map((model) => model.traits.active.neuron)).toEqual([2, 2, 2]);
  });

  test("follow whichever changes, each saved once, until unlinked", () => {
    const [a, b, c] = models(null, null, null) as any;
    const unlink = linkActive([a, b, c]);
    b.set("active", n(5)); // its own view saves b
    expect([a.traits.active, c.traits.active]).toEqual([n(5), n(5)]);
    expect([a.saves, b.saves, c.saves]).toEqual([1, 0, 1]);
    c.set("active", null);
    expect([a.traits.active, b.traits.active]).toEqual([null, null]);
    unlink();
    a.set("active", n(7));
    expect(b.traits.active).toBeNull();
    expect([a, b, c].map((model) => model.listening)).toEqual([0, 0, 0]);
  });
});

test("the trail goes back, forward, and branches", () => {
  const trail = createTrail();
  for (const step of [1, 2, 3, 3]) trail.visit(n(step));
  expect([trail.previous.value, trail.next.value]).toEqual([n(2), null]);
  trail.visit(n(2));
  expect([trail.previous.value, trail.next.value]).toEqual([n(1), n(3)]);
  trail.visit(null);
  trail.visit(n(9));
  expect([trail.previous.value, trail.next.value]).toEqual([n(2), null]);
});

describe("the finder", () => {
  function finder() {
    const model = new FakeModel({});
    const highlight = vi.fn();
    const made = createFinder(new Rpc(model), highlight);
    return { model, highlight, ...made };
  }
  const hits = (label: string) => ({ hits: [{ ...n(1), label, score: 0.4 }] });
  const bytes = () => new DataView(new ArrayBuffer(4));

  test("waits for a pause in typing; Enter does not", async () => {
    const { model, text, submit } = finder();
    text.value = "s";
    text.value = "st";
    expect(model.sent).toHaveLength(0);
    await until(() => model.sent.length === 1);
    expect(model.sent[0]!.params).toEqual({ query: "st", like: null, layer: null });
    text.value = "str";
    submit();
    expect(model.sent).toHaveLength(2);
  });

  test("an older answer never replaces a newer one, nor one cleared away", async () => {
    const { model, text, submit, found, highlight, clear } = finder();
    for (const word of ["one", "two"]) {
      text.value = word;
      submit();
    }
    model.reply(model.sent[1]!, hits("two"), [bytes()]);
    model.reply(model.sent[0]!, hits("one"), [bytes()]);
    await until(() => found.value);
    await Promise.resolve();
    expect(found.value!.hits[0]!.label).toBe("two");
    expect(highlight).toHaveBeenCalledTimes(1);
    text.value = "three";
    submit();
    clear();
    model.reply(model.sent[2]!, hits("three"), [bytes()]);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(found.value).toBeNull();
    expect(highlight.mock.calls.at(-1)).toEqual([null]);
  });

  test("looks for neurons like another, until words are typed", async () => {
    const { model, like, found, text } = finder();
    like(n(6));
    await until(() => model.sent.length === 1);
    expect(model.sent[0]!.params).toEqual({ query: "", like: n(6), layer: null });
    model.reply(model.sent[0]!, hits("x"), [bytes()]);
    await until(() => found.value?.of === "Like layer4 / 6");
    text.value = "word";
    await until(() => model.sent.length === 2);
    expect(model.sent[1]!.params).toMatchObject({ query: "word", like: null });
  });
});

describe.runIf(inBrowser)("the explorer", () => {
  const NONE = () => new DataView(new ArrayBuffer(0));

  function explorer(replies: (request: Request) => any = () => undefined, hosted = true) {
    const traits: ExplorerTraits = { active: null, _layers: ["layer3", "layer4"],
      _map: "anywidget:m", _gallery: "anywidget:g", _contrast: "anywidget:c" };
    const model = new FakeModel(traits, replies);
    const children = new Map(["m", "g", "c"].map((id) => [
      `anywidget:${id}`, new FakeModel<any>({ active: null, highlight: NONE() }),
    ]));
    const host = {
      getModel: async (reference: string) => children.get(reference)!,
      getWidget: async (reference: string) => ({
        render: async ({ el }: { el: HTMLElement }) => void el.append(`child ${reference}`),
      }),
    };
    const view = show<ExplorerTraits>(
      (context) => render(hosted ? ({ ...context, host } as HostedContext<ExplorerTraits>) : context),
      model,
    );
    return { model, map: children.get("anywidget:m")!, gallery: children.get("anywidget:g")!, ...view };
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
    await until(() => texts(".slw-hosted").join() === "child anywidget:m,child anywidget:g,child anywidget:c");
    map.set("active", n(3));
    expect(model.traits.active).toEqual(n(3));
    expect(gallery.traits.active).toEqual(n(3));
    expect(el.querySelector("[role=tabpanel]:not([hidden])")!.textContent).toContain("anywidget:g");
  });

  test("a search lists neurons, lights them on the map, and a click chooses one", async () => {
    const { el, model, map, find, texts, all, button } = explorer(found);
    await until(() => texts(".slw-hosted").length === 3);
    enter(find(".slw-search input")!, "stripes");
    await until(() => all(".slw-hit").length === 2);
    expect(texts(".slw-hit > :first-child")).toEqual([EVIL, "not labelled"]);
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

  test("goes back and forward", async () => {
    const { model, map, button, texts } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:c"));
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

  test("a front end that cannot nest widgets is told so", () => {
    const { find } = explorer(() => undefined, false);
    expect(find(".slw-state")!.textContent).toContain("cannot show widgets inside");
  });

  test("at the end nothing listens any more", async () => {
    const { model, map, gallery, stop, texts } = explorer();
    await until(() => texts(".slw-hosted").join("").includes("anywidget:c"));
    stop();
    expect([model, map, gallery].map((one) => one.listening)).toEqual([0, 0, 0]);
  });
});
