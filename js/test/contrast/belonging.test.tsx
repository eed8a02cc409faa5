// Numbers, reasons and actions belong to the neuron in the heading, whatever is on its way.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { render, type ContrastTraits } from "../../src/contrast/contrast";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, facts, jpeg, show, thumbnails } from "../neuron/panel-world";
import SCORERS from "./scorers.json";

const n = (neuron: number) => ({ layer: "layer4", neuron });
const PAIRS = [{ rank: 0, sample: 0, activation: 3, class_name: "zebra", uri: "0.jpg",
  contrast: null, similarity: null, origin: "", changed: null }];

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

/** Each neuron is called after its number; what is `held` is answered by hand. */
function panel(change: Partial<ContrastTraits> = {}, own = (neuron: number) => `label ${neuron}`) {
  const held = new Set<string>();
  const scores = (neuron: number, named: string[]) =>
    [...(named.length ? named : ["stripes", "dots"]), own(neuron)].filter(Boolean)
      .map((name, at) => [name, neuron / 100 + at / 1000]);
  const reply = ({ method, params }: Request): any => {
    const neuron = params.neuron as number;
    if (method === "pairs") return { result: { facts: facts({ neuron, label: own(neuron) }), pairs: PAIRS } };
    if (method === "scores") {
      const found = scores(neuron, params.candidates as string[]);
      const parts = Float32Array.from(found.map(() => neuron));
      return { result: { scores: found, explained: found.map(([name]) => name), own: own(neuron) },
        buffers: [new DataView(parts.buffer)] };
    }
    if (method === "chance") return { result: null };
    if (method === "intervals") return undefined;
    return { result: method === "vocabulary" ? { words: [], total: 0 } : {} };
  };
  const traits: ContrastTraits = { active: n(17), candidates: [], scorer: "csp", second: "", settings: {}, _scorers: SCORERS, _sources: [], templates: "csp", _excluded: null, scores: [], _scored: null, accepted: null,
    _revision: 0, ...change };
  const model: FakeModel<ContrastTraits> = new FakeModel(traits, (request) =>
    request.method === "thumbnails" ? thumbnails(picture, request)
    : held.has(request.method) ? undefined : reply(request));
  const view = show(render, model);
  const answer = (request: Request) => {
    const { result, buffers } = reply(request);
    model.reply(request, result, buffers);
  };
  const numbers = () => view.texts(".slw-score > .slw-number");
  const usable = () => view.all(".slw-score .slw-button-small:not(.slw-button-plain)")
    .filter((one) => one.ariaDisabled !== "true");
  return { model, held, answer, ...view, numbers, usable, names: () => view.texts(".slw-score-name") };
}

describe.runIf(inBrowser)("after a change of neuron", () => {
  test("the old scores are blank at once, and Use stores nothing, until the new ones come", async () => {
    const { model, held, answer, numbers, names, usable, all, asked, find, texts } =
      panel({ candidates: ["stripes", "dots"] });
    await until(() => numbers().length === 3 && find("h2")!.textContent === "label 17");
    const before = numbers();
    expect(before).not.toContain("–");
    expect(usable()).toHaveLength(2);
    held.add("scores");
    model.set("active", n(18));
    await until(() => find("h2")?.textContent === "label 18" && asked("scores").length === 2);
    expect(numbers()).toEqual(["–", "–"]);
    expect(names()).not.toContain("label 17");
    expect(usable()).toEqual([]);
    expect(all(".slw-part")).toEqual([]);
    all(".slw-score [data-at='1']").forEach((one) => one.click());
    expect(asked("accept")).toEqual([]);
    answer(asked("scores").at(-1)!);
    await until(() => numbers().every((one) => one !== "–"));
    expect(numbers()).toEqual(["0.182", "0.181", "0.180"]);
    expect(texts(".slw-part .slw-number")).toEqual(["+18.000"]);
    expect(names()[0]).toBe("label 18"); // its own, though it was not typed
  });

  test("scores that come before the neuron's facts wait for them", async () => {
    const { model, held, answer, numbers, usable, all, asked, find } = panel({ candidates: ["stripes"] });
    await until(() => numbers().length === 2 && find("h2"));
    held.add("pairs");
    model.set("active", n(18));
    await until(() => asked("scores").length === 2);
    await until(() => numbers().every((one) => one === "–"));
    await until(() => find(".slw-score, .slw-awaited-title"));
    if (find("h2")) expect([find("h2")!.textContent, usable()]).toEqual(["label 17", []]);
    all(".slw-pair-toggle").forEach((one) => one.click());
    expect(model.traits._excluded).toBeNull();
    answer(asked("pairs").at(-1)!);
    await until(() => find("h2")?.textContent === "label 18" && numbers().join() === "0.181,0.180");
  });

  test("what was suggested for another neuron is not even named", async () => {
    const { model, held, names, find } = panel();
    await until(() => names().includes("label 17"));
    held.add("scores");
    model.set("active", n(18));
    await until(() => find("h2")?.textContent === "label 18");
    expect(names()).toEqual([]);
    expect(find(".slw-bars-waiting")).not.toBeNull();
  });

  test("a slow answer for the old neuron is never shown under the new one", async () => {
    const { model, held, answer, numbers, asked, find } = panel({ candidates: ["stripes"] });
    await until(() => numbers().length === 2);
    held.add("scores");
    model.set("active", n(18));
    model.set("active", n(19));
    await until(() => find("h2")?.textContent === "label 19" && asked("scores").at(-1)!.params.neuron === 19);
    const [late] = asked("scores").filter(({ params }) => params.neuron === 18);
    if (late) answer(late);
    answer(asked("scores").at(-1)!);
    await until(() => numbers().join() === "0.191,0.190");
  });
});

