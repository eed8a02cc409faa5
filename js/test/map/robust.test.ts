// What the map makes of odd pages, hands, texts and columns.
import { afterEach, describe, expect, test, vi } from "vitest";
import { fitRows, reveal } from "../../src/map/camera";
import { encode, palette } from "../../src/shared/colors";
import type { Legend } from "../../src/source/messages";
import type { Column } from "../../src/source/columns";
import { passing } from "../../src/map/filter";
import { isolated, shorten } from "../../src/shared/format";
import { binned, emphasise, emphasisOf, faint, mixedOrder, readHits } from "../../src/map/emphasis";
import { render } from "../../src/map/map";
import { sharedUsers } from "../../src/map/paint/gl";
import { FakeModel, inBrowser, until } from "../fake-model";
import { bytes, CLARITY, DATA, show, traits, views } from "./world";
import { coded } from "../labels";

const number: Legend = { name: "c", title: "C", kind: "number", min: 0, max: 1, missing: 0 };

describe("filters", () => {
  const values = Float32Array.of(0.0999, 0.1, 0.3, 0.4, Number.NaN);
  const read = (): Column => ({ legend: number, values });
  const shown = (low: number | null, high: number | null) =>
    [...passing({ c: [low, high] }, read, 5)!];
  test.each([
    [0.1, 0.4, [0, 1, 1, 1, 0]],
    [0.1, 1e30, [0, 1, 1, 1, 0]],
    [0.1, null, [0, 1, 1, 1, 0]],
    [null, 0.3, [1, 1, 1, 0, 0]],
    [-1e30, 0.3, [1, 1, 1, 0, 0]],
    [0.1, 0.1, [0, 1, 0, 0, 0]],
    [0.1 + 0.2, null, [0, 0, 1, 1, 0]],
    [null, null, [1, 1, 1, 1, 0]],
    [1e300, 1e308, [0, 0, 0, 0, 0]],
  ])("%s to %s", (low, high, expected) => {
    expect(shown(low, high)).toEqual(expected);
  });
});

describe("texts", () => {
  const letters = (text: string) => [...new Intl.Segmenter().segment(text)].length;
  test.each(["👩‍👩‍👧‍👦", "🇩🇪", "é", "𝒳", "👍🏽", "न्दी"])("%s is never cut in two", (letter) => {
    const long = letter.repeat(60);
    const cut = shorten(long, 32);
    expect(cut.endsWith("…")).toBe(true);
    const kept = cut.slice(0, -1);
    expect(kept.length % letter.length).toBe(0);
    expect(kept).toBe(long.slice(0, kept.length));
    expect(letters(cut)).toBeLessThanOrEqual(32);
    expect(letters(cut)).toBeGreaterThanOrEqual(15);
  });
  test("what fits stays, and wide letters count twice", () => {
    expect(shorten("a".repeat(32), 32)).toBe("a".repeat(32));
    expect(shorten("a".repeat(33), 32)).toBe(`${"a".repeat(31)}…`);
    expect(shorten("é".repeat(32), 32)).toBe("é".repeat(32));
    expect(shorten("猫".repeat(16), 32)).toBe("猫".repeat(16));
    expect(letters(shorten("猫".repeat(17), 32))).toBe(16);
    expect(shorten("", 32)).toBe("");
  });
  test("texts from right to left are isolated, others left alone", () => {
    expect(isolated("שלום")).toBe("\u2068שלום\u2069");
    expect(isolated("ox 1")).toBe("ox 1");
  });
});

