// The contrast panel: what activates a neuron beside what looks alike and does not, and the
// scores of labels for it, live.
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Labels } from "./label-scores";
import type { Detail } from "../source/detail";
import { mount, type Mounted } from "../shared/mount";
import { setTraitSoon, type Model, type Neuron, type RenderContext } from "../source/model";
import { sameNeuron } from "../source/neuron";
import type { PairsOfNeuron } from "../source/messages";
import { Pairs } from "./pairs";
import { NeuronPanel, startPanel, type PanelTraits, type Standing } from "../neuron/panel";
import { Failure, Segments } from "../shared/controls";
import type { Source } from "../source/source";
import { startLabelling, type Labelling, type LabelSource } from "./label-all";
import { followSecond, type Second } from "./second";
import { followIntervals, type FollowedTrust } from "./intervals";
import { followScores, type Score, type Scorer, type FollowedScores, type ScorerSettings, type Templates } from "./scoring";
import type { Thumbnails } from "../source/thumbnails";
import { contributionsOf, inWords, type Measure } from "./why";
import "../neuron/panel.css";
import "../neuron/sliders.css";
import "./contrast.css";

/** The traits of `widgets/contrast.py`. */
export interface ContrastTraits extends PanelTraits {
  candidates: string[];
  scorer: string;
  /** The scorer whose scores stand beside; empty: none. */
  second: string;
  settings: ScorerSettings;
  templates: Templates;
  /** All there are to choose from. */
  _scorers: Scorer[];
  _sources: LabelSource[];
  /** The pairs left out, and the neuron they belong to. */
  _excluded: (Neuron & { ranks: number[] }) | null;
  /** As the kernel last gave them. */
  scores: Score[];
  /** Whose these scores are. */
  _scored: Neuron | null;
  accepted: (Neuron & { label: string; score: number | null }) | null;
}

export interface ContrastProps extends Omit<FollowedTrust, "stop"> {
  model: Model<ContrastTraits>;
  source: Source;
  detail: Detail<PairsOfNeuron>;
  pictures: Thumbnails;
  scoring: FollowedScores;
  active: ReadonlySignal<Neuron | null>;
  candidates: ReadonlySignal<string[]>;
  scorer: ReadonlySignal<string>;
  /** The scorer, as the kernel describes it. */
  by: ReadonlySignal<Scorer>;
  /** What a second scorer says; null without one. */
  second: ReadonlySignal<Second | null>;
  settings: ReadonlySignal<ScorerSettings>;
  templates: ReadonlySignal<Templates>;
  excluded: ReadonlySignal<number[]>;
  sources: ReadonlySignal<LabelSource[]>;
  labelling: Labelling;
  revision: ReadonlySignal<number>;
  accepted: ReadonlySignal<ContrastTraits["accepted"]>;
  /** Counts each key and press among the labels. */
  hand: Signal<number>;
  /** What the person is told about the list of candidates. */
  message: Signal<string>;
  /** The candidate pointed at, and the one chosen to be explained. */
  pointed: Signal<string | null>;
  pinned: Signal<string | null>;
}

const MEASURES = [["score", "score"], ["lead", "lead"]] as const;

interface WhyProps {
  focused: string;
  rival: string | null;
  parts: number[] | null;
  by: Scorer;
  excluded: ReadonlySet<number>;
  measure: Measure;
  onMeasure: (measure: Measure) => void;
}

/** Which pairs speak for the label in focus. */
function Why({ focused, rival, parts, by, excluded, measure, onMeasure }: WhyProps) {
  return (
    <div class="slw-why">
      <p>
        <span class="slw-muted">Why </span>
        <strong class="slw-ellipsis" dir="auto">{focused}</strong>
        {measure === "lead" && rival !== null && (
          <>
            <span class="slw-muted"> rather than </span>
            <span class="slw-ellipsis" dir="auto">{rival}</span>
          </>
        )}
      </p>
      <p class="slw-small slw-muted slw-why-words">
        {parts
          ? inWords(parts, excluded)
          : by.competes || !by.pairs
            ? `A score of ${by.title} rests on more images than these and cannot be shared out.`
            : "Only the best labels are taken apart."}
      </p>
      {parts && (
        <Segments
          label="What each pair adds to"
          options={MEASURES}
          value={measure}
          onChange={onMeasure}
        />
      )}
    </div>
  );
}

const WAITING = (
  <>
    <div class="slw-bars-waiting slw-skeleton" />
    <div class="slw-contrast-waiting slw-skeleton" aria-label="Loading the pairs" />
  </>
);

