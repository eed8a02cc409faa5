// The neuron looked at, at every step: what it is called, how well, and what activates it most.
import { Failure, Late } from "../shared/controls";
import { PlainPicture } from "../neuron/plain-picture";
import type { Shown } from "../source/messages";
import { baseName, neuronName, short, usePoles } from "../source/neuron";
import type { State } from "./state";

/** Places for pictures that are on their way. */
const PLACES = 6;

export function NeuronThroughTraining({ state }: { state: State }) {
  const neuron = state.neuron.value;
  const poles = usePoles();
  if (!neuron) {
    return (
      <section class="slw-state" aria-label="A neuron through training">
        Choose a neuron on the map to follow it through training.
      </section>
    );
  }
  const at = state.active.value;
  const { resource, last, reload } = state.detail;
  const answer = resource.value;
  const shown = answer.state === "ready" ? answer.value : last.value;
  return (
    <section class="slw-evo-panel" aria-label="A neuron through training">
      <h2 class="slw-title slw-mono">{neuronName(neuron, poles)}</h2>
      <Late source={state.source} />
      {answer.state === "error" && <Failure error={answer.error} retry={reload} />}
      <ol class="slw-evo-moments" aria-busy={answer.state === "loading"}>
        {state.steps.value.map((name, step) => (
          <Moment
            key={name}
            state={state}
            at={at}
            step={step}
            name={name}
            examples={shown?.moments[step]?.examples ?? null}
            failed={answer.state === "error"}
          />
        ))}
      </ol>
    </section>
  );
}

interface MomentProps {
  state: State;
  /** The neuron's number; -1 while it is not known. */
  at: number;
  step: number;
  name: string;
  examples: Shown[] | null;
  failed: boolean;
}

function Moment({ state, at, step, name, examples, failed }: MomentProps) {
  const value = (column: string) => (at < 0 ? Number.NaN : state.valueOf(column, at, step));
  const label = at < 0 ? "" : state.labelOf(at, step);
  const changed = value("label_changed") === 1;
  const dead = value("dead") === 1;
  const unsure = value("unsure") === 1;
  return (
    <li class="slw-evo-moment" aria-current={state.step.value === step ? "step" : undefined}>
      <div class="slw-evo-moment-head">
        <button
          type="button"
          class="slw-evo-goto slw-ellipsis"
          title={`Show ${name} on the map`}
          onClick={() => state.player.go(step)}
        >
          <bdi>{name}</bdi>
        </button>
        <bdi class={label ? "slw-evo-label slw-ellipsis" : "slw-evo-label slw-muted"} title={label}>
          {label || "no label"}
        </bdi>
        {changed && <span class="slw-tag" title="Another label than at the step before">changed</span>}
        {unsure && (
          <span class="slw-tag" title="The label fits no better than 95 % of random words do">by chance</span>
        )}
        {dead && <span class="slw-tag" title="Fewer positive activations than examples">dead</span>}
      </div>
      <ul class="slw-evo-facts slw-small">
        <Fact name="score" value={value("score")} help="How well the label fits, by the scorer that gave it" />
        <Fact name="clarity" value={value("clarity")} help="Mean pairwise cosine among the example images" />
        <Fact name="moved" value={value("moved")} help="Cosine distance of its meaning from the step before" />
      </ul>
      {examples?.length === 0 ? (
        <p class="slw-small slw-muted">No image activates this neuron.</p>
      ) : (
        !(failed && !examples) && (
          <ul class="slw-evo-thumbs">
            {examples
              ? examples.map((one) => (
                  <li key={one.sample} title={`${one.uri}\nactivation ${short(one.activation)}`}>
                    <PlainPicture pictures={state.pictures} sample={one.sample} alt={describe(one)} />
                  </li>
                ))
              : Array.from({ length: PLACES }, (_, place) => (
                  <li key={place}><div class="slw-picture slw-skeleton" /></li>
                ))}
          </ul>
        )
      )}
    </li>
  );
}

const describe = ({ class_name, uri }: Shown): string =>
  `Example: ${class_name ? `${class_name}, ` : ""}${baseName(uri)}`;

function Fact({ name, value, help }: { name: string; value: number; help: string }) {
  return (
    <li title={help}>
      <span class="slw-muted">{name}</span> <b>{short(value)}</b>
    </li>
  );
}
