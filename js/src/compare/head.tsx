// Which two layers are compared, and how much of one the other knows.
import type { Alike } from "../source/messages";
import { short } from "../source/neuron";
import type { Which } from "./rows";
import type { State } from "./state";

/** The sign of a side, as the map draws its neurons. */
export const Sign = ({ side }: { side: Which }) => (
  <i class={`slw-sign slw-sign-${side}`} aria-hidden="true" />
);

function Chooser({ state, side }: { state: State; side: Which }) {
  const analyses = state.analyses.value;
  const { a, layer_a, b, layer_b } = state.chosen.value!;
  const [name, layer] = side === "a" ? [a, layer_a] : [b, layer_b];
  const layers = analyses.find((one) => one.name === name)!.layers;
  const order = side === "a" ? "First" : "Second";
  return (
    <div class="slw-compare-side" role="group" aria-label={`${order} analysis: ${name}`}>
      <Sign side={side} />
      {analyses.length > 2 ? (
        <select
          class="slw-select"
          aria-label={`${order} analysis`}
          value={name}
          onChange={({ currentTarget }) => state.choose(side, currentTarget.value)}
        >
          {analyses.map((one) => <option key={one.name} value={one.name}>{one.name}</option>)}
        </select>
      ) : (
        <b class="slw-ellipsis" title={name} dir="auto">{name}</b>
      )}
      <select
        class="slw-select"
        aria-label={`Layer of ${name}`}
        value={layer}
        onChange={({ currentTarget }) => state.choose(side, name, currentTarget.value)}
      >
        {layers.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    </div>
  );
}

interface FigureProps {
  of: string;
  to: string;
  alike: Alike | undefined;
}

/** S(of→to) with its interval. */
function Figure({ of, to, alike }: FigureProps) {
  const help =
    `How much of ${of} ${to} knows: the mean over its neurons of the largest cosine to one of ` +
    `${to}, with its 95 % interval over neurons`;
  return (
    <li class="slw-compare-figure" title={help}>
      <div class="slw-small slw-muted slw-ellipsis">
        S(<bdi>{of}</bdi> → <bdi>{to}</bdi>)
      </div>
      <div>
        {alike ? (
          <>
            <b>{short(alike.mean, 3)}</b>{" "}
            <span class="slw-muted slw-small">
              {alike.low !== null && `${short(alike.low, 3)} to ${short(alike.high, 3)} · `}
              {alike.neurons.toLocaleString("en")} neurons
              {alike.without > 0 && `, ${alike.without} more without examples`}
            </span>
          </>
        ) : (
          <span class="slw-awaited-title slw-skeleton" aria-hidden="true" />
        )}
      </div>
    </li>
  );
}

export function Head({ state }: { state: State }) {
  const { a, b } = state.chosen.value!;
  const compared = state.known.value?.compared;
  return (
    <header class="slw-compare-head">
      <div class="slw-compare-choice">
        <Chooser state={state} side="a" />
        <button
          type="button"
          class="slw-button slw-button-icon"
          title="Change places"
          aria-label="Change places"
          onClick={state.swap}
        >
          <span aria-hidden="true">⇄</span>
        </button>
        <Chooser state={state} side="b" />
      </div>
      <ul class="slw-compare-figures" aria-busy={!compared}>
        <Figure of={a} to={b} alike={compared?.forth} />
        <Figure of={b} to={a} alike={compared?.back} />
      </ul>
    </header>
  );
}
