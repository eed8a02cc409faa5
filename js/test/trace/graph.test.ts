import { describe as group, expect, test } from "vitest";
import type { Traced, TraceNode } from "../../src/source/messages";
import { arrange, keyOf, step, strongestPath } from "../../src/trace/graph";
import { CARD, place } from "../../src/trace/layout";
import { ablatedSaid, describe, percent } from "../../src/trace/words";
import { TRACE } from "./world";

const PLAIN = { threshold: 0, pinned: [], groups: {} };
const n = (layer: string, neuron: number) => ({ layer, neuron });
const shown = (change = {}, trace: Traced = TRACE) => arrange(trace, { ...PLAIN, ...change });
const node = (graph: ReturnType<typeof shown>, key: string) =>
  graph.nodes.find((one) => one.key === key);

group("what is shown of a trace", () => {
  test("every node is a card, and the shares of a layer sum to 1", () => {
    const graph = shown();
    expect(graph.nodes).toHaveLength(TRACE.nodes.length);
    for (const [at, layer] of graph.columns.entries()) {
      const shares = graph.nodes.filter(({ column }) => column === at).map(({ share }) => share);
      expect(shares.reduce((a, b) => a + b, 0)).toBeCloseTo(1);
      expect(graph.nodes.some((one) => one.layer === layer)).toBe(true);
    }
    expect(graph.links.map(({ relevance }) => relevance)).toEqual(TRACE.edges.map(({ relevance }) => relevance));
  });

  test("below the threshold neurons go to the rest of their layer, with their relevance", () => {
    const graph = shown({ threshold: 0.25 });
    const rest = node(graph, keyOf("high", -1))!;
    expect(node(graph, keyOf("high", 2))).toBeUndefined();
    expect(rest.share).toBeCloseTo(0.5 + 0.1);
    expect(rest.relevance).toBeCloseTo(2 + 0.5);
    const into = graph.links.find(({ upper, lower }) => upper === keyOf("", 0) && lower === rest.key);
    expect(into!.relevance).toBeCloseTo(2 + 0.5);
    const out = graph.links.filter(({ upper }) => upper === rest.key);
    expect(out.reduce((sum, { relevance }) => sum + relevance, 0)).toBeCloseTo(1.5 + 0.4);
  });

  test("a pinned neuron stays", () => {
    const graph = shown({ threshold: 0.9, pinned: [n("high", 2)] });
    expect(node(graph, keyOf("high", 2))).toMatchObject({ kind: "neuron", pinned: true });
    expect(node(graph, keyOf("high", 1))).toBeUndefined();
  });

  test("neurons of one name are one card in each layer, edges between them added up", () => {
    const groups = { warm: [n("high", 1), n("high", 2), n("low", 4)] };
    const graph = shown({ groups });
    const [high, low] = [node(graph, keyOf("high", "warm"))!, node(graph, keyOf("low", "warm"))!];
    expect(high).toMatchObject({ kind: "group", name: "warm" });
    expect(high.members.map(({ neuron }) => neuron)).toEqual([1, 2]);
    expect(high.share).toBeCloseTo(0.5);
    const link = graph.links.find(({ upper, lower }) => upper === high.key && lower === low.key);
    expect(link!.relevance).toBeCloseTo(0.3 + 0.1);
    expect(describe(high, graph, TRACE.sizes, {})).toBe("warm, 2 neurons of high: 50.0 % of the layer's relevance");
  });

  test("the rest says how many neurons it stands for", () => {
    const graph = shown({ threshold: 0.25 });
    expect(describe(node(graph, keyOf("high", -1))!, graph, TRACE.sizes, {})).toContain("9 other neurons of high");
    expect(describe(node(graph, keyOf("low", 4))!, graph, TRACE.sizes, {})).toContain("low / 4, red");
  });
});