describe.runIf(inBrowser)("skimming", () => {
  test("whatever order answers come in, no number ever stands under another neuron's name", async () => {
    const { el, model, held, answer, asked, find, numbers } = panel({ candidates: ["stripes", "dots"] });
    held.add("pairs").add("scores").add("chance");
    const answered = new Set<Request>();
    const waiting = () => model.sent.filter((one) => held.has(one.method) && !answered.has(one));
    const next = (at: number) => {
      const request = waiting()[at % waiting().length]!;
      answered.add(request);
      answer(request);
    };
    const wrong: string[] = [];
    const observer = new MutationObserver(() => {
      const heading = find("h2")?.textContent ?? "none";
      for (const text of numbers()) {
        // Each score is its neuron over 100, and less than .01 more.
        const own = `label ${Math.floor(Number(text) * 100 + 1e-9)}`;
        if (text !== "–" && own !== heading) wrong.push(`${text} under ${heading}`);
      }
    });
    observer.observe(el, { subtree: true, childList: true, characterData: true });
    for (let step = 0; step < 40; step++) {
      model.set("active", n(10 + ((step * 7) % 11)));
      await new Promise((resolve) => setTimeout(resolve, (step * 13) % 60));
      while (waiting().length > step % 4) next(step * 5);
    }
    await until(() => {
      while (waiting().length) next(waiting().length - 1);
      return find("h2")?.textContent === "label 19" && numbers().join() === "0.192,0.191,0.190";
    });
    observer.disconnect();
    expect(wrong).toEqual([]);
    expect(asked("scores").length).toBeGreaterThan(10);
  });
});

describe.runIf(inBrowser)("labels that change", () => {
  test("scores and suggestions are asked for anew, and an older answer is not taken for theirs", async () => {
    const { model, held, answer, names, asked } = panel();
    await until(() => names().length === 3);
    held.add("scores");
    model.set("settings", { gamma: 0.5 });
    await until(() => asked("scores").length === 2);
    model.set("_revision", 1);
    await until(() => asked("scores").length === 3);
    expect(asked("scores")[2]!.params).toMatchObject({ candidates: [] });
    expect(asked("pairs")).toHaveLength(2); // not the old one, still on its way, shared
    answer(asked("scores")[2]!);
    await until(() => names().length === 3);
  });

  test("Use leaves the focus where it was, and arrows walk through the rows", async () => {
    const { model, all, button, asked } = panel({ candidates: ["stripes", "dots"] });
    await until(() => all(".slw-score").length === 3);
    const stops = () => all(".slw-score button").filter((one) => one.tabIndex === 0);
    expect(stops()).toHaveLength(1);
    const key = (name: string) => document.activeElement!.dispatchEvent(
      new KeyboardEvent("keydown", { key: name, bubbles: true, cancelable: true }));
    stops()[0]!.focus();
    key("ArrowDown");
    key("ArrowRight");
    expect((document.activeElement as HTMLElement).ariaLabel).toBe("Use dots as label");
    (document.activeElement as HTMLElement).click();
    await until(() => asked("accept").length === 1);
    expect(asked("accept")[0]!.params).toMatchObject({ ...n(17), label: "dots" });
    await until(() => button("Use stripes")!.ariaDisabled === "false");
    expect((document.activeElement as HTMLElement).closest("li")!.dataset.candidate).toBe("dots");
    expect(stops()).toEqual([document.activeElement]);
    key("ArrowRight");
    (document.activeElement as HTMLElement).click(); // removes the row that has the focus
    await until(() => !model.traits.candidates.includes("dots"));
    await until(() => document.activeElement!.closest("li")?.dataset.candidate === "stripes");
  });

  test("a Use that was answered too late is not left standing as refused", async () => {
    const { model, held, all, button, asked, find } = panel({ candidates: ["stripes"] });
    await until(() => all(".slw-score").length === 2);
    held.add("accept");
    button("Use stripes")!.click();
    await until(() => asked("accept").length === 1);
    model.fail(asked("accept")[0]!, "Timeout", "The kernel has not answered.");
    await until(() => find("[role=alert]"));
    expect(find("[role=alert]")!.textContent).toContain("sets the label when it is free");
    expect(find("[role=alert]")!.textContent).toContain("layer4 / 17: stripes");
    model.set("accepted", { ...n(17), label: "stripes", score: 0.1 });
    await until(() => !find("[role=alert]"));
  });

  test("what was said of a list goes when something else is typed", async () => {
    const { all, button, find } = panel({ candidates: ["a"] });
    await until(() => all(".slw-score").length === 2);
    const input = find(".slw-add input") as HTMLInputElement;
    const type = (text: string) => {
      input.value = text;
      input.dispatchEvent(new Event("input", { bubbles: true }));
    };
    type("a");
    await until(() => input.value === "a");
    button("Add")!.click();
    await until(() => find(".slw-message")!.textContent === "Already in the list: a.");
    type("b");
    await until(() => find(".slw-message")!.textContent === "");
  });
});

