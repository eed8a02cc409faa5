// The labels as a table: looked through, and accepted, rejected and edited many at once.
import { computed, effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useMemo, useState } from "preact/hooks";
import { Failure, Late } from "../shared/controls";
import { hearMark, tellPointed } from "../shared/links";
import { mount, type Mounted } from "../shared/mount";
import { keepSteps } from "../shared/step-keys";
import { followAnswer, type Answer } from "../source/answer";
import { rowsOfBits, toBits } from "../source/bits";
import { followVisibility } from "../source/detail";
import type { Reviewed } from "../source/messages";
import { setTrait, traitSignal, uint8, type Model, type Neuron, type RenderContext } from "../source/model";
import { sameNeuron } from "../source/neuron";
import type { Source } from "../source/source";
import { createThumbnails, type Thumbnails } from "../source/thumbnails";
import { Bar, Told } from "./bar";
import { Head } from "./head";
import { arrange, readLabels, type Labels, type Row, type Shown, type Sorting } from "./labels";
import { createOffers, offerKey, type Offers } from "./offers";
import { Table } from "./table";
import { createWork, type Work } from "./work";
import "../neuron/panel.css";
import "./review.css";

/** The traits of `widgets/review.py`. */
export interface ReviewTraits {
  active: Neuron | null;
  layer: string | null;
  show: Shown;
  sort_by: Sorting;
  _selected: DataView;
  _undo: string;
  _redo: string;
  _revision: number;
}

interface ReviewProps {
  model: Model<ReviewTraits>;
  source: Source;
  answer: Answer<Reviewed>;
  labels: ReadonlySignal<Labels | null>;
  selected: ReadonlySignal<ReadonlySet<number>>;
  traits: { [K in keyof ReviewTraits]: ReadonlySignal<ReviewTraits[K]> };
  pointed: Signal<Neuron | null>;
  work: Work;
  offers: Offers;
  thumbnails: Thumbnails;
}

function Review(props: ReviewProps) {
  const { source, answer, labels } = props;
  const state = answer.resource.value;
  const failure = state.state === "error" && <Failure error={state.error} retry={answer.reload} />;
  return (
    <div class="slw-panel">
      <Late source={source} />
      {failure}
      {labels.value ? <Loaded {...props} labels={labels.value} /> : !failure && (
        <div class="slw-review-awaited slw-skeleton" role="status" aria-label="Loading the labels" />
      )}
    </div>
  );
}

