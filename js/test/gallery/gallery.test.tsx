import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { arrange } from "../../src/gallery/arrange";
import { render, type GalleryTraits } from "../../src/gallery/gallery";
import { column, short } from "../../src/source/neuron";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, EVIL, facts, jpeg, show, thumbnails } from "../neuron/panel-world";

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

const histogram = { counts: [50, 3, 0, 1], low: 0, high: 4 };

function answer(request: Request) {
  const { method, params } = request;
  if (method === "thumbnails") return thumbnails(picture, request);
  if (method === "clusters") return { result: [0, 1, 0] };
  if (method === "original") return { result: {}, buffers: [picture] };
  if (method === "heatmaps") {
    const samples = params.samples as number[];
    const values = () => new DataView(Uint8Array.of(0, 90, 180, 255).buffer);
    return { result: samples.map(() => HEATMAP), buffers: samples.map(values) };
  }
  const neuron = params.neuron as number;
  return { result: { facts: facts({ neuron }), examples: examples(neuron * 10), histogram } };
}

function gallery(change: Partial<GalleryTraits> = {}, replies = answer as any) {
  const traits: GalleryTraits = { active: { layer: "layer4", neuron: 17 }, overlay: false,
    crop: false, outline: false, side_by_side: false, opacity: 0.7, threshold: 0, colormap: "ember",
    sort_by: "activation", group_by: null, _originals: false, _crops: false, _revision: 0, ...change };
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
        ? { result: { facts: facts({ label: EVIL }), examples: examples(170), histogram } }
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
    model.set("threshold", 0.9); // the last of four values
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
    const detail = (neuron: number) => ({ facts: facts({ neuron, label: `n${neuron}` }), examples: [], histogram });
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
    model.reply(asked("neuron")[1]!, { facts: facts(), examples: [], histogram });
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

test("the numbers of a column have as many decimals, by the largest", () => {
  const written = (values: (number | null)[], digits: number) =>
    values.map(column(values, digits));
  expect(written([0.1234, 0.12, -0.0004, null], 3)).toEqual(["0.123", "0.120", "0.000", "–"]);
  expect(written([0.0042, -0.0004], 3)).toEqual(["0.0042", "−0.0004"]);
  expect(written([250, 3.14159, 0], 2)).toEqual(["250.0", "3.1", "0.0"]);
  expect(written([12345, 7.7], 2)).toEqual(["12345", "8"]);
  expect(written([2e-9, 0], 2)).toEqual(["2.0e−9", "0"]);
});

describe.runIf(inBrowser)("many tiles", () => {
  const many = (count: number) => (request: Request) => {
    if (request.method !== "neuron") return answer(request);
    const all = Array.from({ length: count }, (_, rank) => ({
      rank, sample: rank, activation: count - rank, class_name: `kind ${rank % 3}`, uri: `${rank}.png`,
    }));
    return { result: { facts: facts(), examples: all, histogram } };
  };
  const key = (target: Element, name: string) =>
    target.dispatchEvent(new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));

  test("two thousand are drawn, and asked for, only where they are near", async () => {
    const { all, find, asked } = gallery({}, many(2000));
    await until(() => all(".slw-tile img").length > 10);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(all(".slw-tile").length).toBeLessThan(250);
    const wanted = asked("thumbnails").flatMap(({ params }) => params.samples as number[]);
    expect(wanted.length).toBeLessThan(200);
    const frame = find(".slw-groups-framed")!;
    const whole = frame.scrollHeight;
    frame.scrollTop = whole;
    await until(() => all(".slw-tile-caption .slw-number").some((one) => one.textContent === "1"));
    expect(all(".slw-tile").length).toBeLessThan(350);
    expect(Math.abs(frame.scrollHeight - whole)).toBeLessThan(40);
  });

  test("arrows, Home and End walk over all of them, one stop for Tab", async () => {
    const { all, find } = gallery({}, many(1200));
    await until(() => all(".slw-tile img").length > 10);
    expect(all(".slw-tile button[tabindex='0']")).toHaveLength(1);
    find(".slw-tile button")!.focus();
    key(document.activeElement!, "ArrowRight");
    await until(() => (document.activeElement as HTMLElement).dataset.place === "1");
    key(document.activeElement!, "End");
    await until(() => (document.activeElement as HTMLElement).dataset.place === "1199");
    key(document.activeElement!, "Home");
    await until(() => (document.activeElement as HTMLElement).dataset.place === "0");
  });
});

