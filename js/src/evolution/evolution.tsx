// One model through its training. Python side: semlens_widgets/widgets/evolution.py.
import { Choice, Late } from "../shared/controls";
import { mount } from "../shared/mount";
import type { RenderContext } from "../source/model";
import { Legend } from "./legend";
import { NeuronThroughTraining } from "./panel";
import { Stage } from "./stage";
import { createState, type EvolutionTraits, type State } from "./state";
import "../neuron/panel.css";
import "../neuron/sliders.css";
import "./evolution.css";

// Of this view alone: what is in shared/icons is in the bundle of every widget.
const PLAY = "M4.5 2.5v11l9-5.5Z";
const PAUSE = "M4 3h3v10H4zM9 3h3v10H9z";

function Head({ state }: { state: State }) {
  const { player, step, steps } = state;
  const last = steps.value.length - 1;
  const name = steps.value[step.value] ?? "";
  const playing = player.playing.value;
  const options = state.columns.value
    .filter(({ empty, name: column }) => !empty || column === state.colorBy.value)
    .map(({ name: column, title }) => [column, title] as const);
  return (
    <header class="slw-evo-head">
      <div class="slw-evo-player" role="group" aria-label="Step">
        <button
          type="button"
          class="slw-button slw-button-icon"
          aria-label={playing ? "Pause" : "Play"}
          title={playing ? "Pause" : "Play through the steps"}
          onClick={player.toggle}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path fill="currentColor" d={playing ? PAUSE : PLAY} />
          </svg>
        </button>
        <label class="slw-slider">
          <span class="slw-hidden">Step of training</span>
          <input
            type="range"
            min={0}
            max={last}
            step={1}
            value={step.value}
            style={{ "--slw-fill": `${(step.value / Math.max(1, last)) * 100}%` }}
            aria-valuetext={name}
            onInput={({ currentTarget }) => player.go(currentTarget.valueAsNumber)}
          />
        </label>
        <output class="slw-evo-step slw-title slw-ellipsis" title={name}><bdi>{name}</bdi></output>
        <span class="slw-muted slw-small slw-evo-of">{step.value + 1} of {last + 1}</span>
      </div>
      <Choice label="Colour" options={options} value={state.colorBy.value} onChange={state.colorWith} />
    </header>
  );
}

function Evolution({ state }: { state: State }) {
  const notes = state.notes.value;
  return (
    <div class="slw-evo-frame">
      <Head state={state} />
      {notes.length > 0 && (
        <ul class="slw-notice">
          {notes.map((note) => <li key={note} class="slw-notice-text"><bdi>{note}</bdi></li>)}
        </ul>
      )}
      <div class="slw-evo-grid">
        <section class="slw-evo-map" aria-label="Map">
          {!state.places.value && <Late source={state.source} />}
          <Stage state={state} />
          <Legend state={state} />
        </section>
        <NeuronThroughTraining state={state} />
      </div>
    </div>
  );
}

export const render = (context: RenderContext<EvolutionTraits>) =>
  mount(
    context,
    "slw-evo",
    (mounted) => <Evolution state={createState(context.model, mounted)} />,
    context.model.get("_labels") !== null,
  );
