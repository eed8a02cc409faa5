import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { asked, inWords, neuronAt } from "../../src/intervene/change";
import { judged } from "../../src/intervene/figures";
import { render, type InterveneTraits } from "../../src/intervene/intervene";
import { toBits } from "../../src/source/bits";
import type { ChangeAsked } from "../../src/source/messages";
import { FakeModel, inBrowser, until, type Request } from "../fake-model";
import { endViews, EVIL, jpeg, show, thumbnails } from "../neuron/panel-world";

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

const SPANS: [string, number][] = [["layer3", 4], ["layer4", 6]];
const bits = (...rows: number[]) => new DataView(toBits(10, [], rows, true));

const figure = (name: string, change = {}) => ({ name, up: true, images: 30, before: 0.5, after: 0.9,
  control: 0.5, low: 0.4, high: 0.6, ...change });

function answer(request: Request): any {
  if (request.method === "thumbnails") return thumbnails(picture, request);
  const params = request.params as unknown as ChangeAsked;
  return { result: { ...params, of: params.of || "star", images: 30, total: 90, draws: 20, changed: 2,
    classes: ["star", EVIL], figures: [figure("Accuracy"), figure("Others taken for “star”", { up: false })],
    answers: [
      { sample: 3, class_name: EVIL, before: "star", after: "disc", logit_before: 8.2, logit_after: 2.1 },
      { sample: 4, class_name: "disc", before: "disc", after: "disc", logit_before: 1, logit_after: 0.5 },
    ] } };
}

function view(change: Partial<InterveneTraits> = {}, replies: any = answer) {
  const traits: InterveneTraits = { active: null, how: "zero", amount: 0.5, of: "",
    _selected: bits(1, 5), _spans: SPANS, ...change };
  const model = new FakeModel(traits, replies);
  return { model, ...show(render, model) };
}

test("rows are neurons, layer by layer", () => {
  expect(neuronAt(SPANS, 3)).toEqual({ layer: "layer3", neuron: 3 });
  expect(neuronAt(SPANS, 4)).toEqual({ layer: "layer4", neuron: 0 });
});

test("what is done is said in words, and a number only where it takes one", () => {
  const one = asked([1], "zero", 0.5, "")!;
  expect(one.amount).toBe(0);
  expect(inWords(one)).toBe("1 neuron set to 0");
  expect(inWords(asked([1, 2], "clamp", 0.25, "")!)).toBe("2 neurons kept below their 25 % quantile");
  expect(asked([], "zero", 0, "")).toBeNull();
});

test("better and worse is what random neurons hardly do", () => {
  expect(judged(figure("a"))).toBe("better");
  expect(judged(figure("a", { up: false }))).toBe("worse");
  expect(judged(figure("a", { after: 0.6 }))).toBe("chance");
  expect(judged(figure("a", { after: null }))).toBe("chance");
});

describe.runIf(inBrowser)("the view of interventions", () => {
  test("asks for nothing without neurons, and says where they come from", () => {
    const { model, find } = view({ _selected: new DataView(new ArrayBuffer(0)) });
    expect(find(".slw-state")!.textContent).toContain("lasso");
    expect(model.sent).toEqual([]);
  });

  test("shows figures, answers and what they are of; names stay text", async () => {
    const { find, texts, el, asked: sent } = view();
    await until(() => texts(".slw-effect").length === 2);
    expect(find("h2")!.textContent).toBe("2 neurons set to 0");
    expect(sent("effects")[0]!.params).toEqual({ rows: [1, 5], how: "zero", amount: 0, of: "" });
    expect(texts(".slw-effect-verdict")[0]).toContain("better");
    expect(texts(".slw-effect-verdict")[1]).toContain("worse");
    expect(find(".slw-answers-title")!.textContent).toContain("2 answers change of 30");
    expect(find(".slw-answer strong")!.textContent).toBe("disc");
    expect(el.querySelector("img[src=x]")).toBeNull();
    expect(texts(".slw-effects-note")[0]).toContain("30 of 90 images");
  });

  test("while other neurons are measured the title keeps to what the figures are of", async () => {
    let hold = false;
    const { model, find, texts, all, asked: sent } = view({}, (request: Request) =>
      hold && request.method === "effects" ? undefined : answer(request));
    await until(() => texts(".slw-effect").length === 2);
    hold = true;
    model.set("how", "mean");
    await until(() => sent("effects").length === 2);
    expect(find("h2")!.textContent).toBe("2 neurons set to 0");
    expect(find(".slw-effects")!.ariaBusy).toBe("true");
    expect(find(".slw-tag")!.textContent).toBe("measuring");
    model.reply(sent("effects")[1]!, answer(sent("effects")[1]!).result);
    await until(() => find("h2")!.textContent === "2 neurons held at their mean");
    expect(all("[aria-busy=true].slw-effects")).toEqual([]);
  });

  test("a neuron is left as it is, and chosen, by its buttons", async () => {
    const { model, button, asked: sent, texts } = view();
    await until(() => texts(".slw-effect").length === 2);
    button("layer4 / 1")!.click();
    expect(model.traits.active).toEqual({ layer: "layer4", neuron: 1 });
    button("Leave layer3 / 1")!.click();
    await until(() => sent("effects").length === 2);
    expect(sent("effects")[1]!.params.rows).toEqual([5]);
  });

  test("all images are looked at when asked, and shown for that change alone", async () => {
    const { model, button, texts } = view({}, (request: Request) => {
      const reply = answer(request);
      if (request.method === "effects_of_all") reply.result.images = 90;
      return reply;
    });
    await until(() => button("Look at all 90") !== undefined);
    button("Look at all 90")!.click();
    await until(() => texts(".slw-effects-note")[0]!.includes("All 90 images"));
    model.set("how", "mean");
    await until(() => texts(".slw-effects-note")[0]!.includes("30 of 90"));
  });

  test("a failure is said, with a way to ask again", async () => {
    let broken = true;
    const { model, find, texts, button } = view({}, (request: Request) => {
      if (!broken) return answer(request);
      queueMicrotask(() => model.fail(request, "LensUnavailable", "Interventions need the model."));
      return undefined;
    });
    await until(() => find(".slw-notice") !== null);
    expect(find(".slw-notice")!.textContent).toContain("Interventions need the model.");
    broken = false;
    button("Retry")!.click();
    await until(() => texts(".slw-effect").length === 2);
  });
});
