import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { render, type GalleryTraits } from "../src/gallery";
import { short } from "../src/neuron";
import { FakeModel, inBrowser, until, type Request } from "./fake-model";
import { endViews, EVIL, facts, jpeg, show, thumbnails } from "./panel-world";

const examples = (start: number) => [0, 1, 2].map((rank) => ({
  rank, sample: start + rank, activation: 3 - rank, class_name: rank === 1 ? EVIL : "zebra",
  uri: `zoo/${start + rank}${EVIL}.jpg`,
}));

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

const HEATMAP = { shape: [2, 2], box: [0, 0, 0.5, 0.5], method: "CRP" };

function answer(request: Request) {
  const { method, params } = request;
  if (method === "thumbnails") return thumbnails(picture, request);
  if (method === "heatmaps") {
    const samples = params.samples as number[];
    const values = () => new DataView(Uint8Array.of(0, 90, 180, 255).buffer);
    return { result: samples.map(() => HEATMAP), buffers: samples.map(values) };
  }
  const neuron = params.neuron as number;
  return { result: { facts: facts({ neuron }), examples: examples(neuron * 10) } };
}

function gallery(change: Partial<GalleryTraits> = {}, replies = answer as any) {
  const traits: GalleryTraits = { active: { layer: "layer4", neuron: 17 }, overlay: false,
    crop: false, opacity: 0.7, _revision: 0, ...change };
  const model = new FakeModel(traits, replies);
  return { model, ...show(render, model) };
}

/** What each message asked for, in whatever order. */
const samples = (requests: Request[]) =>
  requests.map(({ params }) => [...(params.samples as number[])].sort());

