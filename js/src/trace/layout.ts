// Where the nodes and edges of a trace lie. d3-sankey orders each column so that few edges cross and
// stacks the edges at each node; all nodes are of one height, the width of an edge is
// relevance, to a scale of its own between any two layers: less and less of it is shown downwards.
import { sankey, type SankeyLink, type SankeyNode } from "d3-sankey";
import type { Graph, Link, Shown } from "./graph";

export const CARD = { width: 148, height: 52 };
const GAP = 10;
const LEAST_BETWEEN = 56;
/** Of a card's height, what the edges at its side may take. */
const SIDE = 0.84;

export interface Place {
  x: number;
  y: number;
}

export interface Placed {
  nodes: ReadonlyMap<string, Place>;
  /** The nodes of each column from top to bottom, the rest last. */
  order: string[][];
  edges: Edge[];
  width: number;
  height: number;
}

export interface Edge {
  link: Link;
  path: string;
  /** In pixels; null where an end is the rest of a layer, which is not drawn to scale. */
  width: number | null;
}

interface N { shown: Shown; fixedValue: number }
interface L { link: Link | null }

export function place(graph: Graph, room: number): Placed {
  const columns = graph.columns.length;
  const between = columns > 1
    ? Math.max(LEAST_BETWEEN, (room - columns * CARD.width) / (columns - 1)) : 0;
  const left = (column: number) => column * (CARD.width + between);
  const cards = graph.nodes.filter(({ kind }) => kind !== "rest");
  const rests = graph.nodes.filter(({ kind }) => kind === "rest");
  const drawn = new Set(cards.map(({ key }) => key));
  const scaled = graph.links.filter(({ upper, lower }) => drawn.has(upper) && drawn.has(lower));
  const columnOf = new Map(cards.map(({ key, column }) => [key, column]));
  const most = largestSides(scaled, columnOf);
  const rows = Math.max(...graph.columns.map((_, at) => cards.filter(({ column }) => column === at).length));
  const height = rows * CARD.height + (rows - 1) * GAP;

  const links = [
    ...scaled.map((link) => ({
      source: link.upper, target: link.lower, link,
      value: (SIDE * Math.abs(link.relevance)) / (most.get(columnOf.get(link.upper)!) || 1),
    })),
    ...chain(graph, cards),
  ];
  const laid = sankey<N, L>()
    .nodeId((node) => node.shown.key)
    .nodeAlign((node) => (node as unknown as N).shown.column)
    .nodeWidth(CARD.width)
    .nodePadding(GAP)
    .size([left(columns - 1) + CARD.width, height])({
      nodes: cards.map((shown) => ({ shown, fixedValue: 1 })), links,
    });
  const nodes = new Map<string, Place>();
  for (const node of laid.nodes) nodes.set(node.shown.key, { x: left(node.shown.column), y: node.y0! });
  for (const rest of rests) nodes.set(rest.key, { x: left(rest.column), y: height + GAP });
  const edges = laid.links.flatMap((link) => (link.link ? [toScale(link, link.link, nodes)] : []));
  const thin = graph.links
    .filter(({ upper, lower }) => !drawn.has(upper) || !drawn.has(lower))
    .map((link) => ({ link, width: null, path: curve(nodes.get(link.upper)!, nodes.get(link.lower)!, 0, 0) }));
  const order = graph.columns.map((_, at) =>
    graph.nodes
      .filter(({ column }) => column === at)
      .sort((a, b) => nodes.get(a.key)!.y - nodes.get(b.key)!.y)
      .map(({ key }) => key));
  return {
    nodes, order, edges: [...thin, ...edges],
    width: left(columns - 1) + CARD.width,
    height: height + (rests.length > 0 ? GAP + CARD.height : 0),
  };
}

/** By column, the most relevance at one side of a node between it and the next. */
function largestSides(links: readonly Link[], columnOf: ReadonlyMap<string, number>) {
  const sums = new Map<string, number>();
  const most = new Map<number, number>();
  for (const { upper, lower, relevance } of links) {
    const column = columnOf.get(upper)!;
    for (const side of [`${upper} out`, `${lower} in`]) {
      const sum = (sums.get(side) ?? 0) + Math.abs(relevance);
      sums.set(side, sum);
      most.set(column, Math.max(sum, most.get(column) ?? 0));
    }
  }
  return most;
}

/** Links of no width from column to column, so that a column lies where it should even alone. */
function chain(graph: Graph, cards: readonly Shown[]) {
  const firsts = graph.columns.map((_, at) => cards.find(({ column }) => column === at)?.key);
  return firsts.flatMap((key, at) => {
    const next = firsts[at + 1];
    return key !== undefined && next !== undefined
      ? [{ source: key, target: next, value: 0, link: null }] : [];
  });
}

function toScale(link: SankeyLink<N, L>, of: Link, nodes: ReadonlyMap<string, Place>): Edge {
  const [source, target] = [link.source as SankeyNode<N, L>, link.target as SankeyNode<N, L>];
  const out = centred(link.y0! - source.y0!, source.sourceLinks!);
  const into = centred(link.y1! - target.y0!, target.targetLinks!);
  const path = curve(nodes.get(of.upper)!, nodes.get(of.lower)!, out, into);
  return { link: of, width: link.width!, path };
}

/** From the middle of a card's side: what is stacked from its top lies around its middle. */
function centred(offset: number, links: readonly SankeyLink<N, L>[]): number {
  return offset - links.reduce((sum, { width }) => sum + width!, 0) / 2;
}

/** A curve from the right side of one card to the left side of another. */
function curve(from: Place, to: Place, out: number, into: number): string {
  const [x0, x1] = [from.x + CARD.width, to.x];
  const [y0, y1] = [from.y + CARD.height / 2 + out, to.y + CARD.height / 2 + into];
  const middle = (x0 + x1) / 2;
  return `M${x0},${y0}C${middle},${y0} ${middle},${y1} ${x1},${y1}`;
}
