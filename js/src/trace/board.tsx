// The graph itself: a card for each node, a column for each layer, edges between them.
import type { Signal } from "@preact/signals";
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Traced } from "../source/messages";
import { PlainPicture } from "../neuron/plain-picture";
import { numberName, usePoles } from "../source/neuron";
import type { Thumbnails } from "../source/thumbnails";
import { step, strongestPath, type Graph, type Path, type Shown } from "./graph";
import { CARD, place, type Edge } from "./layout";
import { describe, percent, titleOf } from "./words";

/** Around the graph, so that outlines are not cut off; trace.css has the same. */
const PADDING = 3;

interface BoardProps {
  trace: Traced;
  graph: Graph;
  name: string;
  pictures: Thumbnails;
  /** The card under the pointer or the focus. */
  pointed: Signal<string | null>;
  selected: string | null;
  select: (node: Shown) => void;
}

/** The width of an element, as it changes. */
function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const measure = () => setWidth((element.current?.clientWidth ?? 0) - 2 * PADDING);
    let next = 0;
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(next); // a new layout within the callback would be an error
      next = requestAnimationFrame(measure);
    });
    measure();
    observer.observe(element.current!);
    return () => {
      cancelAnimationFrame(next);
      observer.disconnect();
    };
  }, []);
  return [element, width];
}

function edgeClass({ link, width }: Edge, path: Path | null, key: string | null): string {
  const kinds = ["slw-edge"];
  if (width === null) kinds.push("slw-edge-rest");
  if (link.relevance < 0) kinds.push("slw-edge-against");
  if (path?.links.has(link)) kinds.push("slw-edge-path");
  else if (key !== null && (link.upper === key || link.lower === key)) kinds.push("slw-edge-own");
  return kinds.join(" ");
}

function Edges(props: { edges: readonly Edge[]; path: Path | null; pointed: string | null }) {
  const { edges, path, pointed } = props;
  return (
    <g class={path ? "slw-edges slw-edges-dim" : "slw-edges"}>
      {edges.map((edge) => (
        <path
          key={`${edge.link.upper} ${edge.link.lower}`}
          class={edgeClass(edge, path, pointed)}
          d={edge.path}
          stroke-width={edge.width === null ? 1 : Math.max(0.75, edge.width)}
        />
      ))}
    </g>
  );
}

/** The first example of what a card stands for; of a group of up to four. */
function Faces({ node, pictures }: { node: Shown; pictures: Thumbnails }) {
  const samples = node.members.map(({ sample }) => sample).filter((one) => one !== null).slice(0, 4);
  if (node.kind === "rest" || samples.length === 0) {
    return <span class="slw-node-face slw-node-faceless" aria-hidden="true">{node.kind === "rest" && "…"}</span>;
  }
  return (
    <span class={`slw-node-face slw-node-faces-${samples.length > 1 ? 4 : 1}`} aria-hidden="true">
      {samples.map((sample) => <PlainPicture key={sample} pictures={pictures} sample={sample} alt="" />)}
    </span>
  );
}

interface CardProps {
  node: Shown;
  said: string;
  pictures: Thumbnails;
  lit: boolean;
  selected: boolean;
  tabIndex: number;
  /** The largest share of any card, which the bars are drawn by. */
  most: number;
  point: (key: string | null) => void;
  select: (node: Shown) => void;
}

function Card({ node, said, pictures, lit, selected, tabIndex, most, point, select }: CardProps) {
  const poles = usePoles();
  const one = node.members[0];
  const which = node.kind === "group" ? `× ${node.members.length}`
    : node.kind === "neuron" && node.name ? numberName(one!, poles) : "";
  return (
    <button
      type="button"
      class={`slw-node slw-node-${node.kind}${lit ? "" : " slw-node-dim"}`}
      style={{ width: `${CARD.width}px`, height: `${CARD.height}px` }}
      data-key={node.key}
      tabIndex={tabIndex}
      aria-pressed={selected}
      title={said}
      onClick={() => select(node)}
      onPointerEnter={() => point(node.key)}
      onPointerLeave={() => point(null)}
      onFocus={() => point(node.key)}
      onBlur={() => point(null)}
    >
      {node.kind !== "target" && <Faces node={node} pictures={pictures} />}
      <span class="slw-node-words">
        <span class="slw-node-title" dir="auto">{titleOf(node, poles)}</span>
        {node.kind !== "target" && (
          <span class="slw-node-share slw-small slw-muted">
            {which && <span class="slw-mono">{which}</span>}
            <span class="slw-number">{percent(node.share)}</span>
            {node.pinned && <span>pin</span>}
          </span>
        )}
        {node.kind !== "target" && node.kind !== "rest" && (
          <span class="slw-bar"><i style={{ width: `${(100 * node.share) / most}%` }} /></span>
        )}
      </span>
    </button>
  );
}

