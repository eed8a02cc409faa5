// The two neurons of a pair: the images that activate each most, side by side.
import type { Signal } from "@preact/signals";
import { useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Lightbox } from "../neuron/lightbox";
import { NeuronPanel } from "../neuron/panel";
import { PLAIN, wantsRelevance, type Look } from "../neuron/picture";
import { Strip } from "../neuron/strip";
import { RelevanceSaid } from "../neuron/relevance-said";
import { Tile } from "../neuron/tile";
import { Tiles } from "../neuron/tiles";
import { Failure, Toggle } from "../shared/controls";
import type { ExamplesOfNeuron } from "../source/messages";
import { column, neuronName, short, usePoles } from "../source/neuron";
import { Sign } from "./head";
import { other, type Which } from "./rows";
import type { Known, State } from "./state";

const SWITCHES = [
  ["overlay", "relevance", "Relevance", "Colour the pixels that made the neuron fire"],
  ["outline", "outline", "Outline", "Draw a line around the relevant region"],
  ["crop", "crop", "Crop", "Zoom each image into its relevant region"],
] as const;
const WAITING = (
  <ol class="slw-tiles" aria-label="Loading the examples">
    {Array.from({ length: 6 }, (_, index) => (
      <li class="slw-tile" key={index}>
        <div class="slw-picture slw-skeleton" />
      </li>
    ))}
  </ol>
);

interface ExamplesProps {
  state: State;
  known: Known;
  side: Which;
  shown: ExamplesOfNeuron;
  busy: boolean;
  look: Look;
  pointed: Signal<number | null>;
}

function Examples({ state, known, side, shown, busy, look, pointed }: ExamplesProps) {
  const poles = usePoles();
  const [large, setLarge] = useState<{ of: string; sample: number } | null>(null);
  const { pictures } = state;
  const { facts, examples, histogram } = shown;
  const neuron = { layer: facts.layer, neuron: facts.neuron };
  const name = neuronName(neuron, poles);
  const top = Math.max(...examples.map(({ activation }) => activation ?? 0), 0);
  const write = column(examples.map(({ activation }) => activation));
  const at = large?.of === name ? examples.findIndex(({ sample }) => sample === large.sample) : -1;
  const open = examples[at];
  const walk = (by: number) =>
    setLarge({ of: name, sample: examples[(at + by + examples.length) % examples.length]!.sample });
  return (
    <>
      <Strip histogram={histogram} examples={examples} pointed={pointed} />
      {wantsRelevance(look) && <RelevanceSaid pictures={pictures} neuron={neuron} />}
      {examples.length === 0 ? (
        <div class="slw-state">No image activates this neuron.</div>
      ) : (
        <Tiles
          key={name}
          groups={[{ name: "", examples }]}
          busy={busy}
          label={`Images that activate ${name} most`}
          tile={(example, focus) => (
            <Tile
              key={example.sample}
              example={example}
              top={top}
              write={write}
              neuron={neuron}
              focus={focus}
              pictures={pictures}
              look={look}
              pointed={pointed}
              open={() => setLarge({ of: name, sample: example.sample })}
            />
          )}
        />
      )}
      {open && (
        <Lightbox
          pictures={pictures}
          look={look}
          originals={known.sides[side].originals && state.source.can("original")}
          crops={known.sides[side].crops}
          example={open}
          neuron={neuron}
          count={examples.length}
          step={walk}
          close={() => setLarge(null)}
        />
      )}
    </>
  );
}

interface HalfProps {
  state: State;
  known: Known;
  side: Which;
  look: Look;
}

function Half({ state, known, side, look }: HalfProps) {
  const pointed = useSignal<number | null>(null);
  const pair = state.pair.value!;
  const { row } = pair;
  // Of the side that is not looked at, the match may be on its way, or there may be none.
  const waits = pair.neurons[side] === null && row === undefined;
  return (
    <section class="slw-pair-half" aria-label={`Examples of ${known.sides[side].layer}`}>
      {waits ? (
        <div class="slw-panel" aria-busy="true">{WAITING}</div>
      ) : (
        <NeuronPanel
          source={state.source}
          active={state.neuron[side].value}
          detail={state.detail[side]}
          empty={`${known.sides[side].name} has no match for this neuron.`}
          waiting={WAITING}
        >
          {(shown, { busy }) => (
            <Examples
              state={state} known={known} side={side} shown={shown} busy={busy} look={look}
              pointed={pointed}
            />
          )}
        </NeuronPanel>
      )}
    </section>
  );
}

/** The two names, and how alike they are. */
function Names({ state, known }: { state: State; known: Known }) {
  const { neurons, row } = state.pair.value!;
  const name = (side: Which) => (
    <span class="slw-pair-name slw-ellipsis">
      <Sign side={side} />
      <bdi>{known.sides[side].name}</bdi> {neurons[side] ?? "–"}
    </span>
  );
  return (
    <h2 class="slw-pair-names slw-title">
      {name("a")}
      <span class="slw-muted" title="Cosine of their meanings">
        ≈ {short(row?.similarity, 3)}
      </span>
      {name("b")}
    </h2>
  );
}

export function PairPanel({ state }: { state: State }) {
  const [look, setLook] = useState<Look>(PLAIN);
  const known = state.known.value;
  const spot = state.active.value;
  const { pictures } = state;
  if (!known) return null;
  if (!spot || !state.pair.value) {
    return (
      <section class="slw-state slw-pair-empty" aria-label="Examples of both neurons">
        Choose a neuron on the map or in the list to see its images beside those of its match.
      </section>
    );
  }
  const answer = state.matched[spot.side];
  const resource = answer.resource.value;
  const [heatFailure, pictureFailure] = [
    pictures.heatmaps.failure.value, pictures.thumbnails.failure.value,
  ];
  const failed = resource.state === "error";
  return (
    <section class="slw-pair-panel" aria-label="Examples of both neurons">
      <div class="slw-controls slw-controls-apart">
        <Names state={state} known={known} />
        <div class="slw-controls-row" role="toolbar" aria-label="How the examples are shown">
          {SWITCHES.map(([name, icon, label, title]) => (
            <Toggle
              key={name}
              icon={icon}
              label={label}
              title={title}
              pressed={look[name]}
              onChange={(on) => setLook({ ...look, [name]: on })}
            />
          ))}
        </div>
      </div>
      {failed && <Failure error={resource.error} retry={answer.reload} />}
      {pictureFailure && (
        <Failure error={pictureFailure} retry={() => pictures.thumbnails.retry()} />
      )}
      {heatFailure && wantsRelevance(look) && (
        <Failure error={heatFailure} retry={() => pictures.heatmaps.retry()} />
      )}
      <div class="slw-pair-halves">
        {(["a", "b"] as const).map((side) =>
          failed && side === other(spot.side) ? null : (
            <Half key={side} state={state} known={known} side={side} look={look} />
          ))}
      </div>
    </section>
  );
}