export function Contrast(props: ContrastProps) {
  const [measure, setMeasure] = useState<Measure>("score");
  return (
    <NeuronPanel
      source={props.source}
      active={props.active.value}
      detail={props.detail}
      empty="Choose a neuron to compare what activates it with what does not."
      waiting={WAITING}
      class="slw-contrast-panel"
    >
      {(shown, standing) => (
        <Evidence {...props} {...standing} shown={shown} measure={measure} onMeasure={setMeasure} />
      )}
    </NeuronPanel>
  );
}

interface EvidenceProps extends ContrastProps, Standing {
  shown: PairsOfNeuron;
  measure: Measure;
  onMeasure: (measure: Measure) => void;
}

function Evidence(props: EvidenceProps) {
  const { model, active, pictures, scoring, excluded, pointed, pinned, by } = props;
  const { shown, busy, here, measure } = props;
  const scores = props.source.can("scores");
  const pictureFailure = pictures.thumbnails.failure.value;
  const rests = by.value.pairs;
  const out = new Set(here && rests ? excluded.value : []);
  const exclude = (ranks: number[]) => {
    if (here && active.value) setTraitSoon(model, "_excluded", { ...active.value, ranks });
  };
  const toggle = (rank: number) =>
    exclude(out.has(rank) ? [...out].filter((other) => other !== rank) : [...out, rank].sort((a, b) => a - b));

  // Numbers, reasons and actions are the heading's neuron's, or they are not there.
  const settled = here && sameNeuron(scoring.of.value, active.value);
  const names = scoring.bars.value.map(([name]) => name);
  const focused =
    [pointed.value, pinned.value].find((name) => name !== null && names.includes(name)) ??
    names[0] ?? null;
  const rival = (focused === names[0] ? names[1] : names[0]) ?? null;
  const parts = settled ? contributionsOf(scoring.parts.value, focused, rival, measure) : null;
  return (
    <>
      <Labels {...props} facts={shown.facts} settled={settled} focused={focused} />
      <div class="slw-evidence">
        {pictureFailure && (
          <Failure error={pictureFailure} retry={() => pictures.thumbnails.retry()} />
        )}
        {scores && settled && focused !== null && (
          <Why
            focused={focused}
            rival={rival}
            parts={parts}
            by={by.value}
            excluded={out}
            measure={measure}
            onMeasure={props.onMeasure}
          />
        )}
        <Pairs
          pairs={shown.pairs}
          pictures={pictures}
          busy={busy}
          excluded={out}
          toggle={rests && scores ? toggle : undefined}
          takeAll={() => exclude([])}
          parts={parts}
        />
      </div>
    </>
  );
}

function start(model: Model<ContrastTraits>, mounted: Mounted): ContrastProps {
  const { source, onCleanup } = mounted;
  const panel = startPanel(model, mounted, "pairs");
  const { follow, active, visible, revision, detail, pictures } = panel;
  const [candidates, scorer, settings, templates, given] = [
    follow("candidates"), follow("scorer"), follow("settings"), follow("templates"),
    follow("_excluded"),
  ] as const;
  const chosen = follow("second");
  const scorers = model.get("_scorers");
  const by = computed(() => scorers.find(({ name }) => name === scorer.value) ?? scorers[0]!);
  const excluded = computed(() =>
    given.value && sameNeuron(given.value, active.value) ? given.value.ranks : []);
  const asked = computed(() => ({
    neuron: active.value,
    candidates: candidates.value,
    scorer: scorer.value,
    settings: settings.value,
    templates: templates.value,
    exclude: excluded.value,
  }));
  const first = { of: model.get("_scored") ?? null, scores: model.get("scores") };
  const saved = sameNeuron(first.of, active.peek()) ? first : { of: null, scores: [] };
  const scoring = followScores({ source, by, settings: asked, visible, revision, first: saved });
  onCleanup(scoring.stop);
  const hand = signal(0);
  const { trust, refused, stop } =
    followIntervals({ source, by, settings: asked, scoring, visible, revision, hand });
  onCleanup(stop);
  // Beside itself nothing stands.
  const other = computed(() =>
    scorers.find(({ name }) => name === chosen.value && name !== scorer.value) ?? null);
  const followed = followSecond({ source, by: other, settings: asked, scoring, visible, revision });
  onCleanup(followed.stop);
  const message = signal("");
  onCleanup(active.subscribe(() => (message.value = "")));
  return {
    model, source, detail, pictures, scoring, active, candidates, scorer, by, settings, templates,
    sources: follow("_sources"), labelling: startLabelling(), second: followed.second, excluded, revision, message, trust, refused, hand, accepted: follow("accepted"),
    pointed: signal<string | null>(null), pinned: signal<string | null>(null),
  };
}

export const render = (context: RenderContext<ContrastTraits>) =>
  mount(context, "slw-contrast", (mounted) => (
    <Contrast {...start(context.model, mounted)} />
  ));
