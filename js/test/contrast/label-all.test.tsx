// What takes long and is wanted now and then: labels for all neurons, several concepts for one.
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { render, type ContrastTraits } from "../../src/contrast/contrast";
import { shareOf } from "../../src/contrast/explained";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, EVIL, facts, jpeg, show, thumbnails } from "../neuron/panel-world";
import SCORERS from "./scorers.json";

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

const BY_HAND = ["intervals", "explain", "preview", "label_all"];
const SOURCES = [
  { name: "captions", title: "captions", asks: "" },
  { name: "eye", title: "eye", asks: "'qwen' at http://localhost" },
];

/** A neuron without a label; what takes long is answered by hand. */
function panel(change: Partial<ContrastTraits> = {}, label = "") {
  const reply = ({ method, params }: Request): any => {
    if (method === "pairs") {
      return { facts: facts({ neuron: params.neuron as number, label }), pairs: [] };
    }
    if (method === "scores") return { scores: [["a", 0.1]], explained: [], own: "" };
    return method === "vocabulary" ? { words: [], total: 0 } : null;
  };
  const traits: ContrastTraits = { active: { layer: "layer4", neuron: 17 }, candidates: ["a"],
    scorer: "difference", second: "", settings: {}, _scorers: SCORERS, _sources: SOURCES,
    templates: "csp", _excluded: null, scores: [], _scored: null, accepted: null, _revision: 0,
    ...change };
  const model: FakeModel<ContrastTraits> = new FakeModel(traits, (request) =>
    request.method === "thumbnails" ? thumbnails(picture, request)
    : BY_HAND.includes(request.method) ? undefined : { result: reply(request) });
  const view = show(render, model);
  const choose = (name: string) => {
    const choice = view.find("select[aria-label=From]") as HTMLSelectElement;
    choice.value = name;
    choice.dispatchEvent(new Event("change", { bubbles: true }));
  };
  const said = () => view.find(".slw-label-all")!.textContent!;
  return { model, ...view, choose, said };
}

const ready = (view: ReturnType<typeof panel>) => until(() => view.button("Label all neurons"));

describe.runIf(inBrowser)("labels for all neurons", () => {
  test("are the best of the list, by the scorer of the panel, open where there is none", async () => {
    const view = panel();
    (await ready(view)).click();
    const request = await until(() => view.asked("label_all")[0]);
    expect(request.params).toEqual({ candidates: ["a"], scorer: "difference", settings: {},
      templates: "csp", source: "", back_off: false });
    await until(() => view.button("Labelling all neurons"));
    view.model.tell(request, { done: 3, total: 9 });
    await until(() => view.said().includes("3 of 9 neurons"));
    view.model.reply(request, { labelled: 8, said: "" });
    await until(() => view.said().includes("8 neurons labelled."));
    const fold = () => view.all("details").at(-1) as HTMLDetailsElement;
    expect(fold().open).toBe(true);
    const labelled = panel({}, "striped");
    await ready(labelled);
    expect((labelled.all("details").at(-1) as HTMLDetailsElement).open).toBe(false);
  });

  test("come from a source, backed off if that is wanted, and not where scores depend on all", async () => {
    const view = panel();
    await ready(view);
    view.choose("captions");
    (view.find(".slw-check input") as HTMLInputElement).click();
    await until(() => view.said().includes("with the best of captions"));
    view.button("Label all neurons")!.click();
    const request = await until(() => view.asked("label_all")[0]);
    expect(request.params).toMatchObject({ source: "captions", back_off: true });
    view.model.fail(request, "ValueError", `nothing is a kind of ${EVIL}`);
    await until(() => view.find("[role=alert]"));
    expect(view.find("[role=alert]")!.textContent).toContain(EVIL);
    expect(view.find("img[src=x]")).toBeNull();
    view.model.set("scorer", "clip-dissect");
    await until(() => (view.find(".slw-check input") as HTMLInputElement).disabled);
  });

  test("a model is asked after it was said what that takes, and not without a person's yes", async () => {
    const view = panel();
    await ready(view);
    view.choose("eye");
    await until(() => view.said().includes("with the best of eye"));
    view.button("Label all neurons")!.click();
    const preview = await until(() => view.asked("preview")[0]);
    expect(preview.params).toEqual({ source: "eye" });
    view.model.reply(preview, { calls: 296, said: "296 calls with 1 grid, 14.9 MB in all." });
    await until(() => view.button("Ask and label"));
    expect(view.said()).toContain("296 calls with 1 grid, 14.9 MB in all.");
    expect(view.said()).toContain("'qwen' at http://localhost");
    expect(view.asked("label_all")).toHaveLength(0);
    view.button("Do not ask")!.click();
    await until(() => view.button("Label all neurons"));
    view.button("Label all neurons")!.click();
    view.model.reply(await until(() => view.asked("preview")[1]), { calls: 296, said: "296 calls." });
    (await until(() => view.button("Ask and label"))).click();
    expect((await until(() => view.asked("label_all")[0])).params).toMatchObject({ source: "eye" });
  });

  test("what was asked for, and what came of it, stay in sight where there is a label", async () => {
    const view = panel({}, "striped");
    await ready(view);
    const fold = view.all("details").at(-1) as HTMLDetailsElement;
    fold.open = true; // as a press on its heading does
    view.choose("eye");
    await until(() => view.said().includes("with the best of eye"));
    view.button("Label all neurons")!.click();
    view.model.reply(await until(() => view.asked("preview")[0]), { calls: 2, said: "2 calls." });
    await until(() => view.button("Ask and label"));
    expect(fold.open).toBe(true);
    view.button("Ask and label")!.click();
    view.model.reply(await until(() => view.asked("label_all")[0]), { labelled: 8, said: "" });
    await until(() => view.said().includes("8 neurons labelled."));
    expect(fold.open).toBe(true);
  });

  test("are stopped, which says what is kept", async () => {
    const view = panel();
    await ready(view);
    view.choose("eye");
    await until(() => view.said().includes("with the best of eye"));
    view.button("Label all neurons")!.click();
    view.model.reply(await until(() => view.asked("preview")[0]), { calls: 2, said: "2 calls." });
    (await until(() => view.button("Ask and label"))).click();
    const request = await until(() => view.asked("label_all")[0]);
    (await until(() => view.button("Stop"))).click();
    expect(view.model.sent.at(-1)).toEqual({ kind: "stop", id: request.id });
    await until(() => view.button("Stopping"));
    view.model.fail(request, "Stopped", "Stopped at 3 of 9.");
    await until(() => view.said().includes("Stopped at 3 of 9. No label was changed. Answers that came are kept"));
    expect(view.find("[role=alert]")).toBeNull();
  });
});