describe("columns that tell nothing apart, and neurons without a place", () => {
  test("numbers that are all alike are in the middle, not small and not faint", () => {
    expect(binned(Float32Array.of(2, 2, Number.NaN), 2, 2)).toBeNull();
    const legend = { ...number, min: 2, max: 2 };
    const codes = encode(Float32Array.of(2, 2, Number.NaN), legend, 3);
    expect([...codes]).toEqual([32, 32, palette(legend, true).length - 1]);
  });
  test("a place that is none moves nothing", () => {
    const [camera, size] = [{ x: 0.1, y: 0, zoom: 3 }, { width: 300, height: 200 }];
    expect(reveal(camera, size, Number.NaN, Number.NaN)).toBe(camera);
    expect(fitRows(Float32Array.of(NaN), Float32Array.of(NaN), size, [0]).zoom).toBe(1);
  });
  test("the rest has its own colour, a label called other its own", () => {
    const colors = palette({ name: "l", title: "", kind: "category", names: ["other", "a", "all other"],
      rest: true, missing: 0 }, false).map(String);
    const plain = palette({ name: "l", title: "", kind: "category", names: ["x", "a", "b"], missing: 0 },
      false).map(String);
    expect(colors.slice(0, 2)).toEqual(plain.slice(0, 2));
    expect(new Set(colors).size).toBe(4);
    expect(plain).not.toContain(colors[2]);
  });
  test("hits by chance are neither large nor dim, and keep their rank", () => {
    const pairs = new Float32Array(6);
    new Uint32Array(pairs.buffer, 0, 3).set([0, 2 + 2 ** 31, 3]);
    pairs.set([0.2, 0.9, 0.5], 3);
    const hits = readHits(pairs, 4000);
    expect([...hits.ranked]).toEqual([2, 3, 0]);
    expect([...hits.unsure]).toEqual([2]);
    const { level } = emphasise(mixedOrder(4000), { hits, selection: [], shown: null, sizes: null, opacities: null });
    expect([...level.slice(0, 4)].map(emphasisOf)).toEqual([3, 1, 2, 6]);
    expect([...faint([0, 1, 0], null)]).toEqual([5, 1, 5]);
    expect([...faint([0, 1, 1], Uint8Array.of(3, 4, 0))]).toEqual([3, 1, 0]);
  });
});

afterEach(() => {
  document.body.style.cssText = "";
});

