import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { barScale } from "../src/bars";
import { render, type ContrastTraits } from "../src/contrast";
import { addCandidates, splitCandidates } from "../src/scoring";
import { FakeModel, inBrowser, until, type Request } from "./fake-model";
import { endViews, enter, EVIL, facts, jpeg, show, thumbnails } from "./panel-world";

const PAIRS = [0, 1].map((rank) => ({
  rank, sample: rank, activation: 3 - rank, class_name: "zebra", uri: `zoo/${rank}.jpg`,
  contrast: rank === 1 ? null
    : { sample: 9, activation: 0.1, class_name: "horse", uri: "zoo/9.jpg" },
  similarity: rank === 1 ? null : 0.8,
}));
const SCORES = [["dotted", 0.1], ["striped", 0.3], [EVIL, 0.2]];

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

function answer(request: Request) {
  if (request.method === "thumbnails") return thumbnails(picture, request);
  if (request.method === "pairs") return { result: { facts: facts(), pairs: PAIRS } };
  if (request.method === "accept") return { result: {} };
  const named = request.params.candidates as string[];
  const known = new Map(SCORES as [string, number][]);
  const scores = named.length ? named.map((one) => [one, known.get(one) ?? 0.05]) : SCORES;
  return { result: { scores } };
}

/** All but scores. */
const still = (request: Request) => (request.method === "scores" ? undefined : answer(request));

function panel(change: Partial<ContrastTraits> = {}, replies = answer as any) {
  const traits: ContrastTraits = { active: { layer: "layer4", neuron: 17 }, candidates: [],
    method: "csp", gamma: 1, centred: false, scores: [], accepted: null, _revision: 0, ...change };
  const model = new FakeModel(traits, replies);
  const view = show(render, model);
  const names = () => view.texts(".slw-score-name");
  const busy = () => view.find(".slw-bars ol")?.ariaBusy;
  return { model, ...view, names, busy };
}

