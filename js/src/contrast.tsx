// The contrast panel: what activates a neuron beside what looks alike and does not, and the
// scores of labels for it, live.
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Bars } from "./bars";
import { followNeuron, followVisibility, type Detail } from "./detail";
import { Icon } from "./icons";
import { mount, type Mounted } from "./mount";
import { setTrait, traitSignal, type Model, type Neuron, type RenderContext } from "./model";
import type { Facts } from "./neuron";
import { Pairs, type Pair } from "./pairs";
import { Failure, NeuronHeading, Segments, Slider, Toggle } from "./parts";
import { createPictures, type Pictures } from "./pictures";
import { asError } from "./resources";
import type { Rpc } from "./rpc";
import { addCandidates, followScores, METHODS, type Method, type Score, type Scoring } from "./scoring";
import "./panels.css";
import "./contrast.css";

/** The traits of `widgets/contrast.py`. */
export interface ContrastTraits {
  active: Neuron | null;
  candidates: string[];
  method: Method;
  gamma: number;
  centred: boolean;
  /** As the kernel last gave them. */
  scores: Score[];
  accepted: (Neuron & { label: string; score: number | null }) | null;
  _revision: number;
}

export interface ContrastDetail {
  facts: Facts;
  pairs: Pair[];
}

interface ContrastProps {
  model: Model<ContrastTraits>;
  rpc: Rpc;
  detail: Detail<ContrastDetail>;
  pictures: Pictures;
  scoring: Scoring;
  active: ReadonlySignal<Neuron | null>;
  candidates: ReadonlySignal<string[]>;
  method: ReadonlySignal<Method>;
  gamma: ReadonlySignal<number>;
  centred: ReadonlySignal<boolean>;
  /** What the person is told about the list of candidates. */
  message: Signal<string>;
}

function Settings({ model, method, gamma, centred }: ContrastProps) {
  const about = METHODS.find(([name]) => name === method.value);
  return (
    <div class="slw-controls" role="toolbar" aria-label="How labels are scored" title={about?.[2]}>
      <Segments
        label="Scorer"
        options={METHODS.map(([name, text]) => [name, text] as const)}
        value={method.value}
        onChange={(name) => setTrait(model, "method", name)}
      />
      <Slider
        label="γ"
        title="How much of the contrastive example is taken out of each example (CSP)"
        value={gamma.value}
        step={0.05}
        text={gamma.value.toFixed(2)}
        disabled={method.value !== "csp"}
        onInput={(value) => setTrait(model, "gamma", value)}
      />
      <Toggle
        icon="centre"
        label="Centred"
        title="Subtract each text's mean similarity over all images"
        pressed={centred.value}
        onChange={(on) => setTrait(model, "centred", on)}
      />
    </div>
  );
}

function AddCandidate({ model, scoring, candidates, message }: ContrastProps) {
  const [text, setText] = useState("");
  const add = (input: string) => {
    const added = addCandidates(scoring.listed.value, input);
    message.value = added.message;
    if (added.candidates.length > scoring.listed.value.length) {
      setTrait(model, "candidates", added.candidates);
    }
    if (input.trim() !== "") setText("");
  };
  const onPaste = (event: ClipboardEvent) => {
    const pasted = event.clipboardData?.getData("text") ?? "";
    if (!/[\n\r,;]/.test(pasted)) return;
    event.preventDefault(); // an input would join the lines
    add(pasted);
  };
  return (
    <form
      class="slw-add"
      onSubmit={(event) => {
        event.preventDefault();
        add(text);
      }}
    >
      <input
        class="slw-input"
        placeholder="Try another label"
        aria-label="Add candidate labels, separated by commas"
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onPaste={onPaste}
      />
      <button type="submit" class="slw-button">
        <Icon name="plus" />
        Add
      </button>
      {candidates.value.length > 0 && (
        <button
          type="button"
          class="slw-button"
          title="Forget this list: suggest labels for each neuron"
          onClick={() => {
            message.value = "";
            setTrait(model, "candidates", []);
          }}
        >
          Suggest
        </button>
      )}
    </form>
  );
}