describe.runIf(inBrowser)("how relevance and order are shown", () => {
  test("groups by meaning come from the kernel, by class from the examples", async () => {
    const { model, all, texts, asked } = gallery({ group_by: "cluster" });
    await until(() => all(".slw-group").length === 2);
    expect(texts(".slw-group-name > :first-child")).toEqual(["Meaning 1", "Meaning 2"]);
    expect(texts(".slw-group:first-child .slw-number")).toEqual(["3.00", "1.00"]);
    model.set("group_by", "class");
    await until(() => texts(".slw-group-name > :first-child")[0] === "zebra");
    expect(texts(".slw-group-name > :first-child")).toEqual(["zebra", EVIL]);
    expect(asked("clusters")).toHaveLength(1);
  });

  test("outline, threshold and colours need no kernel", async () => {
    const { model, all, find, asked } = gallery({ overlay: true, outline: true });
    await until(() => all(".slw-heat").length === 3 && all(".slw-outline").length === 3);
    const before = find(".slw-outline path")!.getAttribute("d");
    const alpha = () => {
      const canvas = find(".slw-heat") as HTMLCanvasElement;
      return [...canvas.getContext("2d")!.getImageData(0, 0, 2, 2).data].filter((_, i) => i % 4 === 3);
    };
    await until(() => alpha().filter(Boolean).length === 3);
    const count = asked("heatmaps").length;
    model.set("threshold", 0.8);
    await until(() => alpha().filter(Boolean).length === 1);
    expect(find(".slw-outline path")!.getAttribute("d")).not.toBe(before);
    model.set("colormap", "viridis");
    model.set("side_by_side", true);
    await until(() => all(".slw-picture-two").length === 3);
    expect(all(".slw-tile img")).toHaveLength(6);
    expect(asked("heatmaps")).toHaveLength(count);
  });

  test("the strip marks the examples, and the one under the pointer", async () => {
    const { all, find } = gallery();
    await until(() => all(".slw-strip-marks i").length === 3);
    expect(find(".slw-strip")!.ariaLabel).toContain("54 images");
    find(".slw-tile button")!.dispatchEvent(new PointerEvent("pointerenter"));
    await until(() => all(".slw-strip-here").length === 1);
    expect((find(".slw-strip-here") as HTMLElement).style.left).toBe("75%");
  });

  test("the large view shows the original where there is one", async () => {
    const { all, find, asked } = gallery({ _originals: true });
    await until(() => all(".slw-tile img").length === 3);
    all(".slw-tile button")[1]!.click();
    await until(() => find("dialog")?.textContent?.includes("in its own resolution"));
    expect(asked("original").map(({ params }) => params.samples)).toEqual([[171]]);
    expect(find("dialog h3")!.textContent).toBe(EVIL);
  });

  test("without images the large view says that it is a thumbnail", async () => {
    const { all, find, asked } = gallery();
    await until(() => all(".slw-tile img").length === 3);
    all(".slw-tile button")[0]!.click();
    await until(() => find("dialog")?.textContent?.includes("not at hand"));
    expect(asked("original")).toEqual([]);
  });
});

describe.runIf(inBrowser)("a kernel that is slow or gone", () => {
  test("a neuron seen before shows at once; a new one never under another's name", async () => {
    let replies: any = answer;
    const { model, find, texts, all, asked } = gallery({}, (request: Request) => replies(request));
    await until(() => all(".slw-tile img").length === 3);
    replies = () => undefined;
    model.set("active", { layer: "layer4", neuron: 18 });
    await until(() => find(".slw-groups")?.ariaBusy === "true");
    await until(() => all(".slw-tile.slw-tile img").length === 0 && find(".slw-skeleton"));
    expect(texts(".slw-heading .slw-mono")).toEqual(["layer4 / 18"]);
    model.set("active", { layer: "layer4", neuron: 17 });
    await until(() => all(".slw-tile img").length === 3);
    expect(asked("neuron")).toHaveLength(2);
    model.set("active", { layer: "layer4", neuron: 18 });
    await until(() => find("[role=status].slw-notice"), 5000);
    expect(asked("neuron")).toHaveLength(2); // the one on its way is waited for
    expect(find(".slw-notice")!.textContent).toContain("No answer from the kernel yet");
    model.fail(asked("neuron")[1]!, "KeyError", "gone");
    await until(() => find("[role=alert]"));
    expect(find("[role=alert]")!.textContent).toContain("layer4 / 18");
    expect(all(".slw-tile")).toHaveLength(0);
  });
});

test("examples are put in order and together", () => {
  const some = examples(0).map((one, rank) => ({ ...one, class_name: ["b", "a", "b"][rank]!, uri: `${9 - rank}.png` }));
  const ranks = (...settings: [any, any]) =>
    arrange(some, ...settings, null).map((group) => group.examples.map(({ rank }) => rank));
  expect(ranks("activation", null)).toEqual([[0, 1, 2]]);
  expect(ranks("class", null)).toEqual([[1, 0, 2]]);
  expect(ranks("file", null)).toEqual([[2, 1, 0]]);
  expect(ranks("activation", "class")).toEqual([[0, 2], [1]]);
  expect(ranks("activation", "cluster")).toEqual([[0, 1, 2]]);
});
