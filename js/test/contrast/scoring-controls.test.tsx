// The controls of how labels are scored: numbers, switches, words; sentences of a person's own.
import { signal } from "@preact/signals";
import { render } from "preact";
import { afterEach, expect, test } from "vitest";
import type { ContrastProps, ContrastTraits } from "../../src/contrast/contrast";
import type { Scorer, Templates } from "../../src/contrast/scoring";
import { Settings } from "../../src/contrast/scoring-controls";
import { FakeModel, until } from "../fake-model";
import { EVIL } from "../neuron/panel-world";
import SCORERS from "./scorers.json";

const NEIGHBOURS = { name: "neighbours", default: 1, label: "Neighbours", title: "How many",
  low: 1, high: 3, step: 1 };

const opened: HTMLElement[] = [];
afterEach(() => {
  for (const element of opened.splice(0)) {
    render(null, element);
    element.remove();
  }
});

function controls(change: { scorer?: string; templates?: Templates; held?: number } = {}) {
  const { scorer = "csp", templates = "plain" } = change;
  const model = new FakeModel({ scorer, settings: {}, templates, _scorers: SCORERS } as unknown as ContrastTraits);
  const found = SCORERS.find(({ name }) => name === scorer) as Scorer;
  const by = { ...found, controls: [...found.controls, ...(change.held ? [NEIGHBOURS] : [])] };
  const [settings, sentences] = [signal(model.traits.settings), signal(templates)];
  model.on("change:settings", () => (settings.value = model.get("settings")));
  model.on("change:templates", () => (sentences.value = model.get("templates")));
  const element = document.body.appendChild(document.createElement("div"));
  opened.push(element);
  const props = { model, by: signal(by), second: signal(null), scorer: signal(scorer), settings,
    templates: sentences };
  const draw = () => render(<Settings {...(props as unknown as ContrastProps)} />, element);
  draw();
  settings.subscribe(draw);
  sentences.subscribe(draw);
  const select = (label: string) => element.querySelector<HTMLSelectElement>(`select[aria-label="${label}"]`)!;
  const choose = (label: string, option: string) => {
    select(label).value = option;
    select(label).dispatchEvent(new Event("change", { bubbles: true }));
  };
  const options = (label: string) => [...select(label).options].map(({ value }) => value);
  return { model, element, select, choose, options };
}

test("a setting of a few words is a choice, and starts with the scorer's own", async () => {
  const { model, select, choose, options } = controls();
  expect([select("Weights").value, options("Weights")]).toEqual(["raw", ["none", "raw", "log", "rank"]]);
  choose("Weights", "rank");
  expect(model.traits.settings).toEqual({ weights: "rank" });
  await until(() => select("Weights").value === "rank");
  expect(controls({ scorer: "difference" }).select("Weights").value).toBe("none");
});

test("whole numbers are written as such", () => {
  const { model, element } = controls({ held: 3 });
  const slider = element.querySelector<HTMLInputElement>("input[max='3']")!;
  expect([slider.min, slider.step, slider.getAttribute("aria-valuetext")]).toEqual(["1", "1", "1"]);
  slider.value = "2";
  slider.dispatchEvent(new Event("input", { bubbles: true }));
  expect(model.traits.settings).toEqual({ neighbours: 2 });
});

test("sentences of one's own stay to choose while others are tried", async () => {
  const own = ["a drawing of a {}", `${EVIL} {}`];
  const { model, element, select, choose, options } = controls({ templates: own });
  expect([select("Prompts").value, options("Prompts")]).toEqual(["own", ["plain", "csp", "clip", "own"]]);
  choose("Prompts", "clip");
  expect(model.traits.templates).toBe("clip");
  await until(() => select("Prompts").value === "clip");
  choose("Prompts", "own");
  expect(model.traits.templates).toEqual(own);
  expect(element.querySelector("[onerror]")).toBeNull();
  expect(controls().options("Prompts")).toEqual(["plain", "csp", "clip"]);
});
