// Two analyses side by side: a joint map, matched neurons, what only one of them knows.
import { Failure, Late } from "../shared/controls";
import { mount } from "../shared/mount";
import type { RenderContext } from "../source/model";
import { LabelsOfOne, MeasuresOfBoth } from "./aside";
import { Head } from "./head";
import { JointMap } from "./joint-map";
import { MatchList } from "./matches";
import { PairPanel } from "./pair";
import { createState, type CompareTraits, type State } from "./state";
import "../neuron/panel.css";
import "./compare.css";

function Compare({ state }: { state: State }) {
  // While one trait of a change has come and the next has not, nothing fits together.
  if (!state.chosen.value) return <div class="slw-state">Choosing the layers …</div>;
  const answer = state.answer.resource.value;
  return (
    <div class="slw-compare-frame">
      <Head state={state} />
      {answer.state !== "ready" && <Late source={state.source} />}
      {answer.state === "error" ? (
        <Failure error={answer.error} retry={state.answer.reload} />
      ) : (
        <div class="slw-compare-grid">
          <div class="slw-compare-column">
            <JointMap state={state} />
            <MatchList state={state} />
          </div>
          <div class="slw-compare-column">
            <PairPanel state={state} />
            <div class="slw-compare-asides">
              <MeasuresOfBoth state={state} />
              <LabelsOfOne state={state} />
            </div>
          </div>
        </div>
      )}
    </div>
  );
}

export const render = (context: RenderContext<CompareTraits>) =>
  mount(context, "slw-compare", (mounted) => (
    <Compare state={createState(context.model, mounted)} />
  ));