export function Board({ trace, graph, name, pictures, pointed, selected, select }: BoardProps) {
  const poles = usePoles();
  const [frame, room] = useWidth();
  const [current, setCurrent] = useState<string | null>(null);
  const placed = useMemo(() => (room > 0 ? place(graph, room) : null), [graph, room]);
  const at = graph.nodes.some(({ key }) => key === pointed.value) ? pointed.value : null;
  const path = useMemo(() => (at === null ? null : strongestPath(graph, at)), [graph, at]);
  const byKey = useMemo(() => new Map(graph.nodes.map((node) => [node.key, node])), [graph]);
  const most = Math.max(1e-9, ...graph.nodes
    .filter(({ kind }) => kind === "neuron" || kind === "group").map(({ share }) => share));
  // One stop of the Tab key: where the person was last, or the card selected.
  const stop = [current, selected].find((key) => key !== null && byKey.has(key)) ?? graph.nodes[0]!.key;
  const onKeyDown = (event: KeyboardEvent) => {
    const { key } = (event.target as HTMLElement).dataset;
    const next = placed && key ? step(graph, placed.order, key, event.key) : null;
    if (next === null) return;
    event.preventDefault();
    setCurrent(next);
    const card = [...frame.current!.querySelectorAll<HTMLElement>("[data-key]")]
      .find(({ dataset }) => dataset.key === next);
    card?.focus();
  };
  return (
    <div
      ref={frame}
      class="slw-board"
      role="group"
      aria-label={`Trace of ${name}`}
      onKeyDown={onKeyDown}
      onFocusCapture={(event) => setCurrent((event.target as HTMLElement).dataset.key ?? null)}
    >
      {placed && (
        <div style={{ width: `${placed.width}px` }}>
          <div class="slw-board-heads slw-small">
            {graph.columns.map((layer, column) => (
              <div key={layer} style={{ left: `${placed.nodes.get(placed.order[column]![0]!)!.x}px`, width: `${CARD.width}px` }}>
                <Head layer={layer} column={column} graph={graph} />
              </div>
            ))}
          </div>
          <div class="slw-board-stage" style={{ height: `${placed.height}px` }}>
            <svg width={placed.width} height={placed.height} aria-hidden="true">
              <Edges edges={placed.edges} path={path} pointed={at} />
            </svg>
            {placed.order.map((keys, column) => (
              <ul key={graph.columns[column]} aria-label={graph.columns[column] || "Target"}>
                {keys.map((key) => {
                  const [node, { x, y }] = [byKey.get(key)!, placed.nodes.get(key)!];
                  return (
                    <li key={key} style={{ transform: `translate(${x}px, ${y}px)` }}>
                      <Card
                        node={node}
                        said={describe(node, graph, trace.sizes, poles)}
                        pictures={pictures}
                        lit={path === null || path.nodes.has(key)}
                        selected={selected === key}
                        tabIndex={stop === key ? 0 : -1}
                        most={most}
                        point={(one) => (pointed.value = one)}
                        select={select}
                      />
                    </li>
                  );
                })}
              </ul>
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

/** A layer's name, and how much of it is shown. */
function Head({ layer, column, graph }: { layer: string; column: number; graph: Graph }) {
  if (column === 0) return <span class="slw-muted">Target</span>;
  const rest = graph.nodes.find((node) => node.column === column && node.kind === "rest");
  return (
    <>
      <span class="slw-mono slw-ellipsis" title={layer}>{layer}</span>
      <span class="slw-muted slw-number" title="Of the layer's absolute relevance">
        {percent(1 - (rest?.share ?? 0))} shown
      </span>
    </>
  );
}

