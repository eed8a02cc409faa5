// What the view knows: which layers are compared, their matches, and the pair that is looked at.
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Mounted } from "../shared/mount";
import { followNeuron, followVisibility, type Detail } from "../source/detail";
import type { Compared, ExamplesOfNeuron, Layers, Matches } from "../source/messages";
import { float32, traitSignal, type Model, type Neuron } from "../source/model";
import { createPictures, type Pictures } from "../source/pictures";
import type { Source } from "../source/source";
import { createThumbnails } from "../source/thumbnails";
import { followAnswer, type Asked } from "./asked";
import { other, rowsOf, sideOf, type Matching, type Row, type Show, type Which } from "./rows";
import type { Places, Spot } from "./spots";

/** The traits of `widgets/compare.py`. */
export interface CompareTraits {
  a: string;
  b: string;
  layer_a: string;
  layer_b: string;
  mode: "overlay" | "split";
  matching: Matching;
  show: Show;
  active: Neuron | null;
  _analyses: { name: string; layers: string[] }[];
  _revision: number;
}

/** One of the two layers. */
export interface Side extends Places {
  /** Of the analysis. */
  name: string;
  /** As the kernel calls the layer, with the analysis' name. */
  layer: string;
  labels: string[];
  originals: boolean;
  crops: boolean;
}

/** What is known once the kernel has answered. */
export interface Known {
  sides: Record<Which, Side>;
  compared: Compared;
}

/** Two neurons side by side; null where one is not known yet, or is none. */
export interface Pair {
  neurons: Record<Which, number | null>;
  /** Undefined while the match is not known. */
  row: Row | undefined;
}

export interface State {
  model: Model<CompareTraits>;
  source: Source;
  analyses: ReadonlySignal<CompareTraits["_analyses"]>;
  chosen: ReadonlySignal<Layers | null>;
  mode: ReadonlySignal<CompareTraits["mode"]>;
  matching: ReadonlySignal<Matching>;
  /** What is listed, as far as the two analyses allow. */
  show: ReadonlySignal<Show>;
  answer: Asked<"compared">;
  known: ReadonlySignal<Known | null>;
  onlyLabels: Asked<"only_labels">;
  /** By the side whose neurons are matched. */
  matched: Record<Which, Asked<"matches">>;
  rows: Record<Which, ReadonlySignal<Row[] | null>>;
  active: ReadonlySignal<Spot | null>;
  pair: ReadonlySignal<Pair | null>;
  detail: Record<Which, Detail<ExamplesOfNeuron>>;
  neuron: Record<Which, ReadonlySignal<Neuron | null>>;
  pictures: Pictures;
  pointed: Signal<Spot | null>;
  /** The neurons that the list shows; null: all. */
  listed: Signal<ReadonlySet<number> | null>;
  pick(spot: Spot): void;
  /** Another analysis or layer on a side; what is chosen on the other already changes places. */
  choose(side: Which, name: string, layer?: string): void;
  swap(): void;
  /** Go to a neuron of any layer of a side. */
  visit(side: Which, layer: string, neuron: number): void;
}

