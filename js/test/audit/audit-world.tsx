// A layer of six neurons in an audit, as the kernel answers it; and a kernel that keeps decisions.
import type { AuditTraits } from "../../src/audit/audit";
import { render } from "../../src/audit/audit";
import type { AuditRow, AuditSaid, Decided } from "../../src/source/messages";
import { FakeModel, type Request } from "../fake-model";
import { EVIL, facts, show, thumbnails } from "../neuron/panel-world";

const VERDICTS = ["spurious", "valid", "unexpected", "weak", "both", "weak"];

export const row = (neuron: number, change: Partial<AuditRow> = {}): AuditRow => ({
  row: 6 + neuron, neuron, label: neuron === 1 ? EVIL : `label ${neuron}`, verdict: VERDICTS[neuron]!,
  share: 0.5 / (neuron + 1), low: 0.1, high: 0.6, valid: 0.2 + neuron / 10, spurious: 0.9 - neuron / 10,
  valid_concept: "shape", spurious_concept: "text", valid_phrase: "star", spurious_phrase: `mark ${neuron}`,
  valid_null: 0.2, spurious_null: 0.01, reliance: 0.05, ...change,
});

export const said = (change: Partial<AuditSaid> = {}): AuditSaid => ({
  audit: 1, target: `star ${EVIL}`, images: 12, neurons: 12, method: "LRP", scorer: "recognition", at: "layer4",
  layers: ["layer3", "layer4"].map((name) => ({
    name, valid: 0.55, spurious: 0.6,
    verdicts: ["valid", "spurious", "both", "unexpected", "weak"].map((verdict, at) => ({
      verdict, share: at === 0 ? 0.6 : 0.1, low: 0.05, high: 0.7, neurons: at + 1,
    })),
  })),
  valid: [{ name: "star", phrases: ["star"] }, { name: "fur", phrases: ["brown fur", "hair"] }],
  spurious: [{ name: "text", phrases: ["watermark"] }],
  unchecked: ["There are too few other images."], ...change,
});

/** Answers as the kernel does; what is decided is kept. `changed` may answer instead. */
export function kernel(picture: DataView, changed: (request: Request) => any = () => undefined) {
  const kept = new Map<string, Decided>();
  const answer = (request: Request): any => {
    const { method, params } = request as { method: string; params: any };
    const { audit, layer, neuron } = params;
    const other = changed(request);
    if (other !== undefined) return other === null ? undefined : other;
    switch (method) {
      case "classes": return { result: ["star", "moon"] };
      case "audit": return { result: said({ audit }) };
      case "audit_rows":
        return { result: { audit, layer, rows: [0, 1, 2, 3, 4, 5].map((at) =>
          row(at, layer === "layer3" ? { label: `early ${at}` } : {})) } };
      case "decisions": return { result: { audit, decisions: [...kept.values()] } };
      case "decide": {
        const decided = { layer, neuron, decision: params.decision, note: params.note, decided: "2026-01-02" };
        kept.set(`${layer} ${neuron}`, decided);
        if (params.decision === "") kept.delete(`${layer} ${neuron}`);
        return { result: decided };
      }
      case "class_images":
        return { result: { audit: 1, layer, neuron, images: [
          { sample: 70 + neuron, share: 0.25, class_name: "star", uri: `zoo/${EVIL}.jpg` },
        ] } };
      case "neuron":
        return { result: { facts: facts({ layer, neuron, label: `label ${neuron}` }),
          histogram: { counts: [1], low: 0, high: 1 },
          examples: [{ rank: 0, sample: 3, activation: 2, class_name: "moon", uri: "zoo/3.jpg" }] } };
      case "thumbnails": return thumbnails(picture, request);
      case "heatmaps":
        return {
          result: params.samples.map(() => ({ shape: [2, 2], box: [0, 0, 1, 1], method: "CRP" })),
          buffers: params.samples.map(() => new DataView(Uint8Array.of(0, 90, 180, 255).buffer)),
        };
      default: return undefined;
    }
  };
  return { answer, kept };
}

export function audit(answer: (request: Request) => any, change: Partial<AuditTraits> = {}) {
  const traits: AuditTraits = {
    active: null, layer: null, sort_by: "share", _audits: 1, _decided: 0, _revision: 0,
    _selected: new DataView(new ArrayBuffer(0)), ...change,
  };
  const model = new FakeModel(traits, answer);
  const shown = show(render, model);
  const press = (on: Element, key: string, more: KeyboardEventInit = {}) =>
    on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...more }));
  const rowOf = (neuron: number) => shown.find(`[data-neuron="${neuron}"]`)!;
  const decided = () => shown.asked("decide").map(({ params }: any) => [params.neuron, params.decision]);
  return { model, press, rowOf, decided, ...shown };
}
