// A small trace, known by heart: a class, two neurons of "high", two of "low", and the rests.
import type { Traced, TraceNode } from "../../src/source/messages";
import { EVIL } from "../neuron/panel-world";

const node = (
  kind: TraceNode["kind"], layer: string, neuron: number, label: string, relevance: number,
  traced: number, share: number,
): TraceNode => ({
  kind, layer, neuron, label, relevance, traced, share, drop: null,
  sample: kind === "neuron" ? 10 + neuron : null,
});

export const TRACE: Traced = {
  images: 20,
  method: "LRP EpsilonPlusFlat",
  keep: 0.8,
  top: 8,
  layers: ["high", "low"],
  sizes: { high: 10, low: 6 },
  nodes: [
    node("target", "", 0, "ox", 4.5, 4.5, 1),
    node("neuron", "high", 1, "horn", 2, 2, 0.4),
    node("neuron", "high", 2, EVIL, 0.5, 0.5, 0.1),
    node("error", "high", -1, "", 2, 0, 0.5),
    node("neuron", "low", 4, "red", 1, 0.4, 0.3),
    node("neuron", "low", 5, "", 0.9, 0.5, 0.2),
    node("error", "low", -1, "", 3, 0, 0.5),
  ],
  edges: [
    { upper: 0, lower: 1, relevance: 2 },
    { upper: 0, lower: 2, relevance: 0.5 },
    { upper: 0, lower: 3, relevance: 2 },
    { upper: 1, lower: 4, relevance: 0.3 },
    { upper: 1, lower: 5, relevance: 0.25 },
    { upper: 1, lower: 6, relevance: 1 },
    { upper: 2, lower: 4, relevance: 0.1 },
    { upper: 2, lower: 5, relevance: -0.2 },
    { upper: 2, lower: 6, relevance: 0.5 },
    { upper: 3, lower: 4, relevance: 0.6 },
    { upper: 3, lower: 6, relevance: 0.9 },
  ],
  ablated: null,
};
