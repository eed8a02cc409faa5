// Made from semlens_widgets/widgets/_messages by js/messages.py: change it there.

/** A neuron as the trait `active` carries it, too. */
export interface Neuron {
  layer: string;
  neuron: number;
}

/** No more than the buffers, or no parameters. */
export interface Nothing {}

/** What is known of a neuron; an empty label is none, `rejected` where none fits. */
export interface Facts extends Neuron {
  label: string;
  rejected: boolean;
  dead: boolean;
  score: number | null;
  clarity: number | null;
  polysemanticity: number | null;
  redundancy: number | null;
  mean: number | null;
  max: number | null;
  firing_rate: number | null;
}

/** One image as it appears for a neuron. */
export interface Shown {
  sample: number;
  activation: number | null;
  class_name: string;
  uri: string;
}

/** A concept example. */
export interface Example extends Shown {
  rank: number;
}

/** A concept example and its contrast; their similarity is a cosine. `origin` is where the contrast is from: `"data set"`, `"edited"`, `"made"`, or empty without one; `changed` the share of an edited example's pixels that are other ones. */
export interface Pair extends Example {
  contrast: Shown | null;
  similarity: number | null;
  origin: string;
  changed: number | null;
}

/** How often which activation occurs, in bins of one width. */
export interface Histogram {
  counts: number[];
  low: number;
  high: number;
}

/** What the gallery shows of a neuron. */
export interface ExamplesOfNeuron {
  facts: Facts;
  examples: Example[];
  histogram: Histogram;
}

/** What the contrast panel shows of a neuron. */
export interface PairsOfNeuron {
  facts: Facts;
  pairs: Pair[];
}

/** Images by their number. */
export interface Samples {
  samples: number[];
}

/** Images for one neuron. */
export interface NeuronSamples extends Neuron, Samples {}

/** Per image null, and one JPEG buffer in order; or why there is none. */
export interface Thumbnails {
  errors: (string | null)[];
}

/** An exception: its class and what it says. */
export interface Problem {
  type: string;
  message: string;
}

/** Why one thing of many cannot be had. */
export interface Refusal {
  error: Problem;
}

/** A heatmap beside its values: rows and columns, the box in fractions of the image. */
export interface HeatmapSaid {
  shape: [number, number];
  box: [number, number, number, number] | null;
  method: string;
  arrived: number | null;
  side: number | null;
}

/** A column of the neurons. */
export interface ColumnName {
  name: string;
}

/** What a column says beside its numbers: categories in the order of their codes, or a range. With `rest` the last category is all those that have no colour of their own; `missing` counts the neurons without a value. */
export interface Legend {
  kind: "category" | "number";
  name: string;
  title: string;
  missing: number;
  names?: string[];
  counts?: number[];
  rest?: boolean;
  min?: number;
  max?: number;
}

/** A column without a legend. */
export interface Bare {
  kind: "place" | "index" | "flags";
}

/** The labels that the buffer holds codes of. */
export interface CodedLabels {
  kind: "labels";
  names: string[];
}

/** A row of the neurons. */
export interface Row {
  row: number;
}

/** A number with its name. */
export interface Measure {
  title: string;
  value: number;
}

/** What the hover card says; `unsure` labels fit no better than random words do. With `rejected` a person said that none fits. */
export interface Hovered {
  label: string;
  rejected: boolean;
  unsure: boolean;
  score: number | null;
  measures: Measure[];
  examples: string[];
}

/** What is searched: words, or neurons like one; in one layer or in all. */
export interface Sought {
  query: string;
  like: Neuron | null;
  layer: string | null;
}

/** A neuron found; 95 % of random words stay below `chance`. */
export interface Hit extends Neuron {
  label: string;
  score: number | null;
  chance: number | null;
}

/** What was found, best first. */
export interface Hits {
  hits: Hit[];
}

/** How labels are scored, and which. */
export interface Scoring {
  candidates: string[];
  scorer: string;
  settings: Record<string, boolean | number | string>;
  templates: "clip" | "csp" | "plain" | string[];
}

/** Labels to score for a neuron, without the pairs of some ranks. */
export interface NeuronScoring extends Neuron, Scoring {
  exclude: number[];
}

/** Scores, whose parts the buffer holds, and the neuron's own label as it is among them. */
export interface Scores {
  scores: ([string, number | null])[];
  explained: string[];
  own: string;
}

/** Scores by a second scorer, and what random words score by it: median, 95th percentile. */
export interface Beside extends Neuron {
  scorer: string;
  scores: ([string, number | null])[];
  chance: [number, number] | null;
}