describe.runIf(inBrowser)("the contrast panel", () => {
  test("shows each example above its contrast, or that there is none", async () => {
    const { all, texts, find } = panel();
    await until(() => all(".slw-pair img").length === 3);
    const alts = (all(".slw-pair img") as HTMLImageElement[]).map(({ alt }) => alt);
    expect(alts).toEqual(["Example 1: zebra", "Contrast: horse", "Example 2: zebra"]);
    expect(texts(".slw-pair-link")[0]).toContain("0.80");
    expect(find(".slw-pair-none")!.textContent).toBe("No image under the mean");
  });

  test("suggests candidates, best first, with its lead", async () => {
    const { names, texts, find, asked, el } = panel();
    await until(() => names().length === 3);
    expect(asked("scores")[0]!.params).toEqual({ layer: "layer4", neuron: 17, candidates: [],
      method: "csp", gamma: 1, centred: false });
    expect(names()).toEqual(["striped", EVIL, "dotted"]);
    expect(texts(".slw-score > .slw-number")).toEqual(["0.300", "0.200", "0.100"]);
    expect(find(".slw-score-best .slw-score-gap")!.textContent).toContain("+0.100");
    expect(texts(".slw-score-label")).toEqual(["label"]);
    expect(el.querySelector("[onerror]")).toBeNull();
  });

  test("moving gamma scores the same suggestions again and dims the old bars meanwhile", async () => {
    let replies: any = answer;
    const { model, names, busy, asked } = panel({}, (request: Request) => replies(request));
    await until(() => names().length === 3);
    replies = still;
    model.set("gamma", 0.5);
    await until(() => asked("scores").length === 2);
    expect(asked("scores")[1]!.params).toMatchObject({
      gamma: 0.5, candidates: ["dotted", "striped", EVIL],
    });
    expect(busy()).toBe("true");
    expect(names()).toHaveLength(3);
    model.reply(asked("scores")[1]!, { scores: [["dotted", 0.9], ["striped", 0.3], [EVIL, 0.2]] });
    await until(() => busy() === "false");
    expect(names()[0]).toBe("dotted");
  });

  test("answers in the wrong order: the newest settings win", async () => {
    const { model, names, busy, texts, asked } = panel({ candidates: ["a", "b"] }, still);
    await until(() => asked("scores").length === 1);
    model.set("gamma", 0.5);
    await until(() => asked("scores").length === 2);
    const [older, newer] = asked("scores");
    model.reply(newer!, { scores: [["a", 0.1], ["b", 0.7]] });
    model.reply(older!, { scores: [["a", 0.9], ["b", 0.2]] });
    await until(() => busy() === "false");
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(names()).toEqual(["b", "a"]);
    expect(texts(".slw-score > .slw-number")).toEqual(["0.700", "0.100"]);
  });

  test("an error is shown with the candidates still there to remove, and can be retried", async () => {
    const { model, names, find, button, asked } = panel({ candidates: ["a", "bad"] }, still);
    await until(() => asked("scores").length === 1);
    model.fail(asked("scores")[0]!, "ValueError", "cannot embed 'bad'");
    await until(() => find("[role=alert]"));
    expect(find("[role=alert]")!.textContent).toContain("cannot embed 'bad'");
    expect(names()).toEqual(["a", "bad"]);
    button("Retry")!.click();
    await until(() => asked("scores").length === 2);
    model.reply(asked("scores")[1]!, { scores: [["a", 0.1], ["bad", 0.2]] });
    await until(() => !find("[role=alert]") && names()[0] === "bad");
  });

  test("candidates are added, refused when blank or known, and removed", async () => {
    const { model, names, find, button } = panel();
    await until(() => names().length === 3);
    const input = find(".slw-add input")!;
    enter(input, "  ");
    button("Add")!.click();
    await until(() => find(".slw-message")!.textContent === "Type a label first.");
    enter(input, "spotted, Striped");
    await until(() => (input as HTMLInputElement).value !== "  ");
    button("Add")!.click();
    await until(() => names().includes("spotted"));
    expect(find(".slw-message")!.textContent).toBe("Already in the list: Striped.");
    expect(model.traits.candidates).toEqual(["dotted", "striped", EVIL, "spotted"]);
    button("Remove striped")!.click();
    await until(() => !names().includes("striped"));
    expect(model.traits.candidates).toEqual(["dotted", EVIL, "spotted"]);
    button("Suggest")!.click();
    await until(() => names().includes("striped"));
    expect(model.traits.candidates).toEqual([]);
  });

  test("pasted lines become candidates", async () => {
    const { model, names, find } = panel({ candidates: ["a"] });
    await until(() => names().length === 1);
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", "b\r\n c  d\n\nb");
    const paste = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
    find(".slw-add input")!.dispatchEvent(paste);
    expect(paste.defaultPrevented).toBe(true);
    expect(model.traits.candidates).toEqual(["a", "b", "c d"]);
  });

  test("a candidate becomes the label; a refusal is shown", async () => {
    let replies: any = still;
    const { model, names, find, button, asked } = panel({}, (request: Request) =>
      request.method === "accept" ? replies(request) : answer(request));
    await until(() => names().length === 3);
    replies = (request: Request) => {
      queueMicrotask(() => model.fail(request, "PermissionError", "read-only"));
    };
    button("Use dotted as label")!.click();
    await until(() => find("[role=alert]"));
    expect(asked("accept")[0]!.params).toEqual({ layer: "layer4", neuron: 17, label: "dotted", score: 0.1 });
    replies = answer;
    button("Retry")!.click();
    await until(() => asked("pairs").length === 2);
    await until(() => !find("[role=alert]"));
  });

  test("gamma belongs to CSP alone", async () => {
    const { model, find, names } = panel();
    await until(() => names().length === 3);
    const slider = find("input[type=range]") as HTMLInputElement;
    expect(slider.disabled).toBe(false);
    enter(slider, "0.25");
    expect(model.traits.gamma).toBe(0.25);
    model.set("method", "difference");
    await until(() => slider.disabled);
  });

  test("without a kernel the saved scores are shown", async () => {
    const { names } = panel({ scores: [["x", 0.1], ["y", 0.2]] }, still);
    await until(() => names().length === 2);
    expect(names()).toEqual(["y", "x"]);
  });
});

describe("candidates and bars", () => {
  test("are split at lines, commas and semicolons", () => {
    expect(splitCandidates(" a ,b\r\nc  d;;\n")).toEqual(["a", "b", "c d"]);
    expect(addCandidates(["a"], "A, b, B")).toEqual({
      candidates: ["a", "b"], message: "Already in the list: A, B.",
    });
  });

  test("the scale holds zero and negative scores", () => {
    const place = barScale([0.3, -0.1, null]);
    expect([place(-0.1), place(0), place(0.3)].map(Math.round)).toEqual([0, 25, 100]);
    expect(barScale([])(0)).toBe(0);
  });
});
