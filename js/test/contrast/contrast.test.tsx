import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { barScale } from "../../src/contrast/bars";
import { render, type ContrastTraits } from "../../src/contrast/contrast";
import { addCandidates, splitCandidates } from "../../src/contrast/candidate-list";
import { contributionsOf, inWords } from "../../src/contrast/why";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, enter, EVIL, facts, jpeg, show, thumbnails } from "../neuron/panel-world";
import SCORERS from "./scorers.json";

const PAIRS = [0, 1].map((rank) => ({
  rank, sample: rank, activation: 3 - rank, class_name: "zebra", uri: `zoo/${rank}.jpg`,
  contrast: rank === 1 ? null
    : { sample: 9, activation: 0.1, class_name: "horse", uri: "zoo/9.jpg" },
  similarity: rank === 1 ? null : 0.8,
  origin: rank === 1 ? "" : "data set", changed: null as number | null,
}));
const SCORES = [["dotted", 0.1], ["striped", 0.3], [EVIL, 0.2]];

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

/** Scores that are not taken apart, of a neuron without a label. */
const BARE = { explained: [], own: "" };

function answer(request: Request) {
  if (request.method === "thumbnails") return thumbnails(picture, request);
  if (request.method === "pairs") return { result: { facts: facts(), pairs: PAIRS } };
  if (request.method === "accept") return { result: {} };
  if (request.method === "chance") return { result: null };
  if (request.method === "intervals") return undefined;
  if (request.method === "vocabulary") return { result: { words: ["one", EVIL], total: 2 } };
  const named = request.params.candidates as string[];
  const known = new Map(SCORES as [string, number][]);
  const scores = named.length ? named.map((one) => [one, known.get(one) ?? 0.05]) : SCORES;
  const explained = request.params.scorer === "clip-dissect" ? [] : scores.map(([name]) => name);
  const parts = Float32Array.from(scores.flatMap(([, score]) => [2 * Number(score), -Number(score)]));
  return { result: { scores, explained, own: "" }, buffers: [new DataView(parts.buffer)] };
}

/** All but scores. */
const still = (request: Request) => (request.method === "scores" ? undefined : answer(request));

function panel(change: Partial<ContrastTraits> = {}, replies = answer as any) {
  const traits: ContrastTraits = { active: { layer: "layer4", neuron: 17 }, candidates: [],
    scorer: "csp", second: "", settings: {}, _scorers: SCORERS, _sources: [], templates: "csp", _excluded: null, scores: [], _scored: null, accepted: null, _revision: 0, ...change };
  const model = new FakeModel(traits, replies);
  const view = show(render, model);
  const names = () => view.texts(".slw-score-name");
  const busy = () => view.find(".slw-bars ol")?.ariaBusy;
  return { model, ...view, names, busy };
}

