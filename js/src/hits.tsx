// What a search found, best first, as one row to move along.
import { computed, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Found, Hit } from "./finder";
import { Icon } from "./icons";
import type { Neuron } from "./model";
import { neuronName, sameNeuron, short } from "./neuron";

interface HitsProps {
  found: Found;
  /** How many there are in all, in words. */
  note: string;
  /** What the cross at the end does. */
  clearing: string;
  /** Whether the map's filter lets a neuron through. */
  passes: (neuron: Neuron) => boolean;
  busy: boolean;
  active: Neuron | null;
  choose: (neuron: Neuron) => void;
  /** The neuron that the map points at. */
  pointed: ReadonlySignal<Neuron | null>;
  /** Mark a neuron on the map. */
  point: (neuron: Neuron | null) => void;
  clear: () => void;
}

export function Hits(props: HitsProps) {
  const { found: { of, hits }, note, clearing, passes, busy, active, choose, clear } = props;
  const { pointed, point } = props;
  const list = useRef<HTMLOListElement>(null);
  const unmark = () => point(null);
  useEffect(() => unmark, [hits]); // what goes from under the pointer says nothing
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return clear();
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    const place = buttons.indexOf(document.activeElement as HTMLButtonElement);
    buttons[Math.min(buttons.length - 1, Math.max(0, place + step))]?.focus();
  };
  const current = hits.findIndex((hit) => sameNeuron(hit, active));
  // The list is drawn again only when the map comes to one of its neurons, or leaves it.
  const marked = useMemo(
    () => computed(() => hits.findIndex((hit) => sameNeuron(hit, pointed.value))),
    [hits, pointed],
  );
  const chip = (hit: Hit, index: number) => (
    <li key={neuronName(hit)}>
      <button
        type="button"
        class={passes(hit) ? "slw-hit" : "slw-hit slw-hit-filtered"}
        data-pointed={index === marked.value ? "" : undefined}
        aria-pressed={index === current}
        tabIndex={index === Math.max(current, 0) ? 0 : -1}
        title={passes(hit) ? hit.label : `${hit.label}\nnot shown on the map, by its filter`}
        onClick={() => choose({ layer: hit.layer, neuron: hit.neuron })}
        onPointerEnter={() => point(hit)}
        onPointerLeave={unmark}
        onFocus={() => point(hit)}
        onBlur={unmark}
      >
        <span class={hit.label ? "slw-ellipsis" : "slw-ellipsis slw-muted"}>
          {hit.label || "not labelled"}
        </span>
        <span class="slw-small slw-muted">
          <span class="slw-ellipsis">{neuronName(hit)}</span>
          {hit.score !== null && <b class="slw-number">{short(hit.score)}</b>}
        </span>
      </button>
    </li>
  );
  return (
    <div class="slw-hits" aria-busy={busy}>
      <p class="slw-hits-of slw-small" role="status">
        <strong class="slw-ellipsis">{of}</strong>
        <span class="slw-muted">{note}</span>
      </p>
      <ol ref={list} onKeyDown={onKeyDown} aria-label={`Neurons: ${of}`}>
        {hits.map(chip)}
      </ol>
      <button
        type="button"
        class="slw-button slw-button-icon slw-button-plain"
        title={clearing}
        aria-label={clearing}
        onClick={clear}
      >
        <Icon name="close" />
      </button>
    </div>
  );
}
