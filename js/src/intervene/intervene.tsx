// The intervention: neurons are changed, and what the model then says stands beside chance.
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Choice, Failure, Late, Segments, Slider } from "../shared/controls";
import { Icon } from "../shared/icons";
import { mount, type Mounted } from "../shared/mount";
import { followAnswer, type Answer } from "../source/answer";
import { toBits } from "../source/bits";
import { followVisibility } from "../source/detail";
import type { ChangeAsked, EffectsSaid } from "../source/messages";
import {
  setTrait, setTraitSoon, traitSignal, uint8, type Model, type Neuron, type RenderContext,
} from "../source/model";
import { neuronName, usePoles } from "../source/neuron";
import { asError } from "../source/resources";
import type { Progress, Source } from "../source/source";
import { createThumbnails, type Thumbnails } from "../source/thumbnails";
import { Answers } from "./answers";
import {
  AMOUNTS, answers, asked, inWords, neuronAt, rowsSelected, WAYS, type How, type Spans,
} from "./change";
import { Figures } from "./figures";
import "../neuron/panel.css";
import "../neuron/picture.css";
import "./intervene.css";

/** The traits of `widgets/intervene.py`. */
export interface InterveneTraits {
  active: Neuron | null;
  how: How;
  amount: number;
  of: string;
  _selected: DataView;
  _spans: Spans;
}

interface InterveneProps {
  model: Model<InterveneTraits>;
  source: Source;
  pictures: Thumbnails;
  how: ReadonlySignal<How>;
  amount: ReadonlySignal<number>;
  of: ReadonlySignal<string>;
  rows: ReadonlySignal<number[]>;
  wanted: ReadonlySignal<ChangeAsked | null>;
  live: Answer<EffectsSaid>;
}

/** So many neurons are named one by one. */
const NAMED = 12;

function Neurons({ model, rows }: Pick<InterveneProps, "model" | "rows">) {
  const poles = usePoles();
  const spans = model.get("_spans");
  const [all, setAll] = useState(false);
  const shown = all ? rows.value : rows.value.slice(0, NAMED);
  const count = spans.reduce((sum, [, size]) => sum + size, 0);
  const remove = (row: number) => {
    const bits = toBits(count, rows.value, [row], false);
    setTrait(model, "_selected", new DataView(bits));
  };
  return (
    <ul class="slw-changed" aria-label="Neurons that are changed">
      {shown.map((row) => {
        const neuron = neuronAt(spans, row);
        const name = neuronName(neuron, poles);
        return (
          <li key={row} class="slw-changed-neuron">
            <button
              type="button"
              class="slw-button slw-button-small slw-mono"
              title={`Show ${name}`}
              onClick={() => setTrait(model, "active", neuron)}
            >
              {name}
            </button>
            <button
              type="button"
              class="slw-button slw-button-small slw-button-plain"
              title="Leave as it is"
              aria-label={`Leave ${name} as it is`}
              onClick={() => remove(row)}
            >
              <Icon name="close" />
            </button>
          </li>
        );
      })}
      {rows.value.length > NAMED && (
        <li>
          <button type="button" class="slw-button slw-button-small" onClick={() => setAll(!all)}>
            {all ? "Show fewer" : `and ${(rows.value.length - NAMED).toLocaleString("en")} more`}
          </button>
        </li>
      )}
    </ul>
  );
}

function Controls({ model, how, amount, of, classes }: InterveneProps & { classes: string[] }) {
  const dial = AMOUNTS[how.value];
  const names = classes.includes(of.value) || of.value === "" ? classes : [of.value, ...classes];
  const choices = [["", "the one that moves most"], ...names.map((name) => [name, name])] as const;
  return (
    <div class="slw-controls" role="toolbar" aria-label="How the neurons are changed">
      <Segments
        label="What is done to them"
        options={WAYS}
        value={how.value}
        onChange={(way) => setTrait(model, "how", way)}
      />
      {dial && (
        <Slider
          label={dial.label}
          value={amount.value}
          step={0.05}
          text={dial.text(amount.value)}
          onInput={(value) => setTraitSoon(model, "amount", value)}
        />
      )}
      <Choice
        label="Class"
        title="The class whose figures are shown"
        options={choices as unknown as readonly (readonly [string, string])[]}
        value={of.value}
        onChange={(name) => setTrait(model, "of", name)}
      />
    </div>
  );
}