describe.runIf(inBrowser)("the contrast panel", () => {
  test.each([true, false])("the keyboard reaches the pairs, left out one by one or not: %s", async (pairs) => {
    const { all, find } = panel({ _scorers: SCORERS.map((one) => ({ ...one, pairs })) });
    await until(() => all(".slw-pair").length === 2);
    expect(all(".slw-pair-toggle")).toHaveLength(pairs ? 2 : 0);
    expect((find(".slw-pairs") as HTMLElement).tabIndex).toBe(pairs ? -1 : 0);
  });

  test("shows each example above its contrast, or that there is none", async () => {
    const { el, all, texts, find } = panel();
    await until(() => all(".slw-pair img").length === 3);
    expect(el.querySelector(".slw.slw-contrast")).not.toBeNull(); // no theme takes its name away
    const alts = (all(".slw-pair img") as HTMLImageElement[]).map(({ alt }) => alt);
    expect(alts).toEqual(["Example 1: zebra", "Contrast: horse", "Example 2: zebra"]);
    expect(texts(".slw-pair-link")[0]).toContain("0.80");
    expect(find(".slw-pair-none")!.textContent).toBe("No contrast found");
  });

  test("says where each contrast is from, and how much of an edited one is new", async () => {
    const origins = [["data set", null], ["edited", 0.254], ["edited", null], ["made", null]] as const;
    const pairs = origins.map(([origin, changed], rank) =>
      ({ ...PAIRS[0]!, rank, sample: rank, origin, changed }));
    const { texts } = panel({}, (request: Request) => request.method === "pairs"
      ? { result: { facts: facts(), pairs: [...pairs, { ...PAIRS[1]!, rank: 4, sample: 4 }] } }
      : answer(request));
    await until(() => texts(".slw-pair").length === 5);
    expect(texts(".slw-pair-origin")).toEqual(["data set", "edited 25 %", "edited", "made"]);
  });

  test("suggests candidates, best first, with its lead", async () => {
    const { names, texts, find, asked, el } = panel();
    await until(() => names().length === 3);
    expect(asked("scores")[0]!.params).toEqual({ layer: "layer4", neuron: 17, candidates: [],
      scorer: "csp", settings: {}, templates: "csp", exclude: [] });
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
    model.set("settings", { gamma: 0.5 });
    await until(() => asked("scores").length === 2);
    expect(asked("scores")[1]!.params).toMatchObject({
      settings: { gamma: 0.5 }, candidates: ["dotted", "striped", EVIL],
    });
    expect(busy()).toBe("true");
    expect(names()).toHaveLength(3);
    model.reply(asked("scores")[1]!, { scores: [["dotted", 0.9], ["striped", 0.3], [EVIL, 0.2]], ...BARE });
    await until(() => busy() === "false");
    expect(names()[0]).toBe("dotted");
  });

  test("answers in the wrong order: the newest settings win", async () => {
    const { model, names, busy, texts, asked } = panel({ candidates: ["a", "b"] }, still);
    await until(() => asked("scores").length === 1);
    model.set("settings", { gamma: 0.5 });
    await until(() => asked("scores").length === 2);
    const [older, newer] = asked("scores");
    model.reply(newer!, { scores: [["a", 0.1], ["b", 0.7]], ...BARE });
    model.reply(older!, { scores: [["a", 0.9], ["b", 0.2]], ...BARE });
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
    model.reply(asked("scores")[1]!, { scores: [["a", 0.1], ["bad", 0.2]], ...BARE });
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
    await until(() => asked("accept").length === 2 && !find("[role=alert]"));
    model.set("_revision", 1); // as the kernel tells every view
    await until(() => asked("pairs").length === 2 && asked("scores").length === 2);
  });

  test("gamma belongs to CSP alone", async () => {
    const { model, find, names } = panel();
    await until(() => names().length === 3);
    const slider = find(".slw-scoring input[type=range]") as HTMLInputElement;
    for (const step of ["0.75", "0.5", "0.25"]) enter(slider, step);
    expect([model.traits.settings, model.saves]).toEqual([{ gamma: 0.25 }, 0]);
    await until(() => model.saves === 1); // one event for Python
    model.set("scorer", "difference");
    await until(() => find(".slw-scoring input[type=range]") === null);
  });

  test("a scorer has the controls that it says it has", async () => {
    const { model, find, button, names } = panel({ scorer: "recognition" });
    await until(() => names().length === 3);
    const slider = find(".slw-scoring input[type=range]") as HTMLInputElement;
    expect([slider.min, slider.max, slider.value]).toEqual(["0.01", "0.2", "0.02"]);
    expect(button("Centred")).toBeUndefined();
    enter(slider, "0.05");
    expect(model.traits.settings).toEqual({ share: 0.05 });
    expect(find(".slw-score-legend")!.textContent).toContain("Bars start at 0.5");
  });

  test("without a kernel the saved scores are shown", async () => {
    const scores: [string, number][] = [["x", 0.1], ["y", 0.2]];
    const { names } = panel({ scores, _scored: { layer: "layer4", neuron: 17 } }, still);
    await until(() => names().length === 2);
    expect(names()).toEqual(["y", "x"]);
    const other = panel({ scores, _scored: { layer: "layer4", neuron: 3 } }, still);
    await until(() => other.find(".slw-bars-waiting"));
    expect(other.names()).toEqual([]);
  });
});