describe.runIf(inBrowser)("chance", () => {
  test("is marked on the bars, and what is below it is muted and said", async () => {
    const { model, held, all, asked, find } = panel({ candidates: ["stripes", "dots"] }, () => "");
    held.add("chance");
    await until(() => all(".slw-score").length === 2 && asked("chance").length > 0);
    expect(find(".slw-score-chance, .slw-score-legend")).toBeNull(); // scores do not wait for it
    model.set("settings", { gamma: 0.5 });
    await until(() => (asked("chance").at(-1)!.params.settings as any).gamma === 0.5);
    expect(asked("chance").at(-1)!.params).toMatchObject({ ...n(17), scorer: "csp", candidates: [] });
    model.reply(asked("chance").at(-1)!, [0.1, 0.1705]); // they score .170 and .171
    await until(() => find(".slw-score-track .slw-score-chance"));
    const [a, b] = all(".slw-score") as [HTMLElement, HTMLElement];
    expect([a, b].map((one) => one.classList.contains("slw-score-by-chance"))).toEqual([false, true]);
    expect(b.textContent).toContain("no more than a random word may score");
    const left = (a.querySelector(".slw-score-chance") as HTMLElement).style.left;
    expect(parseFloat(left)).toBeCloseTo(100 * 0.1705 / 0.171, 3);
    expect(a.querySelector(".slw-score-name")!.textContent).toBe("dots");
    expect(find(".slw-score-legend")!.textContent).toContain("95 %");
    model.set("settings", { centred: true }); // other scores: what random words get of the old ones says nothing
    await until(() => (asked("scores").at(-1)!.params.settings as any).centred === true);
    expect(find(".slw-score-chance")).toBeNull();
    await until(() => (asked("chance").at(-1)!.params.settings as any).centred === true);
    model.reply(asked("chance").at(-1)!, [0.1, 0.15]);
    await until(() => find(".slw-score-track .slw-score-chance"));
    model.set("active", n(18)); // another neuron's chance says nothing of this one
    await until(() => find("h2")?.textContent === "Not labelled yet" && asked("chance").at(-1)!.params.neuron === 18);
    expect(find(".slw-score-chance")).toBeNull();
  });

  test("CLIP-Dissect's bars start at the worst, and it is said what they depend on", async () => {
    const { model, held, all, asked, find } =
      panel({ candidates: ["a", "b", "c"], scorer: "clip-dissect" }, () => "");
    await until(() => asked("scores").length === 1);
    held.add("scores");
    model.set("settings", { centred: true });
    await until(() => asked("scores").length === 2);
    model.reply(asked("scores")[1]!, { scores: [["a", -4], ["b", -1], ["c", -3]], explained: [], own: "" });
    await until(() => all(".slw-score-name").map((one) => one.textContent).join() === "b,c,a");
    const widths = (all(".slw-score-bar") as HTMLElement[]).map((one) => Math.round(parseFloat(one.style.width)));
    expect(widths).toEqual([100, 33, 0]);
    expect(find(".slw-score-legend")!.textContent).toContain("with other labels all its scores change");
  });
});
