// Beside the neurons: measures of both layers, and labels that only one analysis has.
import { useState } from "preact/hooks";
import { Failure } from "../shared/controls";
import type { Interval, KnownLabel, MeasuredTwice } from "../source/messages";
import { neuronName, short, usePoles } from "../source/neuron";
import { Sign } from "./head";
import type { Which } from "./rows";
import type { State } from "./state";

const FEW = 8;
const BOTH = ["a", "b"] as const;

/** From 0 to 1, and as far as the measures reach beyond. */
function scaleOf(measures: readonly MeasuredTwice[]): (value: number) => string {
  const ends = measures
    .flatMap(({ a, b }) => [a.mean, a.low, a.high, b.mean, b.low, b.high])
    .filter((value) => value !== null);
  const [low, high] = [Math.min(0, ...ends), Math.max(1, ...ends)];
  return (value) => `${((value - low) / (high - low)) * 100}%`;
}

function Track({ side, at, place }: { side: Which; at: Interval; place: (value: number) => string }) {
  const { mean, low, high } = at;
  return (
    <span class={`slw-track slw-track-${side}`} aria-hidden="true">
      {low !== null && high !== null && (
        <i class="slw-track-range" style={{ left: place(low), width: `calc(${place(high)} - ${place(low)})` }} />
      )}
      {mean !== null && <i class="slw-track-mean" style={{ left: place(mean) }} />}
    </span>
  );
}

export function MeasuresOfBoth({ state }: { state: State }) {
  const known = state.known.value;
  if (!known) return null;
  const { measures } = known.compared;
  const place = scaleOf(measures);
  return (
    <section class="slw-aside" aria-label="Measures of both layers">
      <h2 class="slw-title">Measures</h2>
      <table class="slw-both">
        <thead class="slw-hidden">
          <tr><th scope="col">Measure</th><th scope="col">Analysis</th><th scope="col">Mean, 95 % interval</th></tr>
        </thead>
        {measures.map((measure) => (
          <tbody key={measure.title}>
            {BOTH.map((side) => {
              const { mean, low, high } = measure[side];
              return (
                <tr key={side}>
                  {side === "a" && <th scope="rowgroup" rowSpan={2}>{measure.title}</th>}
                  <td>
                    <Sign side={side} />
                    <span class="slw-hidden">{known.sides[side].layer}</span>
                    <Track side={side} at={measure[side]} place={place} />
                  </td>
                  <td class="slw-number">
                    {short(mean, 3)}
                    {low !== null && (
                      <span class="slw-muted slw-small"> {short(low, 3)} to {short(high, 3)}</span>
                    )}
                  </td>
                </tr>
              );
            })}
          </tbody>
        ))}
      </table>
      <p class="slw-small slw-muted">Means over the neurons of both layers, with 95 % intervals.</p>
    </section>
  );
}

interface OnlyProps {
  state: State;
  side: Which;
  name: string;
  labels: KnownLabel[];
  total: number;
}

function Only({ state, side, name, labels, total }: OnlyProps) {
  const poles = usePoles();
  const [all, setAll] = useState(false);
  const shown = all ? labels : labels.slice(0, FEW);
  return (
    <div class="slw-only">
      <h3 class="slw-only-name">
        <Sign side={side} /> <span class="slw-ellipsis">Only <bdi>{name}</bdi></span>
        <span class="slw-muted">{total.toLocaleString("en")}</span>
      </h3>
      {labels.length === 0 && <p class="slw-small slw-muted">No label that the other has not.</p>}
      <ul>
        {shown.map(({ label, layer, neuron, score, neurons }) => (
          <li key={label}>
            <button
              type="button"
              title={`${neuronName({ layer, neuron }, poles)} fits it best, of ${neurons} so called`}
              onClick={() => state.visit(side, layer, neuron)}
            >
              <span class="slw-ellipsis" dir="auto">{label}</span>
              <span class="slw-muted slw-small">{neurons > 1 && `× ${neurons}`}</span>
              <span class="slw-number">{short(score)}</span>
            </button>
          </li>
        ))}
      </ul>
      {labels.length > FEW && (
        <button type="button" class="slw-button slw-button-small" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : labels.length < total ? `Show the best ${labels.length}` : `Show all ${total}`}
        </button>
      )}
    </div>
  );
}

export function LabelsOfOne({ state }: { state: State }) {
  const { a, b } = state.chosen.value!;
  const { resource, reload } = state.onlyLabels;
  const found = resource.value;
  if (found.state === "error") return <Failure error={found.error} retry={reload} />;
  if (found.state !== "ready") return null;
  const { a: onlyA, b: onlyB, total_a, total_b, shared } = found.value.result;
  const none = total_a + total_b + shared === 0;
  return (
    <section class="slw-aside" aria-label="Labels that only one has">
      <h2 class="slw-title">Labels that only one has</h2>
      <p class="slw-small slw-muted">
        {none
          ? "No neuron has a label yet: lens.label(words) gives each one of the words."
          : `In any layer, with their scores; ${shared.toLocaleString("en")} more labels are in both.`}
      </p>
      {!none && (
        <div class="slw-only-both">
          <Only key={`a ${a}`} state={state} side="a" name={a} labels={onlyA} total={total_a} />
          <Only key={`b ${b}`} state={state} side="b" name={b} labels={onlyB} total={total_b} />
        </div>
      )}
    </section>
  );
}
