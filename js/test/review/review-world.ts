// Six neurons of two layers with labels that a kernel keeps, as the kernel answers for them.
import { render, type ReviewTraits } from "../../src/review/review";
import type { GiveLabels, Reviewed } from "../../src/source/messages";
import { rowsOfBits } from "../../src/source/bits";
import { uint8 } from "../../src/source/model";
import { FakeModel, type Request } from "../fake-model";
import { EVIL, show, thumbnails } from "../neuron/panel-world";

/** A label, who gave it ("" nobody), its score and by how much it is ahead. */
type Kept = { label: string; source: string; said: string; score: number; margin: number; lead: number; flags: number };

const kept = (said: string, score: number, margin: number, flags = 0): Kept =>
  ({ label: said, source: "csp", said, score, margin, lead: NaN, flags });

export const labels = (count = 6): Kept[] => [
  kept("striped", 0.5, 0.3), kept(EVIL, 0.9, 0.1), kept("unknown", 0.1, -0.1, 1),
  kept("dotted", 0.3, 0.2, 1), kept("striped", 0.7, 0.4), kept("plain", 0.2, 0.05),
  ...Array.from({ length: count - 6 }, (_, at) => kept(`label ${at}`, 0.4, 0.2)),
];

/** As the kernel packs its columns. */
export function packed(all: readonly Kept[], judged = false): { result: Reviewed; buffers: DataView[] } {
  const names = [...new Set(all.flatMap(({ label, said }) => [label, said, ""]))];
  const sources = [...new Set(all.map(({ source }) => source))];
  const name = (text: string) => names.indexOf(text);
  const codes = Uint32Array.from([
    ...all.map((_, at) => (at < 3 ? 0 : 1)),
    ...all.map((_, at) => (at < 3 ? at : at - 3)),
    ...all.map(({ source }) => sources.indexOf(source)),
    ...all.map(({ label }) => name(label)),
    ...all.map(({ said }) => name(said)),
    ...all.map(() => name("")),
  ]);
  const numbers = Float32Array.from([
    ...all.map(({ score }) => score), ...all.map(({ margin }) => margin),
    ...all.map(() => 0.25), ...all.map(({ lead }) => lead),
  ]);
  return {
    result: { layers: ["layer3", "layer4"], sources, names, judged },
    buffers: [codes, numbers, Uint8Array.from(all.map(({ flags }) => flags))]
      .map((array) => new DataView(array.buffer)),
  };
}

/** Keeps labels as the kernel does; `changed` may answer instead (null: nothing is answered). */
export function open(
  picture: DataView,
  change: Partial<ReviewTraits> = {},
  changed: (request: Request) => any = () => undefined,
  all = labels(),
) {
  const give = ({ rows, how, label, theirs }: GiveLabels) => {
    const people = rows.filter((row) => all[row]!.source === "person").length;
    if (people && theirs === "ask") return { changed: 0, people, without: 0, asked: true };
    const able = rows.filter((row) => (how !== "accept" || all[row]!.said !== "unknown") &&
      (theirs !== "keep" || all[row]!.source !== "person"));
    for (const row of able) {
      const one = all[row]!;
      one.label = how === "set" ? label : how === "reject" ? "" : one.said;
      one.source = how === "clear" ? "csp" : "person";
    }
    model.written("_revision", model.get("_revision") + 1);
    return {
      changed: able.length, people: theirs === "keep" ? people : 0, asked: false,
      without: how === "accept" ? rows.filter((row) => all[row]!.said === "unknown").length : 0,
    };
  };
  const answer = (request: Request): any => {
    const { method, params } = request as { method: string; params: any };
    const other = changed(request);
    if (other !== undefined) return other === null ? undefined : other;
    switch (method) {
      case "review": return packed(all);
      case "offers": return { result: params.rows.map((row: number) => ({
        samples: [row, row + 10], choices: [{ label: `other ${row}`, score: 0.4 }, { label: EVIL, score: null }],
      })) };
      case "thumbnails": return thumbnails(picture, request);
      case "give_labels": return { result: give(params) };
      case "step_labels": return { result: { changed: 2, people: 0, without: 1, asked: false } };
      default: return undefined;
    }
  };
  const traits: ReviewTraits = {
    active: null, layer: null, show: "all", sort_by: "neuron", _undo: "", _redo: "", _revision: 0,
    _selected: new DataView(new ArrayBuffer(0)), ...change,
  };
  const model = new FakeModel(traits, answer);
  const shown = show(render, model);
  const rowOf = (row: number) => shown.find(`[data-row="${row}"]`)!;
  const chosen = (row: number) => rowOf(row).getAttribute("aria-selected");
  const order = () => shown.all("[data-row]").map(({ dataset }) => Number(dataset.row));
  const selected = () => [...rowsOfBits(uint8(model.get("_selected")), all.length)];
  const press = (on: Element, key: string, more: KeyboardEventInit = {}) =>
    on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, composed: true, ...more }));
  const click = (on: Element, more: MouseEventInit = {}) =>
    on.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true, ...more }));
  const given = () => shown.asked("give_labels").map(({ params }) => params as unknown as GiveLabels);
  return { ...shown, model, all: shown.all, kept: all, rowOf, chosen, order, selected, press, click, given };
}
