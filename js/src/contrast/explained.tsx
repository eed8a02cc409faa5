// Several concepts for one neuron: asked for when a person opens the fold.
import { useEffect, useState } from "preact/hooks";
import { Failure } from "../shared/controls";
import { count } from "../shared/format";
import type { Explained } from "../source/messages";
import { column } from "../source/neuron";
import { asError } from "../source/resources";
import type { ContrastProps } from "./contrast";

/** Which share of the variation of the activation is explained; a correlation below 0 explains none. */
export const shareOf = (correlation: number | null): string =>
  correlation === null ? "–" : `${Math.round(100 * Math.max(0, correlation) ** 2)}\u00a0%`;

type State = "loading" | Error | Explained;

export function SeveralConcepts({ source, active, candidates, templates, revision }: ContrastProps) {
  const [open, setOpen] = useState(false);
  const [again, setAgain] = useState(0);
  const [found, setFound] = useState<{ of: string; state: State }>({ of: "", state: "loading" });
  const neuron = active.value;
  const asked = { ...neuron!, candidates: candidates.value, templates: templates.value };
  const of = JSON.stringify([asked, revision.value, again]);
  useEffect(() => {
    if (!open || neuron === null || found.of === of) return;
    const abort = new AbortController();
    const take = (state: State) => abort.signal.aborted || setFound({ of, state });
    source.act("explain", asked, undefined, abort.signal)
      .then(take, (reason) => take(asError(reason)));
    return () => abort.abort();
  }, [open, of]);
  const state = found.of === of ? found.state : "loading";
  return (
    <details
      class="slw-fold"
      onToggle={({ currentTarget }) => setOpen(currentTarget.open)}
    >
      <summary>Several concepts</summary>
      {!open ? null : state === "loading" ? (
        <p class="slw-small slw-muted" role="status">Looking for concepts that explain it together …</p>
      ) : state instanceof Error ? (
        <Failure error={state} retry={() => setAgain(again + 1)} />
      ) : (
        <Concepts {...state} />
      )}
    </details>
  );
}

function Concepts({ concepts }: Explained) {
  if (concepts.length === 0) {
    return <p class="slw-small slw-muted">None of these labels goes with how the neuron varies.</p>;
  }
  const most = Math.max(...concepts.map(({ weight }) => weight));
  const weight = column(concepts.map((one) => one.weight));
  const alone = shareOf(concepts[0]!.together);
  const whole = shareOf(concepts.at(-1)!.together);
  return (
    <>
      <p class="slw-small">
        {concepts.length === 1
          ? <><bdi>{concepts[0]!.concept}</bdi> explains {alone} of how the activation varies; more concepts explain no more.</>
          : <><bdi>{concepts[0]!.concept}</bdi> alone explains {alone} of how the activation varies, {count(concepts.length, "concept")} together {whole}.</>}
        <span class="slw-muted"> Found on one half of the images, judged on the other.</span>
      </p>
      <table class="slw-concepts slw-small">
        <thead>
          <tr>
            <th scope="col">concept</th>
            <th scope="col" colSpan={2} title="By how many standard deviations the activation rises when the likeness of an image to the concept does by one">weight</th>
            <th scope="col" title="What this concept and those above it explain together, on images they were not fitted to">so far</th>
          </tr>
        </thead>
        <tbody>
          {concepts.map((one) => (
            <tr key={one.concept}>
              <th scope="row" class="slw-ellipsis" dir="auto" title={one.concept}>{one.concept}</th>
              <td class="slw-concept-track" aria-hidden="true">
                <i style={{ width: `${most > 0 ? (one.weight / most) * 100 : 0}%` }} />
              </td>
              <td class="slw-number">{weight(one.weight)}</td>
              <td class="slw-number">{shareOf(one.together)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
