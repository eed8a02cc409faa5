// What a search found, best first, as one row to move along.
import { computed, type ReadonlySignal } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { Found } from "../shared/finder";
import type { Hit } from "../source/messages";
import { isolated } from "../shared/format";
import { Icon } from "../shared/icons";
import type { Neuron } from "../source/model";
import { neuronName, sameNeuron, short, usePoles } from "../source/neuron";

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
  /** Its label now; it may have got another one since it was found. */
  labelOf: (hit: Hit) => string;
  clear: () => void;
}

/** Whether a random word may score as much. */
export const byChance = ({ score, chance }: Hit): boolean =>
  score !== null && typeof chance === "number" && score <= chance;

export function Hits(props: HitsProps) {
  const poles = usePoles();
  const { found: { of, hits }, note, clearing, passes, busy, active, choose, clear } = props;
  const { pointed, point, labelOf } = props;
  const list = useRef<HTMLOListElement>(null);
  const unmark = () => point(null);
  useEffect(() => unmark, [hits]); // what goes from under the pointer says nothing
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Escape") return clear();
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const buttons = [...(list.current?.querySelectorAll("button") ?? [])];
    const place = buttons.indexOf(event.target as HTMLButtonElement);
    buttons[Math.min(buttons.length - 1, Math.max(0, place + step))]?.focus();
  };
  const current = hits.findIndex((hit) => sameNeuron(hit, active));
  // The list is drawn again only when the map comes to one of its neurons, or leaves it.
  const marked = useMemo(
    () => computed(() => hits.findIndex((hit) => sameNeuron(hit, pointed.value))),
    [hits, pointed],
  );
  const chip = (hit: Hit, index: number) => {
    const [label, shown, doubtful] = [labelOf(hit), passes(hit), byChance(hit)];
    const states = [!shown && "slw-hit-filtered", doubtful && "slw-hit-by-chance"];
    const about = [
      isolated(label),
      doubtful && `one random word in twenty scores more than ${short(hit.chance)} here`,
      !shown && "not shown on the map, by its filter",
    ];
    return (
      <li key={neuronName(hit, poles)}>
        <button
          type="button"
          class={["slw-hit", ...states].filter(Boolean).join(" ")}
          data-pointed={index === marked.value ? "" : undefined}
          aria-pressed={index === current}
          tabIndex={index === Math.max(current, 0) ? 0 : -1}
          title={about.filter(Boolean).join("\n")}
          onClick={() => choose({ layer: hit.layer, neuron: hit.neuron })}
          onPointerEnter={() => point(hit)}
          onPointerLeave={unmark}
          onFocus={() => point(hit)}
          onBlur={unmark}
        >
          <span class={label ? "slw-ellipsis" : "slw-ellipsis slw-muted"} dir="auto">
            {label || "not labelled"}
          </span>
          <span class="slw-small slw-muted">
            <span class="slw-ellipsis">{neuronName(hit, poles)}</span>
            {hit.score !== null && <b class="slw-number">{short(hit.score)}</b>}
          </span>
          {doubtful && <span class="slw-hidden">, no more than a random word may score</span>}
        </button>
      </li>
    );
  };
  return (
    <div class="slw-hits" aria-busy={busy}>
      <p class="slw-hits-of slw-small" role="status">
        <strong class="slw-ellipsis" dir="auto">{of}</strong>
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
