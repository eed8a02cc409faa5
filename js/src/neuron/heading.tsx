// Which neuron a panel shows, what it is called, and its measures.
import { neuronName, short, usePoles, type Facts } from "../source/neuron";

function Fact({ name, value, help }: { name: string; value: string; help: string }) {
  return (
    <li title={help}>
      <span class="slw-muted">{name}</span> <b>{value}</b>
    </li>
  );
}

export function NeuronHeading({ facts, busy }: { facts: Facts; busy: boolean }) {
  const poles = usePoles();
  const known = facts.label !== "";
  return (
    <header class="slw-heading" aria-busy={busy}>
      <div class="slw-heading-name">
        <h2 class={known ? "slw-title" : "slw-title slw-muted"} title={facts.label} dir="auto">
          {known ? facts.label : facts.rejected ? "No label fits" : "Not labelled yet"}
        </h2>
        {known && facts.score !== null && (
          <span class="slw-muted" title="How well the label fits, by the scorer that gave it">
            {short(facts.score, 3)}
          </span>
        )}
        <span class="slw-mono slw-muted">{neuronName(facts, poles)}</span>
        {facts.dead && (
          <span class="slw-tag" title="Fewer positive activations than examples">
            dead
          </span>
        )}
      </div>
      <ul class="slw-facts">
        <Fact
          name="clarity"
          value={short(facts.clarity)}
          help="Mean pairwise cosine among the example images: 1 is one clear concept"
        />
        <Fact
          name="polysemanticity"
          value={short(facts.polysemanticity)}
          help="How far apart the examples' two groups lie: 0 is one meaning"
        />
        <Fact name="mean" value={short(facts.mean)} help="Mean activation over all images" />
        <Fact name="max" value={short(facts.max)} help="Highest activation over all images" />
      </ul>
    </header>
  );
}
