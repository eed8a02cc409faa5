import { describe, expect, test, vi } from "vitest";
import type { Neuron } from "../../src/source/model";
import { linkViews } from "../../src/shared/links";
import { inBrowser, until } from "../fake-model";
import { bytes, CLARITY, DATA, selected, show, views } from "./world";
import { coded } from "../labels";

const frames = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise(requestAnimationFrame);
};

/** How many blue pixels of the overlay lie around a corner of the square. */
function accentAround(overlay: HTMLCanvasElement, c: number): number {
  const { width, height } = overlay.getBoundingClientRect();
  const half = height / 2 - 28;
  const [x, y] = [width / 2 + (c % 2 ? half : -half), height / 2 + (c < 2 ? half : -half)];
  const ratio = overlay.width / width;
  const { data } = overlay.getContext("2d")!
    .getImageData((x - 20) * ratio, (y - 20) * ratio, 40 * ratio, 40 * ratio);
  let found = 0;
  for (let i = 0; i < data.length; i += 4) {
    if (data[i + 3]! > 200 && data[i + 2]! > data[i]! + 120) found++;
  }
  return found;
}

describe.skipIf(!inBrowser)("the map", () => {
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
    expect(selected(model)).toEqual([0, 2]);
    const chip = await until(() => find(".slw-map-chip"));
    expect(chip.textContent).toBe("2 selected");
    expect(chip.closest("[aria-live]")).not.toBeNull();
    chip.querySelector("button")!.click();
    expect(model.get("_selected").byteLength).toBe(0);
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

  test("another column is asked for, and one without values cannot be", async () => {
    const { model, find } = await show();
    const select = find<HTMLSelectElement>("select")!;
    expect(select.options[2]!.disabled).toBe(true);
    select.value = "clarity";
    select.dispatchEvent(new Event("change", { bubbles: true }));
    expect(model.get("color_by")).toBe("clarity");
    await until(() => find(".slw-map-legend")!.getAttribute("aria-busy") === "true");
    const asked = await until(() => model.sent[0]);
    expect(asked).toMatchObject({ method: "column", params: { name: "clarity" } });
    model.reply(asked, CLARITY, [bytes(Float32Array.of(0, 0.5, 1, Number.NaN))]);
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

  test("what is pointed at is told around the map, what is marked is ringed, neither is sent", async () => {
    const { el, model, find, pointer, corner } = await show();
    const [told, links] = [[] as (Neuron | null)[], linkViews(el)];
    links.pointed.subscribe((neuron) => told.push(neuron));
    pointer("pointermove", corner(3));
    pointer("pointerleave", {});
    expect(told).toEqual([null, { layer: "late", neuron: 1 }, null]);
    const ring = () => accentAround(find(".slw-map-overlay") as HTMLCanvasElement, 2);
    const marked = { layer: "late", neuron: 0 };
    for (const filter of [{}, { layer: ["early"] }]) {
      model.set("filter", filter);
      links.point(null);
      await frames(3);
      expect(ring()).toBe(0);
      links.point(marked);
      await frames(1);
      expect(ring()).toBeGreaterThan(20);
    }
    links.point({ layer: "late", neuron: 77 });
    await frames(1);
    expect(ring()).toBe(0);
    expect([model.sent.length, model.saves]).toEqual([0, 0]);
  });

  test("what is marked out of sight is pointed to at the edge", async () => {
    const { el, find, press } = await show();
    for (let i = 0; i < 8; i++) press("+");
    linkViews(el).point({ layer: "late", neuron: 1 });
    await frames(2);
    const overlay = find(".slw-map-overlay") as HTMLCanvasElement;
    const { data } = overlay.getContext("2d")!.getImageData(overlay.width / 2, 0, overlay.width / 2, 40);
    expect(data.filter((_, i) => i % 4 === 3 && data[i]! > 200).length).toBeGreaterThan(40);
  });

  test("at rest every name is solid, and none lies on another", async () => {
    const words = ["ox", "cow", "horse", "goat", "hen", "duck", "sheep", "cat",
      "a picture of a dog that lies ".repeat(9)];
    const rows = words.flatMap((text, w) => Array.from({ length: 8 }, (_, i) => ({
      text, x: 0.7 * Math.sin(w * 5) + i / 90, y: 0.7 * Math.cos(w * 3) + (i % 3) / 50,
    })));
    const column = (name: "x" | "y") =>
      ({ kind: "place" as const, data: bytes(Float32Array.from(rows, (row) => row[name])) });
    let drawn: { text: string; x: number; y: number; half: number; style: string }[] = [];
    const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
    vi.spyOn(CanvasRenderingContext2D.prototype, "clearRect").mockImplementation(function (
      this: CanvasRenderingContext2D, ...area
    ) {
      if (this.canvas.className === "slw-map-overlay") drawn = [];
      clearRect.apply(this, area);
    });
    vi.spyOn(CanvasRenderingContext2D.prototype, "fillText").mockImplementation(function (
      this: CanvasRenderingContext2D, text, x, y
    ) {
      drawn.push({ text, x, y, half: this.measureText(text).width / 2, style: String(this.fillStyle) });
      fillText.call(this, text, x, y);
    });
    const { press } = await show({ _count: rows.length, _labels: coded(rows.map(({ text }) => text)),
      _data: { ...DATA, x: column("x"), y: column("y") } });
    const seen = new Set<string>();
    for (let step = 0; step < 8; step++) {
      await new Promise((resolve) => setTimeout(resolve, 250)); // longer than names take to come
      await until(() => drawn.every(({ style }) => /^#[0-9a-f]{6}$/.test(style))); // solid
      for (const { text, x, y, half } of drawn) {
        seen.add(text);
        expect(text.length).toBeLessThanOrEqual(32);
        for (const other of drawn) {
          if (other.text === text) continue;
          expect(Math.abs(other.x - x) >= other.half + half || Math.abs(other.y - y) >= 14).toBe(true);
        }
      }
      press(step < 4 ? "+" : "ArrowRight");
    }
    expect(seen.size).toBeGreaterThan(5);
  });

  test("contours show the part that is looked at, once one rests there", async () => {
    const rows = Array.from({ length: 600 }, (_, i) => {
      const [away, turn] = [0.05 * Math.sqrt((i % 300) / 300), i * 2.399963];
      return [(i < 300 ? 0.06 : -0.06) + away * Math.cos(turn), away * Math.sin(turn)] as const;
    });
    rows.push([-1, -1], [1, 1], [1, -1], [-1, 1]);
    const column = (axis: 0 | 1) =>
      ({ kind: "place" as const, data: bytes(Float32Array.from(rows, (row) => row[axis])) });
    const { press, find, stage } = await show({ _count: rows.length, _labels: coded(rows.map(() => "")),
      contours: true, _data: { ...DATA, x: column(0), y: column(1) } });
    const overlay = find(".slw-map-overlay") as HTMLCanvasElement;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      for (let step = 0; step < 7; step++) press("+");
      stage.blur(); // no cross at the centre
      await frames(2);
      const moving = overlay.toDataURL();
      vi.advanceTimersByTime(140);
      await frames(2);
      expect(overlay.toDataURL() === moving).toBe(true);
      vi.advanceTimersByTime(20);
      await frames(2);
      expect(overlay.toDataURL() === moving).toBe(false);
    } finally {
      vi.useRealTimers();
    }
  });

  test("clicks on the legend show one category, more, and all again", async () => {
    const { model, find, el, pointer, corner } = await show();
    const keys = () => [...el.querySelectorAll<HTMLButtonElement>("button.slw-map-key")];
    keys()[1]!.click();
    expect(model.get("filter")).toEqual({ layer: ["late"] });
    await until(() => keys()[1]!.getAttribute("aria-pressed") === "true");
    expect(find(".slw-map-chip")!.textContent).toBe("Layer: late");
    expect(find(".slw-map-shown")!.textContent).toBe("2 of 4 neurons");
    // What is filtered out cannot be pointed at.
    pointer("pointermove", corner(0));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(find(".slw-map-card")).toBeNull();
    keys()[0]!.click();
    expect(model.get("filter")).toEqual({ layer: ["late", "early"] });
    find(".slw-map-chip button")!.click();
    expect(model.get("filter")).toEqual({});
  });

  test("a range of numbers is shown alone", async () => {
    const data = { ...DATA, clarity: { ...CLARITY, data: bytes(Float32Array.of(0, 0.5, 1, NaN)) } };
    const { model, el } = await show({ _data: data, color_by: "clarity" });
    const [low] = el.querySelectorAll<HTMLInputElement>(".slw-map-ramp input");
    low!.value = "100";
    low!.dispatchEvent(new Event("input", { bubbles: true }));
    expect(model.get("filter")).toEqual({ clarity: [0.5, null] });
    await until(() => el.querySelector(".slw-map-shown")!.textContent === "2 of 4 neurons");
    low!.value = "0";
    low!.dispatchEvent(new Event("input", { bubbles: true }));
    expect(model.get("filter")).toEqual({});
  });

  test("a box selects, with Shift it adds, with Alt it takes out", async () => {
    const { model, pointer, corner } = await show({ tool: "box" });
    const drag = (c: number, more: object = {}) => {
      const { clientX, clientY } = corner(c);
      pointer("pointerdown", { clientX: clientX - 15, clientY: clientY - 15 }, { button: 0, ...more });
      pointer("pointermove", { clientX: clientX + 15, clientY: clientY + 15 }, more);
      pointer("pointerup", { clientX: clientX + 15, clientY: clientY + 15 }, more);
    };
    drag(0);
    expect(selected(model)).toEqual([0]);
    drag(3, { shiftKey: true });
    drag(1, { shiftKey: true });
    expect(selected(model)).toEqual([0, 1, 3]);
    drag(0, { altKey: true });
    expect(selected(model)).toEqual([1, 3]);
    drag(2);
    expect(selected(model)).toEqual([2]);
  });

  test("a click with Shift adds one neuron, and Space does so by keyboard", async () => {
    const { model, pointer, corner, press } = await show();
    for (const c of [0, 2]) {
      pointer("pointerdown", corner(c), { button: 0, shiftKey: true });
      pointer("pointerup", corner(c), { shiftKey: true });
    }
    expect(selected(model)).toEqual([0, 2]);
    press("]");
    press(" ");
    expect(selected(model)).toEqual([2]);
    press("a");
    expect(selected(model)).toEqual([0, 1, 2, 3]);
  });

  test("two fingers zoom", async () => {
    const { find, stage, pointer } = await show();
    const { left, top, width, height } = stage.getBoundingClientRect();
    const at = (dx: number) => ({ clientX: left + width / 2 + dx, clientY: top + height / 2 });
    pointer("pointerdown", at(-40), { button: 0, pointerId: 1 });
    pointer("pointerdown", at(40), { button: 0, pointerId: 2 });
    pointer("pointermove", at(-160), { pointerId: 1 });
    pointer("pointermove", at(160), { pointerId: 2 });
    pointer("pointerup", at(160), { pointerId: 2 });
    pointer("pointerup", at(-160), { pointerId: 1 });
    // Four times as large: the corners are outside.
    pointer("pointermove", at(height / 2 - 28));
    expect(find(".slw-map-card")).toBeNull();
  });

  test("size, opacity, contours and names are chosen in the panel", async () => {
    const { model, el, find } = await show();
    find(".slw-map-display > button")!.click();
    const panel = await until(() => find(".slw-map-panel"));
    const [size, opacity] = panel.querySelectorAll("select");
    size!.value = "clarity";
    size!.dispatchEvent(new Event("change", { bubbles: true }));
    opacity!.value = "clarity";
    opacity!.dispatchEvent(new Event("change", { bubbles: true }));
    expect([model.get("size_by"), model.get("opacity_by")]).toEqual(["clarity", "clarity"]);
    const [contours, names] = panel.querySelectorAll<HTMLInputElement>("input[type=checkbox]");
    contours!.click();
    names!.click();
    expect([model.get("contours"), model.get("region_labels")]).toEqual([true, false]);
    panel.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
    await until(() => !find(".slw-map-panel"));
    expect(document.activeElement).toBe(el.querySelector(".slw-map-display > button"));
  });

  test("the picture that is saved holds map and legend", async () => {
    const { find } = await show();
    let saved: HTMLAnchorElement | null = null;
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      saved = this;
    });
    find("button[title^='Save']")!.click();
    const link = await until(() => saved as HTMLAnchorElement | null);
    expect(link.download).toBe("neuron-map.png");
    const image = await createImageBitmap(await (await fetch(link.href)).blob());
    const { clientWidth, clientHeight } = find(".slw-map-stage")!;
    const ratio = image.width / clientWidth;
    expect(image.width).toBeGreaterThanOrEqual(1600);
    expect(ratio).toBeGreaterThanOrEqual(2);
    expect(image.height).toBeGreaterThan(clientHeight * ratio);
  });

  test("states say what to do: nothing, no layout", async () => {
    const nothing = await show({ _count: 0, _data: {}, _labels: coded([]) });
    expect(nothing.find(".slw-map-state")!.textContent).toContain("No neurons yet");
    const nowhere = await show({
      _data: { ...DATA, x: { kind: "place", data: bytes(new Float32Array(4).fill(Number.NaN)) } },
    });
    expect(nowhere.find(".slw-map-state")!.textContent).toContain("No layout yet");
  });

  test("cleaning up leaves no listeners", async () => {
    const { model } = await show();
    views.pop()!.cleanup();
    expect(model.listening).toBe(0);
  });
});