describe.runIf(inBrowser)("several concepts", () => {
  const FOUND = { concepts: [
    { concept: EVIL, weight: 0.5, together: 0.6 }, { concept: "dots", weight: 0.25, together: 0.8 }] };
  const open = (view: ReturnType<typeof panel>) => {
    const fold = view.all("details")[0] as HTMLDetailsElement;
    fold.open = true;
    fold.dispatchEvent(new Event("toggle"));
  };

  test("are looked for when the fold is opened, and again for another neuron", async () => {
    const view = panel();
    await ready(view);
    expect(view.asked("explain")).toHaveLength(0);
    open(view);
    const request = await until(() => view.asked("explain")[0]);
    expect(request.params).toEqual({ layer: "layer4", neuron: 17, candidates: ["a"], templates: "csp" });
    view.model.reply(request, FOUND);
    await until(() => view.find(".slw-concepts"));
    expect(view.texts(".slw-concepts tbody tr th")).toEqual([EVIL, "dots"]);
    expect(view.texts(".slw-concepts tbody td.slw-number")).toEqual(["0.50", "36\u00a0%", "0.25", "64\u00a0%"]);
    expect(view.find(".slw-fold")!.textContent).toContain("alone explains 36\u00a0%");
    expect(view.find(".slw-fold")!.textContent).toContain("2 concepts together 64\u00a0%");
    expect(view.find("img[src=x]")).toBeNull();
    view.model.set("active", { layer: "layer4", neuron: 18 });
    const next = await until(() => view.asked("explain")[1]);
    expect(view.find(".slw-concepts")).toBeNull(); // they were another neuron's
    view.model.fail(next, "ValueError", "12 images can be read");
    await until(() => view.find(".slw-fold [role=alert]"));
    view.button("Retry")!.click();
    view.model.reply(await until(() => view.asked("explain")[2]), { concepts: [] });
    await until(() => view.find(".slw-fold")!.textContent!.includes("None of these labels"));
  });
});

test("what is explained is the square of the correlation, and nothing below zero", () => {
  expect([0.5, 1, 0, -0.9, null].map(shareOf)).toEqual(["25\u00a0%", "100\u00a0%", "0\u00a0%", "0\u00a0%", "–"]);
});