describe.runIf(inBrowser)("pairs and labels", () => {
  test("a click leaves a pair out: the scores follow, and the neuron keeps its own", async () => {
    const { model, all, find, button, asked } = panel();
    await until(() => all(".slw-part").length === 2);
    button("Leave out pair 2")!.click();
    expect(model.traits._excluded).toEqual({ layer: "layer4", neuron: 17, ranks: [1] });
    await until(() => asked("scores").length === 2);
    expect(asked("scores")[1]!.params).toMatchObject({ exclude: [1], candidates: ["dotted", "striped", EVIL] });
    await until(() => all(".slw-pair-out").length === 1);
    expect(button("Leave out pair 2")!.ariaPressed).toBe("true");
    find(".slw-pair figure")!.click();
    await until(() => asked("scores").length === 3);
    expect(asked("scores")[2]!.params.exclude).toEqual([0, 1]);
    button("Take in 2 again")!.click();
    await until(() => all(".slw-pair-out").length === 0);
    model.set("_excluded", { layer: "layer4", neuron: 9, ranks: [0] });
    await until(() => all(".slw-pair-out").length === 0);
  });

  test("a score that rests on all images has no pairs to leave out", async () => {
    const { all, find, button } = panel({
      scorer: "recognition", _excluded: { layer: "layer4", neuron: 17, ranks: [0] },
    });
    await until(() => all(".slw-pair").length === 2);
    expect(button("Leave out pair 1")).toBeUndefined();
    expect(all(".slw-pair-out")).toHaveLength(0);
    expect(find(".slw-pairs-head")!.textContent).not.toContain("click");
  });

  test("pointing at a label explains it by its pairs; the best one otherwise", async () => {
    const { all, texts, find, button } = panel();
    await until(() => all(".slw-part").length === 2);
    expect(find(".slw-why strong")!.textContent).toBe("striped");
    expect(texts(".slw-part .slw-number")).toEqual(["+0.600", "−0.300"]);
    expect(find(".slw-why-words")!.textContent).toBe("Pair 1 gives most; 1 of 2 speak against it.");
    const dotted = all(".slw-score")[2]!;
    dotted.dispatchEvent(new PointerEvent("pointerenter"));
    await until(() => texts(".slw-part .slw-number")[0] === "+0.200");
    expect(find(".slw-score-focused .slw-score-name")!.textContent).toBe("dotted");
    find(".slw-bars")!.dispatchEvent(new PointerEvent("pointerleave"));
    await until(() => find(".slw-why strong")!.textContent === "striped");
    button("Use dotted as label")!.focus();
    await until(() => find(".slw-why strong")!.textContent === "dotted");
    (document.activeElement as HTMLElement).blur();
    await until(() => find(".slw-why strong")!.textContent === "striped");
    (all(".slw-score-name")[1] as HTMLButtonElement).click();
    await until(() => find(".slw-why strong")!.textContent === EVIL);
    all(".slw-why input")[1]!.click();
    await until(() => texts(".slw-part .slw-number")[0] === "−0.200");
    expect(find(".slw-why")!.textContent).toContain("rather than striped");
  });

  test("a scorer that cannot be taken apart says so", async () => {
    const { all, find } = panel({ scorer: "clip-dissect" });
    await until(() => find(".slw-why-words")?.textContent?.includes("cannot be shared out"));
    expect(all(".slw-part")).toHaveLength(0);
  });

  test("templates are chosen; the lens's labels, or a file's, become candidates", async () => {
    const { model, find, button, asked, names } = panel();
    await until(() => names().length === 3);
    const prompts = find("select[aria-label=Prompts]") as HTMLSelectElement;
    prompts.value = "plain";
    prompts.dispatchEvent(new Event("change", { bubbles: true }));
    expect(model.traits.templates).toBe("plain");
    await until(() => asked("scores").at(-1)!.params.templates === "plain");
    button("All")!.click();
    await until(() => names().includes("one"));
    expect(model.traits.candidates).toEqual(["one", EVIL]);
    const input = find("input[type=file]") as HTMLInputElement;
    const files = new DataTransfer();
    files.items.add(new File(["two\nthree, or 3\none\n"], "labels.txt"));
    input.files = files.files;
    input.dispatchEvent(new Event("change"));
    await until(() => names().includes("three, or 3"));
    expect(model.traits.candidates).toEqual(["one", EVIL, "two", "three, or 3"]);
    expect(find(".slw-message")!.textContent).toBe("Already in the list: one.");
  });

  test("another neuron's scores never stand under a failed request", async () => {
    let replies: any = answer;
    const { model, names, texts, find, asked } = panel({ candidates: ["a", "striped"] }, (request: Request) =>
      replies(request));
    await until(() => texts(".slw-score > .slw-number")[0] === "0.300");
    replies = still;
    model.set("active", { layer: "layer4", neuron: 18 });
    await until(() => asked("scores").length === 2);
    model.fail(asked("scores")[1]!, "KeyError", "no");
    await until(() => find("[role=alert]"));
    expect(names()).toHaveLength(2);
    expect(texts(".slw-score > .slw-number")).toEqual(["–", "–"]);
  });
});