export function createState(model: Model<CompareTraits>, { source, root, onCleanup }: Mounted): State {
  const follow = <K extends keyof CompareTraits>(key: K): ReadonlySignal<CompareTraits[K]> => {
    const [mirror, stop] = traitSignal(model, key);
    onCleanup(stop);
    return mirror;
  };
  const [a, b, layerA, layerB] = [follow("a"), follow("b"), follow("layer_a"), follow("layer_b")];
  const [matching, wanted, trait] = [follow("matching"), follow("show"), follow("active")];
  const [analyses, revision] = [follow("_analyses"), follow("_revision")];
  const [visible, stopVisible] = followVisibility(root);
  onCleanup(stopVisible);

  const layersOf = (name: string) => analyses.value.find((one) => one.name === name)?.layers ?? [];
  // An analysis and its layer may come one after the other.
  const chosen = computed<Layers | null>(() => {
    const fits = layersOf(a.value).includes(layerA.value) && layersOf(b.value).includes(layerB.value);
    return fits && a.value !== b.value
      ? { a: a.value, layer_a: layerA.value, b: b.value, layer_b: layerB.value }
      : null;
  });
  const seen = computed(() => (visible.value ? chosen.value : null));
  const ask = { source, revision };
  const answer = followAnswer({ ...ask, method: "compared", params: seen });
  const onlyLabels = followAnswer({
    ...ask,
    method: "only_labels",
    params: computed(() => seen.value && { a: seen.value.a, b: seen.value.b }),
  });
  const known = computed<Known | null>(() => {
    const found = answer.resource.value;
    const layers = chosen.value;
    if (found.state !== "ready" || !layers) return null;
    const { result: compared, buffers } = found.value;
    const [xa, ya, xb, yb] = buffers.map(float32);
    const { side_a, side_b } = compared;
    const sides = {
      a: { ...side_a, name: layers.a, layer: `${layers.a}/${layers.layer_a}`, x: xa!, y: ya! },
      b: { ...side_b, name: layers.b, layer: `${layers.b}/${layers.layer_b}`, x: xb!, y: yb! },
    };
    return { sides, compared };
  });
  const show = computed<Show>(() =>
    wanted.value === "changes" && known.value && !known.value.compared.change
      ? "matches"
      : wanted.value);

  const active = computed<Spot | null>(() => {
    const neuron = trait.value;
    if (!neuron || !chosen.value) return null;
    const { a, layer_a, b, layer_b } = chosen.value;
    if (neuron.layer === `${a}/${layer_a}`) return { side: "a", neuron: neuron.neuron };
    if (neuron.layer === `${b}/${layer_b}`) return { side: "b", neuron: neuron.neuron };
    return null;
  });
  const how = computed(() =>
    show.value === "changes" ? "same" : show.value === "matches" ? matching.value : "nearest");
  // Only the way that is listed, and that of the neuron looked at.
  const matches = (side: Which) => followAnswer({
    ...ask,
    method: "matches",
    params: computed(() => {
      if (!seen.value || !known.value) return null;
      if (sideOf(show.value) !== side && active.value?.side !== side) return null;
      const { a, layer_a, b, layer_b } = seen.value;
      return side === "a"
        ? { ...seen.value, how: how.value }
        : { a: b, layer_a: layer_b, b: a, layer_b: layer_a, how: how.value };
    }),
  });
  const matched = { a: matches("a"), b: matches("b") };
  const found = (side: Which) => computed<Matches | null>(() => {
    const { resource } = matched[side];
    return resource.value.state === "ready" ? resource.value.value.result : null;
  });
  const answers = { a: found("a"), b: found("b") };
  const listing = (side: Which) => computed(() => {
    const all = answers[side].value;
    return all && rowsOf(all);
  });
  const rows = { a: listing("a"), b: listing("b") };

  const pair = computed<Pair | null>(() => {
    const spot = active.value;
    if (!spot) return null;
    const all = answers[spot.side].value;
    const row = all
      ? rowsOf({ ...all, changed: [] })[spot.neuron]
      : undefined;
    const match = row && row.match >= 0 ? row.match : null;
    const { side, neuron } = spot;
    return { neurons: { [side]: neuron, [other(side)]: match } as Pair["neurons"], row };
  });
  const neuronOf = (side: Which) => computed<Neuron | null>(() => {
    const at = pair.value?.neurons[side] ?? null;
    const layers = chosen.value;
    if (at === null || !layers) return null;
    const layer = side === "a" ? `${layers.a}/${layers.layer_a}` : `${layers.b}/${layers.layer_b}`;
    return { layer, neuron: at };
  });
  const neuron = { a: neuronOf("a"), b: neuronOf("b") };
  const detailOf = (side: Which) => followNeuron({
    source, method: "neuron", active: neuron[side], visible, revision, key: `neuron ${side}`,
  });
  const detail = { a: detailOf("a"), b: detailOf("b") };
  const thumbnails = createThumbnails(source);
  const pictures = createPictures(source, thumbnails);
  for (const one of [answer, onlyLabels, matched.a, matched.b, detail.a, detail.b]) {
    onCleanup(one.stop);
  }
  onCleanup(() => pictures.dispose());
  onCleanup(() => thumbnails.dispose());

  const write = (traits: Partial<CompareTraits>) => {
    for (const [key, value] of Object.entries(traits)) {
      model.set(key as keyof CompareTraits, value as never);
    }
    model.save_changes();
  };
  const swap = () => write({
    a: b.peek(), layer_a: layerB.peek(), b: a.peek(), layer_b: layerA.peek(),
  });
  const state: State = {
    model, source, analyses, chosen, mode: follow("mode"), matching, show, answer, known,
    onlyLabels, matched, rows, active, pair, detail, neuron, pictures,
    pointed: signal<Spot | null>(null),
    listed: signal<ReadonlySet<number> | null>(null),
    pick: (spot) => {
      const side = known.peek()?.sides[spot.side];
      if (side) write({ active: { layer: side.layer, neuron: spot.neuron } });
    },
    choose(side, name, layer) {
      if (name === (side === "a" ? b : a).peek()) return swap();
      const layers = layersOf(name);
      const now = (side === "a" ? layerA : layerB).peek();
      const to = layer ?? (layers.includes(now) ? now : layers.at(-1)!);
      write(side === "a"
        ? { a: name, layer_a: to, active: null }
        : { b: name, layer_b: to, active: null });
    },
    swap,
    visit(side, layer, at) {
      const name = (side === "a" ? a : b).peek();
      const own = layer.slice(name.length + 1);
      write({
        [side === "a" ? "layer_a" : "layer_b"]: own,
        active: { layer, neuron: at },
      });
    },
  };
  return state;
}