/** The labels that the lens knows, and how many those are that are not sent. */
export interface Vocabulary {
  words: string[];
  total: number;
}

/** Labels whose intervals are wanted, and what the best was chosen from. Without any: from what the lens knows. */
export interface IntervalsAsked extends NeuronScoring {
  among: string[];
}

/** By label the ends of its score's interval, and the bar of chance. The luckiest of `among` labels reaches it for one shuffled neuron in twenty. */
export interface Intervals {
  intervals: ([string, number | null, number | null, number | null])[];
  among: number;
}

/** A label that a person accepted. */
export interface Accepted extends Neuron {
  label: string;
  score: number | null;
}

/** A neuron to explain by several of the labels; without any by those that the lens knows. */
export interface ExplainAsked extends Neuron {
  candidates: string[];
  templates: "clip" | "csp" | "plain" | string[];
}

/** One of several concepts; `together` is the correlation of these so far with the neuron. Its weight says by how many standard deviations the activation rises with it. */
export interface PartConcept {
  concept: string;
  weight: number;
  together: number | null;
}

/** The concepts that together predict a neuron's activation, as they were found. */
export interface Explained {
  concepts: PartConcept[];
}

/** Where candidates are to come from, by name. */
export interface SourceAsked {
  source: string;
}

/** What asking a model would take: how many questions, and in words. */
export interface Preview {
  calls: number;
  said: string;
}

/** How all neurons are to be labelled; from no source: by the candidates named, or known. */
export interface AllScoring extends Scoring, SourceAsked {
  back_off: boolean;
}

/** How many neurons have a label now, and what is to be said of the others. */
export interface LabelledAll {
  labelled: number;
  said: string;
}

/** What is to be audited, as a person typed it: the class, and a side's concepts each. */
export interface AuditAsked {
  target: string;
  valid: string;
  spurious: string;
}

/** Which of a view's audits this is: the number that the trait `_audits` has then. */
export interface AuditMade {
  audit: number;
}

/** A concept with the phrases that say it. */
export interface Concept {
  name: string;
  phrases: string[];
}

/** What of a layer's relevance lies on the neurons of a verdict, and the interval of that. A single image has no interval. */
export interface VerdictShare {
  verdict: string;
  share: number;
  low: number | null;
  high: number | null;
  neurons: number;
}

/** A layer in an audit: its sums, and the fit to either side that chance reaches. */
export interface AuditLayer {
  name: string;
  verdicts: VerdictShare[];
  valid: number | null;
  spurious: number | null;
}

/** What an audit is about and found on the whole; `at` is the layer nearest the output. */
export interface AuditSaid extends AuditMade {
  target: string;
  images: number;
  neurons: number;
  method: string;
  scorer: string;
  at: string;
  layers: AuditLayer[];
  valid: Concept[];
  spurious: Concept[];
  unchecked: string[];
}

/** A layer in an audit. */
export interface AuditAt extends AuditMade {
  layer: string;
}

/** What an audit found of one neuron, a row of the lens's table. Nulls are how probable so good a fit is by chance. */
export interface AuditRow {
  row: number;
  neuron: number;
  label: string;
  verdict: string;
  share: number;
  low: number | null;
  high: number | null;
  valid: number | null;
  spurious: number | null;
  valid_concept: string;
  spurious_concept: string;
  valid_phrase: string;
  spurious_phrase: string;
  valid_null: number | null;
  spurious_null: number | null;
  reliance: number | null;
}

/** All neurons of a layer, largest share first. */
export interface AuditRows extends AuditAt {
  rows: AuditRow[];
}

/** What a person decided of a neuron; empty: nothing. */
export interface Decision extends Neuron {
  decision: string;
  note: string;
}

/** What is to be kept of a neuron in an audit. */
export interface Decide extends Decision, AuditMade {}

/** What is kept, with the moment (ISO 8601, UTC). */
export interface Decided extends Decision {
  decided: string;
}

/** All that is decided in an audit. */
export interface Decisions extends AuditMade {
  decisions: Decided[];
}

/** An image of the class, and a neuron's share of its layer's relevance on it. */
export interface Carried {
  sample: number;
  share: number;
  class_name: string;
  uri: string;
}

/** Where in the class a neuron speaks, largest share first. */
export interface ClassImages extends Neuron, AuditMade {
  images: Carried[];
}

/** Which neurons are changed (rows of the table), how, and of which class it is asked. Without a class, it is of the one that moves most. */
export interface ChangeAsked {
  rows: number[];
  how: string;
  amount: number;
  of: string;
}

/** A figure of the model as it is, changed, and changed at random, where 95 % of draws lie. `up` is whether more is better; `images` are those it is over. */
export interface EffectFigure {
  name: string;
  up: boolean;
  images: number;
  before: number | null;
  after: number | null;
  control: number | null;
  low: number | null;
  high: number | null;
}