interface WholeProps {
  source: Source;
  said: EffectsSaid;
  wanted: ChangeAsked;
  done: (said: EffectsSaid) => void;
}

/** How many images the figures are over, and a way to look at all. */
function Images({ source, said, wanted, done }: WholeProps) {
  const [state, setState] = useState<"ready" | Progress | Error>("ready");
  const busy = state !== "ready" && !(state instanceof Error);
  const all = async () => {
    setState({ done: 0, total: said.total });
    try {
      done(await source.act("effects_of_all", wanted, setState));
      setState("ready");
    } catch (error) {
      setState(asError(error));
    }
  };
  const [some, total] = [said.images, said.total].map((count) => count.toLocaleString("en"));
  return (
    <>
      <p class="slw-small slw-muted slw-effects-note">
        <span>
          {some === total ? `All ${total} images of known class.`
            : `${some} of ${total} images of known class, drawn at random.`}{" "}
          Random: as many other neurons of the same layers, changed alike; 95 % of {said.draws} draws.
        </span>
        {some !== total && source.can("effects_of_all") && (
          <button type="button" class="slw-button slw-button-small" disabled={busy} onClick={all}>
            {busy ? `${state.done.toLocaleString("en")} of ${total} …` : `Look at all ${total}`}
          </button>
        )}
      </p>
      {state instanceof Error && <Failure error={state} retry={all} />}
    </>
  );
}

function InterveneView(props: InterveneProps) {
  const { source, live, wanted, pictures } = props;
  const [whole, setWhole] = useState<EffectsSaid | null>(null);
  const now = wanted.value;
  const state = live.resource.value;
  const failed = state.state === "error" ? state.error : null;
  const said = whole && answers(whole, now) ? whole : live.last.value;
  const busy = !!said && !answers(said, now);
  if (!source.can("effects")) {
    return (
      <div class="slw-state">
        <span>What the model would say without some neurons is measured in the notebook.</span>
      </div>
    );
  }
  if (now === null) {
    return (
      <div class="slw-state">
        <span>Select neurons on the map, with lasso or box, to see what the model would say without them.</span>
      </div>
    );
  }
  return (
    <div class="slw-panel">
      <header class="slw-heading" aria-busy={!said || busy}>
        <div class="slw-heading-name">
          <h2 class="slw-title">{said ? inWords(said) : inWords(now)}</h2>
          <span class="slw-tag" role="status">{!failed && (!said || busy) ? "measuring" : ""}</span>
        </div>
      </header>
      <Late source={source} />
      <Controls {...props} classes={said?.classes ?? []} />
      <Neurons {...props} />
      {failed && <Failure error={failed} retry={live.reload} />}
      {said && !(failed && busy) ? (
        <>
          <Figures figures={said.figures} busy={busy} />
          <Images source={source} said={said} wanted={now} done={setWhole} />
          <Answers said={said} pictures={pictures} busy={busy} />
        </>
      ) : !failed && (
        <div class="slw-effects-awaited slw-skeleton" role="status" aria-label="Measuring" />
      )}
    </div>
  );
}

function start(
  model: Model<InterveneTraits>,
  { root, source, onCleanup }: Mounted,
): InterveneProps {
  const follow = <K extends keyof InterveneTraits & string>(key: K) => {
    const [mirror, stop] = traitSignal(model, key);
    onCleanup(stop);
    return mirror;
  };
  const [how, amount, of] = [follow("how"), follow("amount"), follow("of")];
  const [bits, spans] = [follow("_selected"), follow("_spans")];
  const [visible, stopVisible] = followVisibility(root);
  const rows = computed(() => rowsSelected(uint8(bits.value), spans.value));
  const wanted = computed(() => asked(rows.value, how.value, amount.value, of.value));
  const live = followAnswer({ source, method: "effects", params: wanted, version: signal(0), visible });
  const pictures = createThumbnails(source);
  for (const stop of [stopVisible, live.stop, () => pictures.dispose()]) onCleanup(stop);
  return { model, source, pictures, how, amount, of, rows, wanted, live };
}

export const render = (context: RenderContext<InterveneTraits>) =>
  mount(context, "slw-intervene", (mounted) => (
    <InterveneView {...start(context.model, mounted)} />
  ));