function Labels(props: ContrastProps & { facts: Facts }) {
  const { model, rpc, scoring, message, facts, detail } = props;
  const [accepting, setAccepting] = useState<string | null>(null);
  const [refused, setRefused] = useState<{ error: Error; again: () => void } | null>(null);
  const { layer, neuron } = facts;

  const accept = async (label: string, score: number | null) => {
    setAccepting(label);
    setRefused(null);
    try {
      await rpc.request("accept", { layer, neuron, label, score });
      detail.reload();
    } catch (error) {
      setRefused({ error: asError(error), again: () => void accept(label, score) });
    }
    setAccepting(null);
  };
  const remove = (candidate: string) => {
    const rest = scoring.listed.value.filter((other) => other !== candidate);
    message.value = "";
    setTrait(model, "candidates", rest);
  };
  const { bars, pending, error } = scoring;
  return (
    <section class="slw-labels" aria-label="Labels">
      <Settings {...props} />
      {error.value && <Failure error={error.value} retry={scoring.retry} />}
      {refused && <Failure error={refused.error} retry={refused.again} />}
      {bars.value.length > 0 ? (
        <Bars
          bars={bars.value}
          pending={pending.value}
          current={facts.label}
          accepting={accepting}
          accept={(label, score) => void accept(label, score)}
          remove={remove}
        />
      ) : pending.value ? (
        <div class="slw-bars-waiting slw-skeleton" />
      ) : (
        !error.value && <p class="slw-muted">No candidates yet. Add labels to compare.</p>
      )}
      <AddCandidate {...props} />
      <p class="slw-small slw-message" role="status">{message.value}</p>
      <p class="slw-hidden" aria-live="polite">
        {!pending.value && bars.value[0] && `Best label: ${bars.value[0][0]}`}
      </p>
    </section>
  );
}

export function Contrast(props: ContrastProps) {
  const { active, detail, pictures } = props;
  const { resource, last } = detail;
  if (active.value === null) {
    return <div class="slw-state">Choose a neuron to compare what activates it with what does not.</div>;
  }
  const failed = resource.value.state === "error" ? resource.value.error : null;
  const shown = last.value;
  if (!shown) {
    if (failed) return <Failure error={failed} retry={detail.reload} />;
    return <div class="slw-contrast-waiting slw-skeleton" aria-label="Loading the pairs" />;
  }
  const busy = resource.value.state === "loading";
  const pictureFailure = pictures.thumbnails.failure.value;
  return (
    <div class="slw-panel">
      <NeuronHeading facts={shown.facts} busy={busy} />
      {failed && <Failure error={failed} retry={detail.reload} />}
      <Labels {...props} facts={shown.facts} />
      {pictureFailure && (
        <Failure error={pictureFailure} retry={() => pictures.thumbnails.retry()} />
      )}
      <Pairs pairs={shown.pairs} pictures={pictures} busy={busy} />
    </div>
  );
}

function start({ model, rpc, root, onCleanup }: Mounted & { model: Model<ContrastTraits> }) {
  const follow = <K extends keyof ContrastTraits>(key: K) => {
    const [mirror, stop] = traitSignal(model, key);
    onCleanup(stop);
    return mirror;
  };
  const active = follow("active");
  const [candidates, method, gamma, centred] = [
    follow("candidates"), follow("method"), follow("gamma"), follow("centred"),
  ] as const;
  const [visible, stopVisible] = followVisibility(root);
  const settings = computed(() => ({
    neuron: active.value,
    candidates: candidates.value,
    method: method.value,
    gamma: gamma.value,
    centred: centred.value,
  }));
  const scoring = followScores(rpc, settings, visible, model.get("scores"));
  const source = { rpc, method: "pairs", active, visible, revision: follow("_revision") };
  const detail = followNeuron<ContrastDetail>(source);
  const pictures = createPictures(rpc);
  for (const stop of [stopVisible, scoring.stop, detail.stop, () => pictures.dispose()]) {
    onCleanup(stop);
  }
  const message = signal("");
  return { model, rpc, detail, pictures, scoring, active, candidates, method, gamma, centred, message };
}

export const render = (context: RenderContext<ContrastTraits>) =>
  mount(context, "slw-contrast", (mounted) => (
    <Contrast {...start({ ...mounted, model: context.model })} />
  ));
