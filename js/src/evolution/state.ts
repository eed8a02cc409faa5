// What the view knows: the columns of all steps, the step shown, and the neuron looked at.
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { encode, palette } from "../shared/colors";
import type { Mounted } from "../shared/mount";
import type { Rgb, Theme } from "../shared/theme";
import { rowsOfBits, toBits } from "../source/bits";
import { ColumnStore, valueAt, type Embedded, type LabelsTrait } from "../source/columns";
import { followNeuron, followVisibility, type Detail } from "../source/detail";
import type { Legend, Through } from "../source/messages";
import {
  setTrait, setTraitSoon, traitSignal, uint8, type Model, type Neuron,
} from "../source/model";
import type { Source } from "../source/source";
import { createThumbnails, type Thumbnails } from "../source/thumbnails";
import type { Places } from "./places";
import { createPlayer, type Player } from "./player";

/** The traits of `widgets/evolution.py`. */
export interface EvolutionTraits {
  active: Neuron | null;
  step: string;
  color_by: string;
  _steps: string[];
  _layers: string[];
  _columns: { name: string; title: string; kind: "category" | "number"; empty: boolean }[];
  /** Neurons times steps. */
  _count: number;
  _labels: LabelsTrait | null;
  _data: Embedded;
  _notes: string[];
  /** One bit per neuron. */
  _selected: DataView;
  _revision: number;
}

/** A row of all steps as its colour: an index into the palette, and what that means. */
export interface Colors {
  legend: Legend;
  codes: Uint16Array;
  palette: Rgb[];
}

export interface State {
  model: Model<EvolutionTraits>;
  source: Source;
  theme: ReadonlySignal<Theme>;
  steps: ReadonlySignal<string[]>;
  notes: ReadonlySignal<string[]>;
  columns: ReadonlySignal<EvolutionTraits["_columns"]>;
  colorBy: ReadonlySignal<string>;
  store: ColumnStore;
  /** Neurons at each step. */
  neurons: ReadonlySignal<number>;
  /** Index of the step shown. */
  step: ReadonlySignal<number>;
  player: Player;
  places: ReadonlySignal<Places | null>;
  colors: ReadonlySignal<Colors | null>;
  /** The number among the neurons of a step of the one looked at; -1: none, or not known yet. */
  active: ReadonlySignal<number>;
  neuron: ReadonlySignal<Neuron | null>;
  pointed: Signal<number>;
  selection: ReadonlySignal<Uint32Array>;
  detail: Detail<Through>;
  pictures: Thumbnails;
  revision: ReadonlySignal<number>;
  nameOf(neuron: number): Neuron | null;
  labelOf(neuron: number, step: number): string;
  /** A measure; NaN where there is none or it is on its way. */
  valueOf(column: string, neuron: number, step: number): number;
  /** How many neurons are dead at a step. */
  deadAt(step: number): number;
  pick(neuron: number): void;
  toggle(neuron: number): void;
  unselect(): void;
  colorWith(column: string): void;
}

export function createState(
  model: Model<EvolutionTraits>,
  { source, root, theme, onCleanup }: Mounted,
): State {
  const follow = <K extends keyof EvolutionTraits>(key: K): ReadonlySignal<EvolutionTraits[K]> => {
    const [mirror, stop] = traitSignal(model, key);
    onCleanup(stop);
    return mirror;
  };
  const [steps, shown, neuron] = [follow("_steps"), follow("step"), follow("active")];
  const [count, selected, colorBy] = [follow("_count"), follow("_selected"), follow("color_by")];
  const revision = follow("_revision");
  const [visible, stopVisible] = followVisibility(root);
  const store = new ColumnStore(
    { data: follow("_data"), labels: follow("_labels"), revision, count }, source,
  );
  const neurons = computed(() => Math.floor(count.value / Math.max(1, steps.value.length)));
  const step = computed(() => Math.max(0, steps.value.indexOf(shown.value)));
  const player = createPlayer({
    step,
    count: computed(() => steps.value.length),
    write: (to) => setTraitSoon(model, "step", steps.peek()[to]!),
  });
  const places = computed<Places | null>(() => {
    const [x, y] = [store.read("x"), store.read("y")];
    if (!x || !y || x.values.length !== count.value) return null;
    return { x: x.values as Float32Array, y: y.values as Float32Array, neurons: neurons.value };
  });
  const colors = computed<Colors | null>(() => {
    const column = store.read(colorBy.value);
    if (!column?.legend) return null;
    const { legend, values } = column;
    return {
      legend,
      codes: encode(values, legend, count.value),
      palette: palette(legend, theme.value.dark),
    };
  });
  const nameOf = (at: number): Neuron | null => {
    const [layer, index] = [store.read("layer"), store.read("neuron")];
    const name = layer && layer.legend?.names?.[layer.values[at]!];
    return name === undefined || name === null || !index
      ? null
      : { layer: name, neuron: index.values[at]! };
  };
  const active = computed(() => {
    if (!neuron.value) return -1;
    for (let at = 0; at < neurons.value; at++) {
      const name = nameOf(at);
      if (name && name.neuron === neuron.value.neuron && name.layer === neuron.value.layer) return at;
    }
    return -1;
  });
  const selection = computed(() => rowsOfBits(uint8(selected.value), neurons.value));
  const detail = followNeuron({ source, method: "through", active: neuron, visible, revision });
  const pictures = createThumbnails(source);
  for (const stop of [
    stopVisible, player.stop, detail.stop, () => pictures.dispose(), () => store.dispose(),
  ]) {
    onCleanup(stop);
  }
  return {
    model, source, theme, steps, notes: follow("_notes"), columns: follow("_columns"), colorBy,
    store, neurons, step, player, places, colors, active, neuron, selection, detail, pictures,
    revision,
    pointed: signal(-1),
    nameOf,
    labelOf(at, of) {
      const labels = store.readLabels();
      return labels?.names[labels.codes[of * neurons.value + at]!] ?? "";
    },
    valueOf(name, at, of) {
      const column = store.read(name);
      return column ? valueAt(column, of * neurons.value + at) : Number.NaN;
    },
    deadAt(of) {
      const dead = store.read("dead");
      const [from, to] = [of * neurons.value, (of + 1) * neurons.value];
      return dead ? dead.values.slice(from, to).filter((code) => code === 1).length : 0;
    },
    pick: (at) => {
      const name = nameOf(at);
      if (name) setTrait(model, "active", name);
    },
    toggle: (at) => {
      const rows = selection.peek();
      const bits = toBits(neurons.peek(), rows, [at], !rows.includes(at));
      setTrait(model, "_selected", new DataView(bits));
    },
    unselect: () => setTrait(model, "_selected", new DataView(new ArrayBuffer(0))),
    colorWith: (column) => setTrait(model, "color_by", column),
  };
}
