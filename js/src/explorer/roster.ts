// The table of neurons as the map's model holds it, read by the explorer without the kernel.
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { ColumnStore, valueAt, type LabelsTrait, type Embedded } from "../source/columns";
import { passing, type Filter } from "../map/filter";
import type { Hit } from "../source/messages";
import { traitSignal, uint8, type Cleanup, type Model, type Neuron } from "../source/model";
import { KernelSource } from "../source/kernel-source";
import { rowsOfBits } from "../source/bits";
import type { Measure } from "../neuron/measures";

/** The traits of the map that are read here. */
interface TableTraits {
  _count: number;
  _labels: LabelsTrait | null;
  _data: Embedded;
  _selected: DataView;
  _columns: { name: string }[];
  _revision: number;
  filter: Filter;
}

/** The most neurons of a selection that are listed one by one. */
const LISTED = 200;
const MEASURES = ["clarity", "polysemanticity", "redundancy", "firing_rate", "max"];

export interface Roster {
  /** Where a neuron stands among those of its layer. */
  measures(neuron: Neuron): Measure[];
  /** How many neurons are selected on the map, and the first of them. */
  selected: ReadonlySignal<{ count: number; hits: Hit[] }>;
  /** Whether the map's filter lets a neuron through. */
  passes(neuron: Neuron): boolean;
  /** The label a neuron has now; null where that is not known. */
  labelOf(neuron: Neuron): string | null;
  /** Why a part of the table is missing, until it is asked for again. */
  failure: ReadonlySignal<Error | null>;
  retry: () => void;
  stop: Cleanup;
}

export function readRoster(model: Model<any>): Roster {
  const table = model as Model<TableTraits>;
  const stops: Cleanup[] = [];
  const follow = <K extends keyof TableTraits & string>(name: K) => {
    const [mirror, stop] = traitSignal(table, name);
    stops.push(stop);
    return mirror;
  };
  const source = new KernelSource(table);
  const count = follow("_count");
  const columns = new ColumnStore(
    { data: follow("_data"), labels: follow("_labels"), revision: follow("_revision"), count }, source,
  );
  const [bits, filter, infos] = [follow("_selected"), follow("filter"), follow("_columns")];
  const labelAt = (row: number): string | null => {
    const labels = columns.readLabels();
    return labels ? labels.names[labels.codes[row]!] ?? "" : null;
  };

  const layers = computed(() => columns.read("layer"));
  const indices = computed(() => columns.read("neuron")?.values ?? null);
  /** By layer, the row of each neuron. */
  const rows = computed(() => {
    const found = new Map<string, Map<number, number>>();
    const [layer, index] = [layers.value, indices.value];
    if (!layer?.legend?.names || !index) return found;
    for (let row = 0; row < count.value; row++) {
      const name = layer.legend.names[valueAt(layer, row)] ?? "";
      let own = found.get(name);
      if (!own) found.set(name, (own = new Map()));
      own.set(index[row]!, row);
    }
    return found;
  });
  const shown = computed(() => passing(filter.value ?? {}, (name) => columns.read(name), count.value));
  const selected = computed(() => {
    const chosen = rowsOfBits(uint8(bits.value), count.value);
    const [layer, index] = [layers.value, indices.value];
    if (chosen.length === 0 || !layer?.legend?.names || !index) {
      return { count: chosen.length, hits: [] };
    }
    const hits = [...chosen.subarray(0, LISTED)].map((row) => ({
      layer: layer.legend!.names![valueAt(layer, row)] ?? "",
      neuron: index[row]!,
      label: labelAt(row) ?? "",
      score: null,
      chance: null,
    }));
    return { count: chosen.length, hits };
  });

  return {
    selected,
    measures(neuron) {
      const own = rows.value.get(neuron.layer);
      const row = own?.get(neuron.neuron);
      if (!own || row === undefined) return [];
      const there = MEASURES.filter((name) => infos.value?.some((info) => info.name === name) ?? true);
      return there.flatMap((name) => {
        const column = columns.read(name);
        const value = column ? valueAt(column, row) : Number.NaN;
        if (!column || !Number.isFinite(value)) return [];
        let [below, all] = [0, 0];
        for (const other of own.values()) {
          const theirs = valueAt(column, other);
          if (!Number.isFinite(theirs)) continue;
          all++;
          if (theirs < value) below++;
        }
        return [{ name, title: column.legend?.title ?? name, value, share: below / Math.max(1, all - 1) }];
      });
    },
    passes(neuron) {
      const row = rows.value.get(neuron.layer)?.get(neuron.neuron);
      return row === undefined || !shown.value || shown.value[row] === 1;
    },
    labelOf(neuron) {
      const row = rows.value.get(neuron.layer)?.get(neuron.neuron);
      return row === undefined ? null : labelAt(row);
    },
    failure: columns.failure,
    retry: columns.retry,
    stop() {
      columns.dispose();
      source.dispose();
      for (const stop of stops) stop();
    },
  };
}

/** While the map's model is not there yet. */
export const NO_ROSTER: Roster = {
  selected: signal({ count: 0, hits: [] }),
  measures: () => [],
  passes: () => true,
  labelOf: () => null,
  failure: signal(null),
  retry: () => {},
  stop: () => {},
};
