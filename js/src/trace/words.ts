// What the trace says in words: of nodes, of ablation.
import type { Ablated, Agreed, Traced } from "../source/messages";
import { count } from "../shared/format";
import { neuronName, short, type Poles } from "../source/neuron";
import type { Graph, Shown } from "./graph";

export function percent(share: number): string {
  const shown = 100 * share;
  return `${shown >= 99.95 || shown === 0 ? shown.toFixed(0) : shown.toFixed(1)} %`;
}

/** What a card is called, where it has no label. */
export function titleOf(node: Shown, poles: Poles): string {
  if (node.kind === "rest") return "The rest";
  if (node.kind === "group" || node.name) return node.name;
  const [one] = node.members;
  return one ? neuronName(one, poles) : "";
}

export const targetName = ({ nodes }: Traced, poles: Poles): string => {
  const target = nodes[0]!;
  return target.layer === "" ? target.label : target.label || neuronName(target, poles);
};

/** What a card says to who does not see it. */
export function describe(
  node: Shown,
  { nodes }: Graph,
  sizes: Traced["sizes"],
  poles: Poles,
): string {
  const { kind, layer, name, members } = node;
  if (kind === "target") return `${titleOf(node, poles)}, what is traced: relevance ${short(node.relevance)}`;
  let what = `${name}, ${count(members.length, "neuron")} of ${layer}`;
  if (kind === "neuron") {
    what = [neuronName(members[0]!, poles), name, node.pinned && "pinned"].filter(Boolean).join(", ");
  } else if (kind === "rest") {
    const shown = nodes.filter((one) => one.layer === layer && one.kind !== "rest" && one.kind !== "target");
    const others = (sizes[layer] ?? 0) - shown.reduce((sum, one) => sum + one.members.length, 0);
    what = `What reaches ${count(others, "other neuron")} of ${layer}, or any around the trace`;
  }
  return `${what}: ${percent(node.share)} of the layer's relevance`;
}

const agreed = ({ value, low, high }: Agreed): string =>
  `${short(value)} [${short(low)}, ${short(high)}]`;

/** What ablation found, in sentences. */
export function ablatedSaid({ neurons, agreement, of_nodes, drop, control }: Ablated): string {
  const parts = [
    agreement
      ? `Rank correlation of relevance and ablation: ${agreed(agreement)} over ${count(neurons, "neuron")}` +
        (of_nodes ? `, ${agreed(of_nodes)} over those of the trace alone.` : ".")
      : "Too few neurons to correlate relevance and ablation.",
  ];
  if (drop !== null) {
    parts.push(`Without a neuron of the trace the target loses ${short(drop)} on average` +
      (control === null ? "." : `, without a random other one ${short(control)}.`));
  }
  return parts.join(" ");
}