describe.skipIf(!inBrowser)("the map", () => {
  const unplaced = (rows: number[]) => {
    const at = (values: number[]) => bytes(Float32Array.from(values, (v, row) => rows.includes(row) ? NaN : v));
    return { ...DATA, x: { kind: "place" as const, data: at([-1, 1, -1, 1]) },
      y: { kind: "place" as const, data: at([-1, -1, 1, 1]) } };
  };
  test("stepping to a neuron without a place says so and moves nothing", async () => {
    const { model, press, find, pointer, corner } = await show(
      { _data: unplaced([1]), active: { layer: "early", neuron: 0 } });
    press("]");
    expect(model.get("active")).toEqual({ layer: "early", neuron: 1 });
    await until(() => find(".slw-map-active")!.textContent!.includes("has no place on the map"));
    pointer("pointermove", corner(3));
    await until(() => find(".slw-map-card")?.textContent?.includes("late / 1"));
  });

  test("a press whose release was lost is over", async () => {
    const { model, find, pointer, corner, stage } = await show();
    pointer("pointerdown", corner(0), { button: 0 });
    const { clientX, clientY } = corner(0);
    pointer("pointermove", { clientX: clientX + 30, clientY });
    expect(stage.classList.contains("slw-dragging")).toBe(true);
    pointer("pointermove", { clientX: clientX + 60, clientY }, { buttons: 0 });
    expect(stage.classList.contains("slw-dragging")).toBe(false);
    // What was moved by 30 pixels stays there, and no neuron was chosen.
    pointer("pointermove", { clientX: clientX + 30, clientY }, { buttons: 0 });
    await until(() => find(".slw-map-card")?.textContent?.includes("early / 0"));
    expect(model.get("active")).toBeNull();
  });

  test.each(["lostpointercapture", "pointercancel"])("%s ends a lasso without a selection", async (type) => {
    const { model, pointer, corner } = await show({ tool: "lasso" });
    pointer("pointerdown", corner(0), { button: 0 });
    for (const c of [1, 3, 2]) pointer("pointermove", corner(c));
    pointer(type, corner(2));
    pointer("pointerup", corner(2));
    expect(model.get("_selected").byteLength).toBe(0);
  });

  test.each(["transform: scale(.5)", "zoom: 1.5", "transform: scale(1.25, .8); zoom: .5"])(
    "below %s the pointer is where it seems", async (style) => {
      const around = document.createElement("div");
      around.style.cssText = `${style}; transform-origin: 0 0; width: 800px`;
      document.body.append(around);
      const { stage, find, pointer, model } = await show();
      around.append(views.at(-1)!.el);
      try {
        const { left, top, width, height } = stage.getBoundingClientRect();
        const [scaleX, scaleY] = [width / stage.offsetWidth, height / stage.offsetHeight];
        const half = stage.offsetHeight / 2 - 28;
        const at = (c: number) => ({
          clientX: left + width / 2 + scaleX * (c % 2 ? half : -half),
          clientY: top + height / 2 + scaleY * (c < 2 ? half : -half),
        });
        for (const c of [0, 1, 2, 3]) {
          pointer("pointermove", at(c));
          const name = `${c < 2 ? "early" : "late"} / ${c % 2}`;
          const card = await until(() => {
            const found = find(".slw-map-card");
            return found?.textContent?.includes(name) ? found : null;
          });
          // The card stands beside its point, on the map.
          const box = card.getBoundingClientRect();
          const gap = Math.min(Math.abs(box.left - at(c).clientX), Math.abs(box.right - at(c).clientX));
          expect(gap).toBeLessThan(20 * scaleX);
          expect(box.left).toBeGreaterThanOrEqual(left);
        }
        expect(model.saves).toBe(0);
      } finally {
        around.replaceChildren();
        around.remove();
      }
    });

  test("what the keyboard points at is spoken", async () => {
    const { find, press } = await show();
    const spoken = find(".slw-hidden[role=status]")!;
    press("0");
    expect(spoken.textContent).toBe("");
    for (let i = 0; i < 4; i++) press("ArrowLeft");
    await until(() => spoken.textContent === "No neuron near the centre");
    for (let i = 0; i < 4; i++) press("ArrowUp");
    await until(() => /^late \/ 0: no label$/.test(spoken.textContent!));
    press(" ");
    await until(() => spoken.textContent === "late / 0 added to the selection");
    press("Escape");
    await until(() => spoken.textContent === "");
  });

  test("the legend counts what the other filters let through", async () => {
    const data = { ...DATA, clarity: { ...CLARITY, data: bytes(Float32Array.of(0, 0.5, 1, NaN)) } };
    const { model, el, find } = await show({ _data: data });
    const counts = () => [...el.querySelectorAll("button .slw-map-count")].map((one) => one.textContent);
    expect(counts()).toEqual(["2", "2"]);
    model.set("filter", { clarity: [0.4, null] });
    await until(() => counts().join() === "1,1");
    model.set("active", { layer: "early", neuron: 0 });
    await until(() => find(".slw-map-shown")!.textContent === "2 of 4 neurons");
    expect(find(".slw-map-active")!.textContent).toContain("is filtered out");
    model.set("filter", { clarity: [0.4, null], layer: ["late"] });
    await until(() => find(".slw-map-shown")!.textContent === "1 of 4 neurons");
    expect(counts()).toEqual(["1", "1"]);
  });

  test("a filter that lets nothing through says so and can be ended there", async () => {
    const data = { ...DATA, clarity: { ...CLARITY, data: bytes(Float32Array.of(0, 0.5, 1, NaN)) } };
    const { model, find } = await show({ _data: data, filter: { clarity: [7, null] } });
    const word = await until(() => find(".slw-map-none"));
    word.querySelector("button")!.click();
    expect(model.get("filter")).toEqual({});
    await until(() => !find(".slw-map-none"));
  });

  test("labels that fit no better than random words are told and not named", async () => {
    const count = 40;
    const spread = Float32Array.from({ length: count }, (_, i) => (i < 20 ? -0.8 : 0.8) + i / 500);
    const unsure = new Uint8Array(5);
    for (let row = 20; row < 40; row++) unsure[row >> 3]! |= 1 << (row & 7);
    const flags = { kind: "flags" as const, data: new DataView(unsure.buffer) };
    const codes = Uint16Array.from({ length: count }, (_, i) => (i < 20 ? 0 : 1));
    const label = { name: "label", title: "Label", kind: "category" as const, names: ["ox", "noise"],
      counts: [20, 20], missing: 0, data: bytes(codes) };
    const layer = { ...DATA.layer!, data: bytes(new Uint16Array(count)) };
    const written = new Set<string>();
    const { fillText } = CanvasRenderingContext2D.prototype;
    vi.spyOn(CanvasRenderingContext2D.prototype, "fillText").mockImplementation(function (
      this: CanvasRenderingContext2D, text, x, y
    ) {
      written.add(text);
      fillText.call(this, text, x, y);
    });
    const infos = [...traits()._columns, { name: "chance", title: "", kind: "number" as const, empty: false },
      { name: "label", title: "Label", kind: "category" as const, empty: false }];
    const place = { kind: "place" as const, data: bytes(spread) };
    const { find, model } = await show({ _count: count, color_by: "label", _columns: infos,
      _labels: coded(Array.from(codes, (code) => (code ? "noise" : "ox"))),
      _data: { ...DATA, x: place, y: place, layer, label, unsure: flags,
        neuron: { kind: "index", data: bytes(Uint32Array.from(spread.keys())) } } });
    await until(() => written.has("ox"));
    expect(written.has("noise")).toBe(false);
    expect(find(".slw-map-unsure")!.textContent).toBe("faint: no better than random words20");
    model.set("active", { layer: "early", neuron: 30 });
    await until(() => find(".slw-map-active")!.textContent!.includes("no better than random words"));
    model.set("color_by", "layer");
    await until(() => !find(".slw-map-unsure"));
  });

  test("hits by chance are counted as such, and not named", async () => {
    const pairs = new Float32Array(4);
    new Uint32Array(pairs.buffer, 0, 2).set([1 + 2 ** 31, 2]);
    pairs.set([0.9, 0.5], 2);
    const wide = new Float32Array(6);
    new Uint32Array(wide.buffer, 0, 3).set([1 + 2 ** 31, 2, 2 ** 31 - 1]);
    wide.set([0.9, 0.5, 0], 3);
    const { find, pointer, corner } = await show({ highlight: bytes(wide) });
    expect(find(".slw-map-chip")!.textContent).toBe("2 highlighted, 1 by chance");
    pointer("pointermove", corner(1));
    await until(() => find(".slw-map-rank")?.textContent === "#1 · 0.90 · by chance");
  });

  test("a view that goes without a word gives back what it holds, and draws again when it returns", async () => {
    const { el, find } = await show();
    expect(sharedUsers()).toBe(1);
    el.remove();
    await until(() => sharedUsers() === 0);
    document.body.append(el);
    el.scrollIntoView();
    // A new context in software: on a busy machine that alone may take seconds.
    const drawn = () => find<HTMLCanvasElement>(".slw-map-points")!.width > 1;
    await until(() => sharedUsers() === 1 && drawn(), 20_000);
  }, 30_000);

  test("a word of 120 letters stays within a narrow map", async () => {
    const word = "w".repeat(120);
    for (const width of [300, 600]) {
      const words = [word, "שלום עולם", "", "𝒳".repeat(90)];
      const { el, model, find } = await show({ _labels: coded(words),
        filter: { layer: ["early", "late"] } });
      el.style.width = `${width}px`;
      for (const row of [0, 1, 3]) {
        model.set("active", { layer: row < 2 ? "early" : "late", neuron: row % 2 });
        await until(() => find(".slw-map-active strong")?.textContent === words[row]);
        const { right } = el.getBoundingClientRect();
        const out = [...el.querySelectorAll(".slw-map-status *")].filter((node) =>
          node.getBoundingClientRect().right > right + 1 && !node.closest("bdi"));
        expect(out).toEqual([]);
      }
    }
  });
});