describe.runIf(inBrowser)("the gallery", () => {
  test("asks for nothing and says so without a neuron", async () => {
    const { model, find } = gallery({ active: null });
    expect(find(".slw-state")!.textContent).toContain("Choose a neuron");
    expect(model.sent).toEqual([]);
  });

  test("shows the examples in order, named, with one message for their pictures", async () => {
    const { texts, all, find, asked } = gallery();
    await until(() => all(".slw-tile img").length === 3);
    expect(find("h2")!.textContent).toBe("striped");
    expect(texts(".slw-tile .slw-number")).toEqual(["3.00", "2.00", "1.00"]);
    expect(samples(asked("thumbnails"))).toEqual([[170, 171, 172]]);
    const [first] = all(".slw-tile img") as HTMLImageElement[];
    expect(first!.alt).toContain("Example 1: zebra");
    expect(all(".slw-tile button")[0]!.ariaLabel).toContain("activation 3.00");
    expect(asked("heatmaps")).toEqual([]);
  });

  test("foreign text stays text", async () => {
    const { all, texts, el } = gallery({}, (request: Request) =>
      request.method === "neuron"
        ? { result: { facts: facts({ label: EVIL }), examples: examples(170) } }
        : answer(request));
    await until(() => all(".slw-tile img").length === 3);
    expect(texts("h2")).toEqual([EVIL]);
    expect(all(".slw-tile button")[1]!.title).toContain(EVIL);
    expect(el.querySelector("[onerror]")).toBeNull();
  });

  test("relevance is asked for when it is shown, and drawn over the picture", async () => {
    const { model, all, button, asked } = gallery();
    await until(() => all(".slw-tile img").length === 3);
    button("Relevance")!.click();
    expect(model.traits.overlay).toBe(true);
    await until(() => all(".slw-heat").length === 3);
    expect(samples(asked("heatmaps"))).toEqual([[170, 171, 172]]);
    button("Relevance")!.click();
    await until(() => all(".slw-heat").length === 0);
    button("Crop")!.click();
    await until(() => all(".slw-picture-stage").every((one) => /scale\(2\)/.test(one.style.transform)));
    expect(asked("heatmaps")).toHaveLength(1);
  });

  test("a lens without its model says so once, and can be asked again", async () => {
    let gone = true;
    const { model, all, find, button, asked } = gallery({ overlay: true }, (request: Request) => {
      if (request.method !== "heatmaps" || !gone) return answer(request);
      queueMicrotask(() => model.fail(request, "LensUnavailable", "Opened without its model."));
      return undefined;
    });
    await until(() => find(".slw-notice"));
    expect(all(".slw-notice")).toHaveLength(1);
    expect(find(".slw-notice")!.textContent).toContain("Opened without its model.");
    expect(all(".slw-tile img")).toHaveLength(3);
    gone = false;
    button("Retry")!.click();
    await until(() => all(".slw-heat").length === 3);
    expect(find(".slw-notice")).toBeNull();
    expect(asked("heatmaps")).toHaveLength(2);
  });

  test("heatmaps that are stored show beside those that are not", async () => {
    const { all, find } = gallery({ overlay: true }, (request: Request) => {
      if (request.method !== "heatmaps") return answer(request);
      const error = { type: "LensUnavailable", message: "Opened without its model." };
      const whole = answer(request) as { result: object[]; buffers: DataView[] };
      return { result: [{ error }, ...whole.result.slice(1)], buffers: whole.buffers.slice(1) };
    });
    await until(() => all(".slw-heat").length === 2);
    expect(find(".slw-notice")!.textContent).toContain("Not available in this analysis");
  });

  test("an unreadable picture leaves the others whole", async () => {
    const { all, find } = gallery({}, (request: Request) =>
      request.method === "thumbnails"
        ? { result: { errors: [null, "cannot be read", null] }, buffers: [picture, picture] }
        : answer(request));
    await until(() => all(".slw-tile img").length === 2);
    expect(find(".slw-picture-missing")!.textContent).toBe("cannot be read");
  });

  test("an older neuron's late answer never shows", async () => {
    const { model, texts, asked } = gallery({}, () => undefined);
    await until(() => asked("neuron").length === 1);
    model.set("active", { layer: "layer4", neuron: 18 });
    await until(() => asked("neuron").length === 2);
    const [older, newer] = asked("neuron");
    const detail = (neuron: number) => ({ facts: facts({ neuron, label: `n${neuron}` }), examples: [] });
    model.reply(newer!, detail(18));
    model.reply(older!, detail(17));
    await until(() => texts("h2")[0] === "n18");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(texts("h2")).toEqual(["n18"]);
  });

  test("a failed request can be repeated, a changed label is fetched again", async () => {
    const { model, find, button, texts, asked } = gallery({}, () => undefined);
    await until(() => asked("neuron").length === 1);
    model.fail(asked("neuron")[0]!, "KeyError", "There is no neuron 17.");
    await until(() => find("[role=alert]"));
    expect(find("[role=alert]")!.textContent).toContain("There is no neuron 17.");
    button("Retry")!.click();
    await until(() => asked("neuron").length === 2);
    model.reply(asked("neuron")[1]!, { facts: facts(), examples: [] });
    await until(() => texts("h2")[0] === "striped");
    expect(find(".slw-state")!.textContent).toContain("No image");
    model.set("_revision", 1);
    await until(() => asked("neuron").length === 3);
  });

  test("Enter on a tile opens the large view; arrows walk; Escape closes and focus returns", async () => {
    const { all, find } = gallery();
    await until(() => all(".slw-tile img").length === 3);
    const tile = all(".slw-tile button")[0]!;
    tile.focus();
    tile.click();
    const dialog = (await until(() => find("dialog"))) as HTMLDialogElement;
    await until(() => dialog.open);
    dialog.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    await until(() => dialog.ariaLabel === "Example 3 of 3");
    dialog.close();
    await until(() => !find("dialog"));
    if (inBrowser) expect(document.activeElement).toBe(tile);
  });

  test("at the end nothing listens and the pictures' addresses are given back", async () => {
    const revoke = vi.spyOn(URL, "revokeObjectURL");
    const { model, all, stop } = gallery({ overlay: true });
    await until(() => all(".slw-heat").length === 3);
    const urls = (all(".slw-tile img") as HTMLImageElement[]).map(({ src }) => src).sort();
    stop();
    expect(revoke.mock.calls.map(([url]) => url).sort()).toEqual(urls);
    expect(model.listening).toBe(0);
    revoke.mockRestore();
  });
});

test("numbers are short", () => {
  const shown = [1.234, 0.0001, -2, 12345, null, NaN, 0].map((value) => short(value));
  expect(shown).toEqual(["1.23", "1e−4", "−2.00", "12345", "–", "–", "0.00"]);
});