/** An image, what the model says of it before and after, and the logits of the class asked. */
export interface ChangedAnswer {
  sample: number;
  class_name: string;
  before: string;
  after: string;
  logit_before: number;
  logit_after: number;
}

/** What a change does, on some of all images of known class. */
export interface EffectsSaid extends ChangeAsked {
  images: number;
  total: number;
  draws: number;
  changed: number;
  classes: string[];
  figures: EffectFigure[];
  answers: ChangedAnswer[];
}

/** Two analyses by name. */
export interface Analyses {
  a: string;
  b: string;
}

/** A layer of each of two analyses. */
export interface Layers extends Analyses {
  layer_a: string;
  layer_b: string;
}

/** A mean with its 95 % interval. */
export interface Interval {
  mean: number | null;
  low: number | null;
  high: number | null;
}

/** How much of a layer the other knows; `without` are neurons that have no examples. */
export interface Alike extends Interval {
  neurons: number;
  without: number;
}

/** One of two layers: its neurons' labels, and what its analysis has of images. */
export interface Side {
  labels: string[];
  originals: boolean;
  crops: boolean;
}

/** A measure of both layers. */
export interface MeasuredTwice {
  title: string;
  a: Interval;
  b: Interval;
}

/** Two layers side by side; the buffers hold x and y of either's neurons. With `change` neuron for neuron one may be the other after a change of the model. */
export interface Compared {
  forth: Alike;
  back: Alike;
  side_a: Side;
  side_b: Side;
  measures: MeasuredTwice[];
  change: boolean;
}

/** How the neurons of A are matched; `same` compares each with itself. */
export interface Matching extends Layers {
  how: "nearest" | "assigned" | "same";
}

/** By neuron of A its match in B (-1: none), their cosine, and the share of examples kept. */
export interface Matches {
  match: number[];
  similarity: (number | null)[];
  kept: number[];
  changed: boolean[];
}

/** A label with the neuron that fits it best, and how many have it. */
export interface KnownLabel extends Neuron {
  label: string;
  score: number | null;
  neurons: number;
}

/** Labels that one of two analyses has alone, the best known first, and how many each has. */
export interface OnlyLabels {
  a: KnownLabel[];
  b: KnownLabel[];
  total_a: number;
  total_b: number;
  shared: number;
}

/** A neuron at one step: the first of its concept examples there. */
export interface Moment {
  examples: Shown[];
}

/** A neuron at every step, in order. */
export interface Through {
  moments: Moment[];
}

/** The labels of all neurons; the buffers are columns, with one entry for each row. Codes (uint32): layer and source in their lists; neuron, its number; label, what the scorer said and the runner-up in `names`. Numbers (float32): score, margin, chance, lead. Flags (uint8): 1 unsure, 2 changed here, 4 dead. `judged` is whether the lead and runner-up are known. */
export interface Reviewed {
  layers: string[];
  sources: string[];
  names: string[];
  judged: boolean;
}

/** Rows of the neurons. */
export interface Rows {
  rows: number[];
}

/** A label to choose; without a score where it is of another scorer. */
export interface LabelChoice {
  label: string;
  score: number | null;
}

/** What is shown of a neuron in its row: examples, and other labels, best first. */
export interface Offer {
  samples: number[];
  choices: LabelChoice[];
}

/** What is to become of labels; `label` is what is set, and empty otherwise. `accept`: what the scorer said becomes a person's; `reject`: none fits; `clear`: a person's word is taken back. `theirs` says what to do where people gave another. */
export interface GiveLabels extends Rows {
  how: "accept" | "reject" | "set" | "clear";
  label: string;
  theirs: "ask" | "keep" | "replace";
}

/** What has become of labels. `people` counts those that people gave, which were left; with `asked` nothing was changed because of them. `without` counts what else was left: nothing to accept there, or changed since. */
export interface GivenLabels {
  changed: number;
  people: number;
  without: number;
  asked: boolean;
}

/** Whether a step is undone, or done again. */
export interface Back {
  back: boolean;
}

/** What to call the file that the buffer holds. */
export interface LabelFileName {
  name: string;
}

/** A file of labels, in base 64, and what to do where people gave another. */
export interface LabelFileRead {
  data: string;
  theirs: "ask" | "keep" | "replace";
}

/** A node of a trace: what is traced, a kept neuron, or the rest of a layer, of neuron -1. Its share is of the layer's absolute relevance; `drop` is what the target loses without it. */
export interface TraceNode extends Neuron {
  kind: "target" | "neuron" | "error";
  label: string;
  relevance: number | null;
  traced: number | null;
  share: number | null;
  drop: number | null;
  sample: number | null;
}