describe.skipIf(!inBrowser)("without a kernel", () => {
  const page = (manager: object, change = {}) => {
    const still = document.createElement("img");
    still.className = "slw-still slw-still-k1";
    const el = document.createElement("div");
    el.className = "jupyter-widgets-disconnected";
    document.body.append(el, still);
    const model = new FakeModel(traits({ ...change, ...{ _still: "k1" } } as object));
    Object.assign(model, { widget_manager: manager });
    const cleanup = render({ model, el });
    views.push({ el, cleanup: () => (cleanup(), still.remove()), model });
    return { el, seen: () => getComputedStyle(still).display !== "none", root: el.querySelector<HTMLElement>(".slw")! };
  };
  test("a map that has its neurons works in an exported page, in place of its picture", async () => {
    const { el, seen, root } = page({});
    await until(() => el.querySelector(".slw-map-stage"));
    expect([seen(), root.hidden]).toEqual([false, false]);
  });
  test("one that has them not leaves its place to the picture", () => {
    const { seen, root } = page({}, { _data: {} });
    expect([seen(), root.hidden]).toEqual([true, true]);
  });
  test("in a notebook both stand: a cell can be run again", async () => {
    const { el, seen, root } = page({ kernel: null }, { _data: {} });
    expect([seen(), root.hidden]).toEqual([true, false]);
    await until(() => el.textContent!.includes("run the cell again"));
  });
});