function Loaded(props: Omit<ReviewProps, "labels"> & { labels: Labels }) {
  const { model, source, labels, traits, work, pointed, offers, thumbnails } = props;
  const changes = source.can("give_labels");
  const [text, setText] = useState("");
  const [layer, show, sorting] = [traits.layer.value, traits.show.value, traits.sort_by.value];
  const selected = props.selected.value;
  const rows = useMemo(
    () => arrange(labels, { layer, show, sorting, text }, selected),
    [labels, layer, show, sorting, text, show === "selected" && selected],
  );
  const listed = useMemo(() => new Set(rows.map(({ row }) => row)), [rows]);
  const hidden = [...selected].filter((row) => !listed.has(row)).length;
  const select = (chosen: ReadonlySet<number>) =>
    setTrait(model, "_selected", new DataView(toBits(labels.count, [], [...chosen], true)));
  const command = (key: string, row: Row): boolean => {
    if (!changes) return false;
    const all = selected.has(row.row) ? [...selected] : [row.row];
    const how = ({ a: "accept", r: "reject", u: "clear", backspace: "clear" } as const)[key.toLowerCase()];
    if (how) {
      work.give(how, all);
      return true;
    }
    const offer = /^[1-9]$/.test(key) ? offers.resource(offerKey(row)).peek() : null;
    const choice = offer?.state === "ready" ? offer.value.choices[Number(key) - 1] : undefined;
    if (choice) work.give("set", all, choice.label);
    return choice !== undefined;
  };
  return (
    <>
      <Head
        labels={labels}
        layer={layer}
        setLayer={(name) => setTrait(model, "layer", name)}
        show={show}
        setShow={(which) => setTrait(model, "show", which)}
        text={text}
        setText={setText}
        listed={rows.length}
        work={work}
        changes={changes}
        judges={source.can("judge_labels")}
      />
      {changes && <Bar
        work={work}
        selected={[...selected]}
        hidden={hidden}
        undoes={traits._undo.value}
        redoes={traits._redo.value}
      />}
      <Told work={work} />
      <Table
        rows={rows}
        labels={labels}
        sorting={sorting}
        sort={(by) => setTrait(model, "sort_by", by)}
        active={traits.active.value}
        activate={({ layer, neuron }) => setTrait(model, "active", { layer, neuron })}
        selected={selected}
        select={select}
        changes={changes}
        command={command}
        pointed={pointed.value}
        point={(neuron) => {
          if (!sameNeuron(neuron, pointed.peek())) pointed.value = neuron;
        }}
        offers={offers}
        thumbnails={thumbnails}
        accept={({ row }) => work.give("accept", [row])}
        reject={({ row }) => work.give("reject", [row])}
        choose={({ row }, label) => work.give("set", [row], label)}
        keep={({ row }, label) => work.give("set", [row], label)}
      />
      {rows.length === 0 && <div class="slw-state">No neuron is like that.</div>}
      <p class="slw-small slw-muted slw-review-keys">
        {changes ? (
          <>
            On a row: <kbd>a</kbd> accept, <kbd>r</kbd> reject, <kbd>e</kbd> edit, <kbd>1</kbd>–<kbd>5</kbd> another
            label, <kbd>u</kbd> take back, <kbd>Space</kbd> select
          </>
        ) : "Labels are changed in the notebook."}
      </p>
    </>
  );
}

/** Have the browser save a file. */
function save(name: string, bytes: DataView): void {
  const address = URL.createObjectURL(new Blob([uint8(bytes)], { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000); // once it has been read
}

function start(model: Model<ReviewTraits>, { source, root, onCleanup }: Mounted): ReviewProps {
  const follow = <K extends keyof ReviewTraits & string>(key: K) => {
    const [mirror, stop] = traitSignal(model, key);
    onCleanup(stop);
    return mirror;
  };
  const traits = {
    active: follow("active"), layer: follow("layer"), show: follow("show"), sort_by: follow("sort_by"),
    _selected: follow("_selected"), _undo: follow("_undo"), _redo: follow("_redo"),
    _revision: follow("_revision"),
  };
  const [visible, stopVisible] = followVisibility(root);
  const answer = followAnswer({
    source, method: "review", params: signal({}), version: traits._revision, visible,
  });
  const labels = computed(() => answer.last.value && readLabels(answer.last.value, answer.buffers.value));
  const selected = computed(
    () => new Set(rowsOfBits(uint8(traits._selected.value), labels.value?.count ?? 0)),
  );
  const thumbnails = createThumbnails(source);
  const offers = createOffers(source);
  const work = createWork(source, save);
  for (const stop of [
    stopVisible, answer.stop, () => thumbnails.dispose(), () => offers.dispose(), keepSteps(root, work),
  ]) onCleanup(stop);

  const pointed = signal<Neuron | null>(null);
  let marking = false;
  onCleanup(effect(() => {
    const neuron = pointed.value;
    if (!marking) tellPointed(root, neuron);
  }));
  onCleanup(hearMark(root, (neuron) => {
    marking = true;
    pointed.value = neuron;
    marking = false;
  }));
  return { model, source, answer, labels, selected, traits, pointed, work, offers, thumbnails };
}

export const render = (context: RenderContext<ReviewTraits>) =>
  mount(context, "slw-review", (mounted) => <Review {...start(context.model, mounted)} />);
