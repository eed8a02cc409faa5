// What is shown of relevance: where it lies, how much of it arrived, and what was embedded.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { render, type GalleryTraits } from "../../src/gallery/gallery";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, facts, jpeg, show, thumbnails } from "../neuron/panel-world";

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

type Map = { box: number[] | null; method?: string; arrived?: number | null };

function gallery(maps: Map[], change: Partial<GalleryTraits> = {}) {
  const examples = maps.map((_, rank) => ({ rank, sample: rank, activation: 3 - rank,
    class_name: "zebra", uri: `${rank}.jpg` }));
  const answer = (request: Request): any => {
    const samples = request.params.samples as number[];
    if (request.method === "thumbnails") return thumbnails(picture, request);
    const histogram = { counts: [], low: 0, high: 0 };
    if (request.method !== "heatmaps") return { result: { facts: facts(), examples, histogram } };
    const values = () => new DataView(Uint8Array.of(0, 90, 180, 255).buffer);
    return { result: samples.map((at) => ({ shape: [2, 2], method: "CRP", arrived: null, ...maps[at] })),
      buffers: samples.map(values) };
  };
  const traits: GalleryTraits = { active: { layer: "layer4", neuron: 17 }, overlay: true,
    crop: false, outline: false, side_by_side: false, opacity: 0.7, threshold: 0, colormap: "ember",
    sort_by: "activation", group_by: null, _originals: false, _crops: false, _revision: 0, ...change };
  const model = new FakeModel(traits, answer);
  return { model, ...show(render, model) };
}

const BOX = [0, 0, 0.5, 0.5];

describe.runIf(inBrowser)("relevance", () => {
  test("whose place is not known is drawn over no picture, and says so", async () => {
    const { all, find } = gallery([{ box: BOX }, { box: null }], { outline: true, crop: true });
    await until(() => all(".slw-picture-mark").length === 1 && all(".slw-heat").length === 1);
    const [, second] = all(".slw-tile") as [HTMLElement, HTMLElement];
    expect(second.querySelector(".slw-heat, .slw-outline")).toBeNull();
    expect(second.textContent).toContain("Where in this image the relevance lies is not known");
    expect((second.querySelector(".slw-picture-stage") as HTMLElement).style.transform).toContain("scale(1)");
    second.querySelector("button")!.click();
    await until(() => find("dialog .slw-lightbox-side")?.textContent?.includes("is not known"));
  });

  test("at a threshold of 100 % leaves the picture as it is", async () => {
    const { model, all } = gallery([{ box: BOX }]);
    await until(() => all(".slw-heat").length === 1);
    const filter = () => getComputedStyle(all(".slw-tile img")[0]!).filter;
    expect(filter()).not.toBe("none");
    model.set("threshold", 0.95);
    await until(() => all(".slw-heat").length === 1);
    expect(filter()).not.toBe("none");
    model.set("threshold", 1);
    await until(() => all(".slw-heat").length === 0);
    expect(filter()).toBe("none");
  });

  test("says how it was computed and how much of it arrived", async () => {
    const { all, find } = gallery([
      { box: BOX, arrived: 0.931 }, { box: BOX, arrived: 1.04 },
      { box: BOX, method: "CRP; nothing is relevant", arrived: null },
    ]);
    await until(() => find(".slw-said")?.textContent?.includes("93 % to 104 %"));
    expect(find(".slw-said")!.textContent).toBe("Relevance by CRP. Some images differ: open them " +
      "to read how. 93 % to 104 % of it arrived at the images.");
    all(".slw-tile button")[0]!.click();
    await until(() => find("dialog")?.textContent?.includes("93 % of the relevance"));
    expect(find("dialog")!.textContent).toContain("Embeddedthe whole image");
    expect(find(".slw-embedded")).toBeNull();
  });

  test("the large view shows which box was embedded, whatever crop is shown", async () => {
    const { all, find } = gallery([{ box: [0, 0.25, 0.5, 0.75] }], { _crops: true, threshold: 0.9 });
    await until(() => all(".slw-heat").length === 1);
    all(".slw-tile button")[0]!.click();
    const box = await until(() => find("dialog .slw-embedded"));
    expect([box.style.left, box.style.top, box.style.width, box.style.height]).toEqual(
      ["0%", "25%", "50%", "50%"]);
    expect(find("dialog")!.textContent).toContain("the dashed box, 50 % × 50 % of the image");
  });

  test("the large view stands in the middle where a page takes the margins of everything", async () => {
    const reset = document.head.appendChild(document.createElement("style"));
    reset.textContent = "*, ::before, ::after { margin: 0; padding: 0; } dialog { inset: auto; }";
    document.head.prepend(reset);
    try {
      const { all, find } = gallery([{ box: BOX }]);
      await until(() => all(".slw-heat").length === 1);
      all(".slw-tile button")[0]!.click();
      const dialog = (await until(() => find("dialog[open]"))).getBoundingClientRect();
      const { clientWidth, clientHeight } = document.documentElement;
      expect(Math.abs(dialog.left + dialog.right - clientWidth)).toBeLessThan(3);
      expect(Math.abs(dialog.top + dialog.bottom - clientHeight)).toBeLessThan(3);
    } finally {
      reset.remove();
    }
  });
});
