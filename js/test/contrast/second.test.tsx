// A second scorer: the same labels, on a scale of its own.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { render, type ContrastTraits } from "../../src/contrast/contrast";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, facts, jpeg, show, thumbnails } from "../neuron/panel-world";
import SCORERS from "./scorers.json";

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

/** What is asked beside is answered by hand. */
function panel(change: Partial<ContrastTraits> = {}) {
  const reply = ({ method, params }: Request): any => {
    if (method === "pairs") return { facts: facts({ neuron: params.neuron as number }), pairs: [] };
    if (method === "scores") return { scores: [["dots", 0.1], ["stripes", 0.4]], explained: [], own: "" };
    return method === "vocabulary" ? { words: [], total: 0 } : null;
  };
  const traits: ContrastTraits = { active: { layer: "layer4", neuron: 17 }, candidates: [],
    scorer: "csp", second: "recognition", settings: {}, _scorers: SCORERS, _sources: [], templates: "csp",
    _excluded: null, scores: [], _scored: null, accepted: null, _revision: 0, ...change };
  const model: FakeModel<ContrastTraits> = new FakeModel(traits, (request) =>
    request.method === "thumbnails" ? thumbnails(picture, request)
    : ["intervals", "beside"].includes(request.method) ? undefined : { result: reply(request) });
  return { model, ...show(render, model) };
}

const of = { layer: "layer4", neuron: 17, scorer: "recognition" };
const BESIDE = { ...of, scores: [["stripes", 0.6], ["dots", 0.9]], chance: [0.5, 0.55] };

describe.runIf(inBrowser)("a second scorer", () => {
  test("scores the labels shown, in their order, on a scale of its own that is said", async () => {
    const { model, asked, all, texts, find } = panel();
    const request = await until(() => asked("beside")[0]);
    expect(request.params).toEqual({ layer: "layer4", neuron: 17, candidates: ["stripes", "dots"],
      scorer: "recognition", settings: {}, templates: "csp", exclude: [] });
    expect(texts(".slw-score > .slw-number")).toEqual(["0.400", "0.100"]); // waits for nothing
    expect(texts(".slw-score-scales li")).toEqual([
      "CSP: cosine, bars from 0.000 to 0.400", "Recognition: scoring …"]);
    expect(texts(".slw-score-scales li[aria-busy=true]")).toEqual(["Recognition: scoring …"]);
    model.reply(request, BESIDE);
    await until(() => all(".slw-score-track-second .slw-score-bar").length === 2);
    expect(texts(".slw-score-name")).toEqual(["stripes", "dots"]);
    expect(texts(".slw-score-number-second")).toEqual([
      ", by Recognition 0.600", ", by Recognition 0.900"]);
    const widths = all(".slw-score-track-second .slw-score-bar").map((one) => parseFloat(one.style.width));
    expect(widths[0]).toBeCloseTo(25); // from 0.5 to 0.9
    expect(widths[1]).toBeCloseTo(100);
    expect(texts(".slw-score-scales li")).toEqual([
      "CSP: cosine, bars from 0.000 to 0.400", "Recognition: AUROC, 0.5 is chance, bars from 0.500 to 0.900"]);
    expect(find(".slw-score-track-second .slw-score-chance")!.style.left).toMatch(/^12\.5/);
  });

  test("marks its numbers of other settings until those of the new ones come", async () => {
    const { model, asked, texts, find, all } = panel();
    model.reply(await until(() => asked("beside")[0]), BESIDE);
    await until(() => all(".slw-score-track-second .slw-score-bar").length === 2);
    expect(all(".slw-score-scales [aria-busy=true]")).toHaveLength(0);
    const seen = () => getComputedStyle(find(".slw-score-number-second")!).opacity;
    model.set("templates", "plain");
    const next = await until(() => asked("beside").find(({ params }) => params.templates === "plain"));
    expect(all(".slw-score-scales [aria-busy=true]")).toHaveLength(1);
    await until(() => seen() === "0.5");
    model.reply(next, { ...BESIDE, scores: [["stripes", 0.7], ["dots", 0.8]] });
    await until(() => texts(".slw-score-number-second")[0] === ", by Recognition 0.700");
    expect(all(".slw-score-scales [aria-busy=true]")).toHaveLength(0);
    await until(() => seen() === "1");
  });

  test("is chosen beside the first, never the first itself, and left out again", async () => {
    const { model, asked, find, all } = panel({ second: "" });
    await until(() => all(".slw-score").length === 2);
    const choice = find("select[aria-label=Beside]") as HTMLSelectElement;
    expect([...choice.options].map(({ value }) => value)).not.toContain("csp");
    expect(asked("beside")).toHaveLength(0);
    choice.value = "difference";
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    await until(() => asked("beside").length === 1);
    expect(model.traits.second).toBe("difference");
    model.set("scorer", "difference");
    await until(() => asked("scores").at(-1)!.params.scorer === "difference");
    await until(() => !find(".slw-score-scales"));
  });

  test("its numbers are the neuron's in the heading, or not there, and a refusal is said", async () => {
    const { model, asked, texts, find } = panel();
    model.reply(await until(() => asked("beside")[0]), BESIDE);
    await until(() => texts(".slw-score-number-second")[0] === ", by Recognition 0.600");
    model.set("active", { layer: "layer4", neuron: 18 });
    const next = await until(() => asked("beside")[1]);
    await until(() => texts(".slw-score-number-second").join() === ", by Recognition –,, by Recognition –");
    model.fail(next, "LensUnavailable", "There is no foundation model.");
    await until(() => find(".slw-score-scales")!.textContent!.includes("There is no foundation model."));
  });
});