/** What a lower node gets through an upper one, by their places among the nodes. */
export interface TraceEdge {
  upper: number;
  lower: number;
  relevance: number;
}

/** A rank correlation with the interval in which it lies, at 95 %. */
export interface Agreed {
  value: number;
  low: number;
  high: number;
}

/** What ablation says of a trace: of all neurons, of the nodes; what the target loses. */
export interface Ablated {
  neurons: number;
  agreement: Agreed | null;
  of_nodes: Agreed | null;
  drop: number | null;
  control: number | null;
}

/** A trace: its layers from the target on, with how many neurons they have. */
export interface Traced {
  images: number;
  method: string;
  keep: number;
  top: number;
  layers: string[];
  sizes: Record<string, number>;
  nodes: TraceNode[];
  edges: TraceEdge[];
  ablated: Ablated | null;
}

/** What a node gets through itself from a neuron of the layer below it, kept or not. */
export interface Below extends Neuron {
  label: string;
  relevance: number;
  kept: boolean;
}

/** What is shown of a neuron beside a trace. */
export interface NodeOfTrace {
  facts: Facts;
  examples: Example[];
  below: Below[];
}

/** What to trace: a class by its name, or a neuron. */
export interface ToTrace {
  target: string;
  neuron: Neuron | null;
  keep: number;
}

/** By method: what is asked, and what is answered. */
export interface Questions {
  neuron: { params: Neuron; result: ExamplesOfNeuron };
  clusters: { params: Neuron; result: number[] };
  pairs: { params: Neuron; result: PairsOfNeuron };
  original: { params: Samples; result: Nothing };
  thumbnails: { params: Samples; result: Thumbnails };
  heatmaps: { params: NeuronSamples; result: (HeatmapSaid | Refusal)[] };
  column: { params: ColumnName; result: Legend | Bare };
  labels: { params: Nothing; result: CodedLabels };
  hover: { params: Row; result: Hovered };
  search: { params: Sought; result: Hits };
  scores: { params: NeuronScoring; result: Scores };
  beside: { params: NeuronScoring; result: Beside };
  chance: { params: NeuronScoring; result: [number, number] | null };
  vocabulary: { params: Nothing; result: Vocabulary };
  classes: { params: Nothing; result: string[] };
  audit: { params: AuditMade; result: AuditSaid };
  audit_rows: { params: AuditAt; result: AuditRows };
  decisions: { params: AuditMade; result: Decisions };
  class_images: { params: Neuron; result: ClassImages };
  effects: { params: ChangeAsked; result: EffectsSaid };
  compared: { params: Layers; result: Compared };
  matches: { params: Matching; result: Matches };
  only_labels: { params: Analyses; result: OnlyLabels };
  review: { params: Nothing; result: Reviewed };
  offers: { params: Rows; result: Offer[] };
  label_file: { params: Nothing; result: LabelFileName };
  through: { params: Neuron; result: Through };
  traceable: { params: Nothing; result: string[] };
  traced: { params: Nothing; result: Traced | null };
  node: { params: Neuron; result: NodeOfTrace };
}

/** By method: what is to be done, and what was. */
export interface Actions {
  accept: { params: Accepted; result: Accepted };
  intervals: { params: IntervalsAsked; result: Intervals };
  explain: { params: ExplainAsked; result: Explained };
  preview: { params: SourceAsked; result: Preview };
  label_all: { params: AllScoring; result: LabelledAll };
  make_audit: { params: AuditAsked; result: AuditMade };
  decide: { params: Decide; result: Decided };
  effects_of_all: { params: ChangeAsked; result: EffectsSaid };
  give_labels: { params: GiveLabels; result: GivenLabels };
  step_labels: { params: Back; result: GivenLabels };
  read_labels: { params: LabelFileRead; result: GivenLabels };
  judge_labels: { params: Nothing; result: Nothing };
  trace: { params: ToTrace; result: Nothing };
  verify: { params: Nothing; result: Nothing };
}

/** How many seconds may pass without a sign of life. */
export const LIMITS: Record<keyof Actions, number> = { accept: 30, intervals: 600, explain: 600, preview: 600, label_all: 600, make_audit: 600, decide: 30, effects_of_all: 600, give_labels: 120, step_labels: 120, read_labels: 120, judge_labels: 600, trace: 600, verify: 600 };

/** What is done in a thread of its own, and may be stopped. */
export const LONG: ReadonlySet<string> = new Set(["intervals", "explain", "preview", "label_all"]);
