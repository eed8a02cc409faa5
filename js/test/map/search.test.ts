import { describe, expect, test } from "vitest";
import { inBrowser, until, type Request } from "../fake-model";
import { bytes, show } from "./world";

const EVIL = "<img src=x onerror=alert(1)>";
/** A score for each of the four neurons. */
const HITS = () => bytes(Float32Array.of(0.4, NaN, 0.9, NaN));
const hit = { layer: "late", neuron: 0, label: EVIL, score: 0.9 };

describe.skipIf(!inBrowser)("the search of the map", () => {
  const found = (request: Request) =>
    request.method === "search" ? { result: { hits: [hit] }, buffers: [HITS()] } : undefined;

  async function searching(replies: any = found, change = {}) {
    const world = await show({ _search_box: true, ...change }, replies);
    const box = world.find<HTMLInputElement>(".slw-search input")!;
    const type = (words: string) => {
      box.value = words;
      box.dispatchEvent(new Event("input", { bubbles: true }));
    };
    const asked = () => world.model.sent.filter(({ method }: any) => method === "search");
    const lit = () => world.model.get("highlight").byteLength;
    return { ...world, box, type, asked, lit };
  }

  test("is left out where something around the map has one", async () => {
    const { find } = await show();
    expect(find(".slw-search")).toBeNull();
  });

  test("typing asks once, after a pause, and what fits is highlighted", async () => {
    const { find, type, asked, lit } = await searching();
    for (const words of ["d", "do", "dotted"]) type(words);
    await until(() => lit() === 16);
    expect(asked().map(({ params }: any) => params)).toEqual([
      { query: "dotted", like: null, layer: null },
    ]);
    await until(() => find(".slw-map-chips")!.textContent!.includes("2 highlighted"));
    expect(find("img")).toBeNull();
  });

  test("Escape, the cross and the chip end it", async () => {
    for (const end of ["Escape", ".slw-search button", ".slw-map-chip button"]) {
      const { find, box, type, lit } = await searching();
      type("dotted");
      await until(() => lit() === 16);
      const button = end === "Escape" ? null : await until(() => find(end));
      if (button) button.click();
      else box.dispatchEvent(new KeyboardEvent("keydown", { key: end, bubbles: true }));
      expect(lit()).toBe(0);
      await until(() => box.value === "");
    }
  });

  test("Enter goes to the best hit, the arrow to the map that steps through them", async () => {
    const { find, box, type, model, lit, stage } = await searching();
    type("dotted");
    await until(() => lit() === 16 && find(".slw-search")!.getAttribute("aria-busy") === "false");
    find<HTMLFormElement>(".slw-search")!.requestSubmit();
    expect(model.get("active")).toEqual({ layer: "late", neuron: 0 });
    box.focus();
    box.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowDown", bubbles: true }));
    expect(document.activeElement).toBe(stage);
  });

  test("Escape that ends a composition does not end the search", async () => {
    const { box, type, lit } = await searching();
    type("dotted");
    await until(() => lit() === 16);
    const escape = { key: "Escape", bubbles: true, isComposing: true };
    box.dispatchEvent(new KeyboardEvent("keydown", escape));
    expect([lit(), box.value]).toEqual([16, "dotted"]);
  });

  test("what the kernel refuses is said, and asked for again", async () => {
    let gone = true;
    const { find, model, type, lit } = await searching((request: Request) => {
      if (!gone) return found(request);
      queueMicrotask(() => model.fail(request, "LensUnavailable", `No words ${EVIL}.`));
      return undefined;
    });
    type("dotted");
    const notice = await until(() => find(".slw-map-search .slw-notice"));
    expect(notice.textContent).toContain(`No words ${EVIL}.`);
    gone = false;
    notice.querySelector("button")!.click();
    await until(() => lit() === 16);
    expect(find(".slw-map-search .slw-notice")).toBeNull();
  });

  test("a highlight of Python's can be cleared without a search", async () => {
    const { find, lit } = await searching(found, { highlight: bytes(Float32Array.of(NaN, 1, NaN, NaN)) });
    (await until(() => find(".slw-map-chip button"))).click();
    expect(lit()).toBe(0);
  });
});