test("what pairs add is told in words", () => {
  const parts = new Map([["a", Float32Array.of(3, -1, 2)], ["b", Float32Array.of(1, 1, 1)]]);
  expect(contributionsOf(parts, "a", "b", "score")).toEqual([3, -1, 2]);
  expect(contributionsOf(parts, "a", "b", "lead")).toEqual([2, -2, 1]);
  expect(contributionsOf(parts, "c", "b", "score")).toBeNull();
  expect(inWords([3, -1, 2], new Set())).toBe("Pairs 1 and 3 give most; 1 of 3 speak against it.");
  expect(inWords([3, -1, 2], new Set([0, 1]))).toBe("Pair 3 gives most; none speaks against it.");
  expect(inWords([-1], new Set())).toBe("No pair speaks for it.");
});

describe("candidates and bars", () => {
  test("are split at lines, commas and semicolons", () => {
    expect(splitCandidates(" a ,b;c  d;;")).toEqual(["a", "b", "c d"]);
    expect(splitCandidates("tench, Tinca tinca\r\nc  d;;\n\u2028e,\n")).toEqual(
      ["tench, Tinca tinca", "c d", "e"]);
    expect(splitCandidates("tench, Tinca tinca\n")).toEqual(["tench, Tinca tinca"]);
    expect(addCandidates(["\u00e9"], "e\u0301").candidates).toEqual(["\u00e9"]);
    expect(splitCandidates("a\ud83d,\ud83d\ude00")).toEqual(["a\ufffd", "\ud83d\ude00"]);
    expect(addCandidates(["a"], "A, b, B")).toEqual({
      candidates: ["a", "b"], message: "Already in the list: A, B.",
    });
  });

  test("are as many, and as long, as a saved notebook can bear", () => {
    const words = Array.from({ length: 6000 }, (_, index) => `word ${index}`);
    const { candidates, message } = addCandidates(["a".repeat(120)], words.join("\n"));
    expect(candidates).toHaveLength(5000);
    expect(message).toContain("Left out: 1001.");
    expect(addCandidates([], "b".repeat(121)).candidates).toEqual([]);
    expect(addCandidates([], "\ud83e\udd93".repeat(120)).candidates).toHaveLength(1);
    expect(addCandidates([], "\ud83e\udd93".repeat(121)).candidates).toEqual([]);
  });

  test("the scale holds zero and negative scores", () => {
    const place = barScale([0.3, -0.1, null]);
    expect([place(-0.1), place(0), place(0.3)].map(Math.round)).toEqual([0, 25, 100]);
    expect(barScale([])(0)).toBe(0);
    const dissect = barScale([-5, -1, null, -3], null);
    expect([dissect(-5), dissect(-3), dissect(-1)]).toEqual([0, 50, 100]);
    const chance = barScale([0.9, 0.7, null, 0.4], 0.5);
    expect([chance(0.4), chance(0.5), chance(0.9)].map(Math.round)).toEqual([0, 20, 100]);
  });
});
