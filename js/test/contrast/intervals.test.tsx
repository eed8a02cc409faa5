// How far to trust the scores: asked for late, and said beside them.
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

/** Scores are answered at once, intervals by hand. */
function panel(change: Partial<ContrastTraits> = {}) {
  const reply = ({ method, params }: Request): any => {
    if (method === "pairs") return { facts: facts({ neuron: params.neuron as number }), pairs: [] };
    if (method === "scores") {
      return { scores: [["dots", 0.1], ["stripes", 0.3], ["stars", null]], explained: [], own: "" };
    }
    return method === "vocabulary" ? { words: [], total: 0 } : null;
  };
  const traits: ContrastTraits = { active: { layer: "layer4", neuron: 17 }, candidates: [],
    scorer: "csp", second: "", settings: {}, _scorers: SCORERS, _sources: [], templates: "csp", _excluded: null, scores: [],
    _scored: null, accepted: null, _revision: 0, ...change };
  const model: FakeModel<ContrastTraits> = new FakeModel(traits, (request) =>
    request.method === "thumbnails" ? thumbnails(picture, request)
    : request.method === "intervals" ? undefined : { result: reply(request) });
  return { model, ...show(render, model) };
}

const ENDS = { intervals: [["stripes", 0.2, 0.4, 0.25], ["dots", 0.05, 0.2, 0.1]], among: 1234 };

describe.runIf(inBrowser)("intervals", () => {
  test("are asked for of what has a score, and drawn with the bar of chance", async () => {
    const { model, asked, all, find } = panel();
    const request = await until(() => asked("intervals")[0]);
    expect(request.params).toEqual({ layer: "layer4", neuron: 17, candidates: ["stripes", "dots"],
      among: [], scorer: "csp", settings: {}, templates: "csp", exclude: [] });
    expect(find(".slw-score-interval, .slw-score-bound")).toBeNull();
    model.reply(request, ENDS);
    await until(() => find(".slw-score-track .slw-score-interval"));
    const place = (one: HTMLElement) => [one.style.left, one.style.width].map(parseFloat);
    const drawn = all(".slw-score-track .slw-score-interval").map(place);
    expect(drawn[0]![0]).toBeCloseTo(50); // of 0 to 0.4
    expect(drawn[0]![1]).toBeCloseTo(50);
    expect(drawn[1]![0]).toBeCloseTo(12.5);
    expect(drawn[1]![1]).toBeCloseTo(37.5);
    expect(all(".slw-score-track .slw-score-bound").map((one) => parseFloat(one.style.left)))
      .toEqual([62.5, 25]);
    expect(all(".slw-score")[0]!.textContent).toContain("90 % interval 0.200 to 0.400");
    expect(find(".slw-score-legend")!.textContent).toContain("the luckiest of 1,234 labels");
    expect(find(".slw-score-unknown")).toBeNull();
  });

  test("the best that does not reach the bar is said to be unknown", async () => {
    const { model, asked, find } = panel();
    model.reply(await until(() => asked("intervals")[0]), { ...ENDS, intervals: [["stripes", 0.2, 0.4, 0.3]] });
    await until(() => find(".slw-score-unknown"));
    expect(find(".slw-score-unknown")!.textContent).toContain("Unknown by these labels");
  });

  test("of other scores are asked for anew, and what was under way is stopped", async () => {
    const { model, asked, find } = panel();
    const first = await until(() => asked("intervals")[0]);
    model.set("settings", { gamma: 0.5 });
    const stops = () => model.sent.filter(({ kind }) => (kind as string) === "stop");
    await until(() => stops().length === 1);
    expect(stops()[0]!.id).toBe(first.id);
    model.reply(first, ENDS); // it was too late to stop it
    const second = await until(() => asked("intervals")[1]);
    expect(second.params.settings).toEqual({ gamma: 0.5 });
    expect(find(".slw-score-interval")).toBeNull();
    model.fail(second, "ValueError", "there are too few images");
    await until(() => find(".slw-score-legend")?.textContent?.includes("No intervals: there are too few"));
  });

  test("a hand that moves stops them, before anything comes of it, and they are asked for again", async () => {
    const { model, asked, find } = panel();
    const first = await until(() => asked("intervals")[0]);
    find(".slw-add input")!.dispatchEvent(new KeyboardEvent("keydown", { key: "s", bubbles: true }));
    expect(model.sent.at(-1)).toEqual({ kind: "stop", id: first.id });
    model.fail(first, "Stopped", "Stopped at 3 of 60.");
    model.reply(await until(() => asked("intervals")[1]), ENDS);
    await until(() => find(".slw-score-interval"));
    find(".slw-labels")!.dispatchEvent(new PointerEvent("pointerdown", { bubbles: true }));
    expect(model.sent.filter(({ kind }) => (kind as string) === "stop")).toHaveLength(1);
    expect(find(".slw-score-interval")).not.toBeNull(); // what is known stays known
  });

  test("scores that depend on all labels have none", async () => {
    const { asked, model } = panel({ scorer: "clip-dissect" });
    await until(() => asked("chance").length > 0);
    model.set("scorer", "csp");
    await until(() => asked("intervals").length === 1);
    expect(asked("intervals")[0]!.params.scorer).toBe("csp");
  });
});
