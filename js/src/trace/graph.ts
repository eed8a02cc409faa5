// A trace as it is shown: neurons below the threshold are put with the rest of their layer, those
// of one name together, and relevance is added up.
import type { Neuron, Traced, TraceNode } from "../source/messages";

export type Kind = "target" | "neuron" | "group" | "rest";

export interface Shown {
  key: string;
  kind: Kind;
  /** "" of a class. */
  layer: string;
  column: number;
  /** What it is called, if it has a name; of a group the name that a person gave. */
  name: string;
  /** The neurons in it, those that count most first. */
  members: TraceNode[];
  /** Of the layer's absolute relevance; the nodes of a layer have all of it. */
  share: number;
  relevance: number;
  pinned: boolean;
}

export interface Link {
  /** Keys of the nodes. */
  upper: string;
  lower: string;
  relevance: number;
}

export interface Graph {
  nodes: Shown[];
  links: Link[];
  columns: string[];
}

export interface Arrangement {
  /** The least share of a layer that is shown. */
  threshold: number;
  pinned: readonly Neuron[];
  groups: Readonly<Record<string, readonly Neuron[]>>;
}

export const keyOf = (layer: string, of: number | string): string => JSON.stringify([layer, of]);
const REST = -1;

export function arrange(trace: Traced, { threshold, pinned, groups }: Arrangement): Graph {
  const columns = [trace.nodes[0]!.layer, ...trace.layers];
  const pins = new Set(pinned.map(({ layer, neuron }) => keyOf(layer, neuron)));
  const grouped = new Map<string, string>();
  for (const [name, members] of Object.entries(groups)) {
    for (const { layer, neuron } of members) grouped.set(keyOf(layer, neuron), name);
  }
  const found = new Map<string, Shown>();
  const placed = trace.nodes.map((node) => {
    const { layer } = node;
    const own = keyOf(layer, node.neuron);
    const group = node.kind === "neuron" ? grouped.get(own) : undefined;
    const pin = pins.has(own);
    const small = node.kind === "neuron" && !pin && (node.share ?? 0) < threshold;
    const kind: Kind =
      node.kind === "target" ? "target" : group !== undefined ? "group"
      : node.kind === "error" || small ? "rest" : "neuron";
    const key = kind === "rest" ? keyOf(layer, REST) : kind === "group" ? keyOf(layer, group!) : own;
    const shown = found.get(key) ?? {
      key, kind, layer, column: node.kind === "target" ? 0 : columns.indexOf(layer, 1),
      name: group ?? (kind === "neuron" || kind === "target" ? node.label : ""),
      members: [], share: 0, relevance: 0, pinned: false,
    };
    if (node.kind !== "error") shown.members.push(node);
    shown.share += node.share ?? 0;
    // What of a neuron comes by other ways, the rest of its layer has already.
    shown.relevance += (kind === "rest" && small ? node.traced : node.relevance) ?? 0;
    shown.pinned ||= pin;
    found.set(key, shown);
    return key;
  });
  const sums = new Map<string, Link>();
  for (const { upper, lower, relevance } of trace.edges) {
    const ends = { upper: placed[upper]!, lower: placed[lower]! };
    const key = `${ends.upper} ${ends.lower}`;
    const link = sums.get(key);
    if (link) link.relevance += relevance;
    else sums.set(key, { ...ends, relevance });
  }
  return { nodes: [...found.values()], links: [...sums.values()], columns };
}

/** A node with the strongest way up to the target and down to the lowest layer. */
export interface Path {
  nodes: ReadonlySet<string>;
  links: ReadonlySet<Link>;
}

export function strongestPath(graph: Graph, key: string): Path {
  const path = { nodes: new Set([key]), links: new Set<Link>() };
  for (const far of ["upper", "lower"] as const) {
    for (let at = key; ; ) {
      const link = strongest(graph, at, far);
      if (!link) break;
      path.links.add(link);
      path.nodes.add((at = link[far]));
    }
  }
  return path;
}

/** The link of a node with the most relevance, whatever its sign, but to the rest of a layer. */
function strongest({ nodes, links }: Graph, key: string, far: "upper" | "lower"): Link | undefined {
  const near = far === "upper" ? "lower" : "upper";
  const rests = new Set(nodes.filter(({ kind }) => kind === "rest").map((node) => node.key));
  let best: Link | undefined;
  for (const link of links) {
    if (link[near] !== key || rests.has(link[far])) continue;
    if (!best || Math.abs(link.relevance) > Math.abs(best.relevance)) best = link;
  }
  return best;
}

/** Where an arrow key leads from a node: along its strongest edge, or to the next of its column. */
export function step(graph: Graph, order: readonly string[][], key: string, pressed: string): string | null {
  const column = order.findIndex((keys) => keys.includes(key));
  if (column < 0) return null;
  const own = order[column]!;
  const at = own.indexOf(key);
  switch (pressed) {
    case "ArrowDown": return own[at + 1] ?? null;
    case "ArrowUp": return own[at - 1] ?? null;
    case "Home": return order[0]![0]!;
    case "ArrowRight": return strongest(graph, key, "lower")?.lower ?? order[column + 1]?.[0] ?? null;
    case "ArrowLeft": return strongest(graph, key, "upper")?.upper ?? order[column - 1]?.[0] ?? null;
    default: return null;
  }
}
