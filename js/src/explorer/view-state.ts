// The explorer's view as a small dict that Python can restore: lens.explore(state=...).
import { uint8, type Model, type Neuron } from "../source/model";
import { rowsOfBits } from "../source/bits";

/** What a view is made of, by part; the same as in widgets/explorer.py. */
const PARTS = {
  map: ["color_by", "size_by", "opacity_by", "filter", "contours", "region_labels", "tool"],
  gallery: ["overlay", "crop", "outline", "side_by_side", "opacity", "threshold", "colormap",
    "sort_by", "group_by"],
  contrast: ["candidates", "scorer", "settings", "templates"],
} as const;

export type Parts = Record<keyof typeof PARTS, Model<any>>;

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
  for (const [part, names] of Object.entries(PARTS)) {
    const model = parts[part as keyof Parts];
    view[part] = Object.fromEntries(names.map((name) => [name, model.get(name)]));
  }
  const excluded = parts.contrast.get("_excluded");
  const own = excluded && active && excluded.layer === active.layer && excluded.neuron === active.neuron;
  (view.contrast as Record<string, unknown>).excluded = own ? excluded.ranks : [];
  view.selection = [...rowsOfBits(uint8(parts.map.get("_selected")), parts.map.get("_count"))];
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
