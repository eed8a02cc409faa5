// The explorer's view as a small dict that Python can restore: lens.explore(state=...).
import { uint8, type Model, type Neuron } from "../source/model";
import { rowsOfBits } from "../source/bits";
import { sameNeuron } from "../source/neuron";

/** A widget inside, as widgets/explorer.py describes it. */
export interface View {
  name: string;
  title: string;
  /** The reference of its model. */
  model: string;
  /** The traits that a copied view is made of. */
  keeps: string[];
}

/** The widgets inside with their models; the first is the map. */
export type Parts = { view: View; model: Model<any> }[];

/** What a trait says; one that belongs to a neuron says nothing of another. */
function kept(model: Model<any>, name: string, active: Neuron | null): unknown {
  const bound = model.get(`_${name}`);
  if (bound === undefined) return model.get(name);
  return bound && active && sameNeuron(bound, active) ? bound.ranks : [];
}

const pair = (neuron: Neuron | null) => (neuron ? [neuron.layer, neuron.neuron] : null);

export function readView(explorer: Model<any>, parts: Parts): Record<string, unknown> {
  const active: Neuron | null = explorer.get("active");
  const view: Record<string, unknown> = {
    active: pair(active),
    query: explorer.get("query"),
    query_layer: explorer.get("query_layer"),
    like: pair(explorer.get("like")),
    tab: explorer.get("tab"),
  };
  for (const { view: { name, keeps }, model } of parts) {
    view[name] = Object.fromEntries(keeps.map((trait) => [trait, kept(model, trait, active)]));
  }
  const map = parts[0]!.model;
  view.selection = [...rowsOfBits(uint8(map.get("_selected")), map.get("_count"))];
  return view;
}

/** A value as Python writes it. */
export function python(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (value === true) return "True";
  if (value === false) return "False";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object") {
    const entries = Object.entries(value).map(([name, one]) => `${python(name)}: ${python(one)}`);
    return `{${entries.join(", ")}}`;
  }
  // What JSON escapes, Python reads alike.
  if (typeof value === "string") return JSON.stringify(value);
  return String(value);
}
