// What the explorer is made of, without its view: linked selections, the trail, the finder.
import { describe, expect, test, vi } from "vitest";
import { linkViews, tellPointed, hearMark } from "../../src/shared/links";
import { createFinder } from "../../src/shared/finder";
import { KernelSource } from "../../src/source/kernel-source";
import { createTrail } from "../../src/explorer/trail";
import type { Neuron } from "../../src/source/model";
import { FakeModel, until } from "../fake-model";

const n = (neuron: number): Neuron => ({ layer: "layer4", neuron });

describe("linked selections", () => {
  const models = (...active: (Neuron | null)[]) =>
    active.map((one) => new FakeModel<{ active: Neuron | null }>({ active: one }));

  const join = (joined: any[]) => {
    const links = linkViews(document.createElement("div"));
    links.join(joined);
    return links.stop;
  };

  test("start from the first that has one", () => {
    const [a, b, c] = models(null, n(2), n(3)) as any;
    join([a, b, c]);
    expect([a, b, c].map((model) => model.traits.active.neuron)).toEqual([2, 2, 2]);
  });

  test("follow whichever changes, each saved once, until unlinked", () => {
    const [a, b, c] = models(null, null, null) as any;
    const unlink = join([a, b, c]);
    b.set("active", n(5)); // its own view saves b
    expect([a.traits.active, c.traits.active]).toEqual([n(5), n(5)]);
    expect([a.saves, b.saves, c.saves]).toEqual([1, 0, 1]);
    c.written("active", n(6)); // Python sets each of them itself
    expect([a.traits.active, b.traits.active]).toEqual([n(5), n(5)]);
    expect([a.saves, b.saves, c.saves]).toEqual([1, 0, 1]);
    c.set("active", null);
    expect([a.traits.active, b.traits.active]).toEqual([null, null]);
    unlink();
    a.set("active", n(7));
    expect(b.traits.active).toBeNull();
    expect([a, b, c].map((model) => model.listening)).toEqual([0, 0, 0]);
  });
});

test("selected rows are alike in all views that have a selection, and only there", () => {
  const bits = (...bytes: number[]) => new DataView(Uint8Array.from(bytes).buffer);
  const selecting = () => new FakeModel<any>({ active: null, _selected: bits() });
  const [a, b, c] = [selecting(), new FakeModel<any>({ active: null }), selecting()];
  const links = linkViews(document.createElement("div"));
  links.join([a, b, c]);
  c.set("_selected", bits(5));
  expect(a.traits._selected.getUint8(0)).toBe(5);
  links.select(bits());
  expect([a, c].map((model) => model.traits._selected.byteLength)).toEqual([0, 0]);
  expect("_selected" in b.traits).toBe(false);
  links.stop();
  expect([a, b, c].map((model) => model.listening)).toEqual([0, 0, 0]);
});

test("what one view points at, the others mark, and not itself", () => {
  const around = document.createElement("div");
  const view = () => Object.assign(document.createElement("div"), { className: "slw" });
  const [one, other] = [view(), view()];
  around.append(one, other);
  const links = linkViews(around);
  const [told, marked] = [[] as unknown[], [] as unknown[]];
  hearMark(one, (neuron) => told.push(neuron));
  hearMark(other, (neuron) => marked.push(neuron));
  tellPointed(one, n(3));
  expect([links.pointed.value, told, marked]).toEqual([n(3), [], [n(3)]]);
  links.point(null);
  expect([told, marked]).toEqual([[null], [n(3), null]]);
  links.stop();
  tellPointed(one, n(4));
  expect(marked).toHaveLength(2);
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
    const [highlight, told] = [vi.fn(), vi.fn()];
    const made = createFinder(new KernelSource(model), highlight, {}, told);
    return { model, highlight, told, ...made };
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

  test("what is empty already ends a search for neurons like another", async () => {
    const { model, like, submit, clear, found, searching } = finder();
    for (const end of [submit, clear]) {
      like(n(6));
      expect(searching.value).toBe(true);
      const asked = await until(() => model.sent.at(-1));
      model.reply(asked, hits("x"), [bytes()]);
      await until(() => found.value);
      const before = model.sent.length;
      end();
      expect([found.value, searching.value]).toEqual([null, false]);
      expect(model.sent).toHaveLength(before);
    }
  });

  test("what was found by words stays until those like a neuron have come", async () => {
    const { model, text, submit, like, found, told, highlight } = finder();
    text.value = "stripes";
    submit();
    model.reply(model.sent[0]!, hits("x"), [bytes()]);
    await until(() => found.value);
    told.mockClear();
    highlight.mockClear();
    like(n(6));
    expect([found.value!.of, text.value]).toEqual(["“stripes”", ""]);
    expect(told.mock.calls).toEqual([[{ text: "", layer: "", like: n(6) }]]);
    model.reply(model.sent[1]!, hits("y"), [bytes()]);
    await until(() => found.value?.of === "Like layer4 / 6");
    expect(highlight).toHaveBeenCalledTimes(1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(model.sent).toHaveLength(2);
  });

  test("a failed search for neurons like another is asked once more", async () => {
    const { model, like, retry, error, searching, clear } = finder();
    like(n(6));
    model.fail(model.sent[0]!, "LensUnavailable", "gone");
    await until(() => error.value);
    expect(searching.value).toBe(true);
    retry();
    expect(model.sent.at(-1)!.params).toMatchObject({ query: "", like: n(6) });
    clear();
    expect(searching.value).toBe(false);
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