group("ways through the trace", () => {
  test("the strongest way goes up to the target and down to the lowest layer, past the rest", () => {
    const graph = shown();
    const path = strongestPath(graph, keyOf("high", 2));
    expect([...path.nodes].sort()).toEqual([keyOf("", 0), keyOf("high", 2), keyOf("low", 5)].sort());
    expect(path.links.size).toBe(2);
    const whole = strongestPath(graph, keyOf("", 0));
    expect([...whole.nodes]).toEqual([keyOf("", 0), keyOf("high", 1), keyOf("low", 4)]);
  });

  test("arrow keys go along the strongest edge and through a column", () => {
    const graph = shown();
    const { order } = place(graph, 900);
    expect(step(graph, order, keyOf("", 0), "ArrowRight")).toBe(keyOf("high", 1));
    expect(step(graph, order, keyOf("low", 5), "ArrowLeft")).toBe(keyOf("high", 1));
    const [first, second] = order[1]!;
    expect(step(graph, order, first!, "ArrowDown")).toBe(second);
    expect(step(graph, order, second!, "ArrowUp")).toBe(first);
    expect(step(graph, order, first!, "ArrowUp")).toBeNull();
    expect(step(graph, order, keyOf("low", 5), "Home")).toBe(keyOf("", 0));
    expect(step(graph, order, first!, "x")).toBeNull();
  });
});

group("the layout", () => {
  test("columns are layers, cards do not overlap, the rest is last", () => {
    const graph = shown();
    const { nodes, order, width, height } = place(graph, 900);
    expect(width).toBeCloseTo(900);
    for (const [at, keys] of order.entries()) {
      const places = keys.map((key) => nodes.get(key)!);
      expect(new Set(places.map(({ x }) => x)).size).toBe(1);
      expect(places[0]!.x).toBeCloseTo(at * ((900 - CARD.width) / 2));
      places.slice(1).forEach(({ y }, i) => expect(y - places[i]!.y).toBeGreaterThanOrEqual(CARD.height));
      expect(Math.max(...places.map(({ y }) => y)) + CARD.height).toBeLessThanOrEqual(height + 1e-6);
      if (at > 0) expect(keys.at(-1)).toBe(keyOf(graph.columns[at]!, -1));
    }
  });

  test("the width of an edge is relevance, those at a card fit its side", () => {
    const { edges } = place(shown(), 900);
    const between = edges.filter(({ link, width }) => width !== null && link.upper !== keyOf("", 0));
    const scale = between.map(({ link, width }) => width! / Math.abs(link.relevance));
    for (const one of scale) expect(one).toBeCloseTo(scale[0]!);
    const out = between.filter(({ link }) => link.upper === keyOf("high", 1));
    expect(out.reduce((sum, { width }) => sum + width!, 0)).toBeLessThanOrEqual(CARD.height);
    expect(edges.filter(({ width }) => width === null)).toHaveLength(5);
  });

  test("where there is little room it is as wide as it must be", () => {
    expect(place(shown(), 200).width).toBe(3 * CARD.width + 2 * 56);
  });

  test("a trace that kept nothing has its rests", () => {
    const nodes: TraceNode[] = TRACE.nodes.filter(({ kind }) => kind !== "neuron");
    const edges = [{ upper: 0, lower: 1, relevance: -1 }, { upper: 1, lower: 2, relevance: -1 }];
    const placed = place(shown({}, { ...TRACE, nodes, edges }), 700);
    expect(placed.order.map((keys) => keys.length)).toEqual([1, 1, 1]);
    expect(Number.isFinite(placed.height)).toBe(true);
  });
});

test("what ablation found, in words", () => {
  const agreed = { value: 0.72, low: 0.57, high: 0.82 };
  const said = ablatedSaid({ neurons: 64, agreement: agreed, of_nodes: null, drop: 0.264, control: 0.03 });
  expect(said).toContain("0.72 [0.57, 0.82] over 64 neurons.");
  expect(said).toContain("loses 0.26 on average, without a random other one 0.03.");
  const few = ablatedSaid({ neurons: 2, agreement: null, of_nodes: null, drop: null, control: null });
  expect(few).toContain("Too few neurons");
  expect([percent(0), percent(0.0784), percent(1)]).toEqual(["0 %", "7.8 %", "100 %"]);
});
