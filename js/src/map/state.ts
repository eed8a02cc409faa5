// What the map shows, as signals over the traits of semlens_widgets/widgets/map.py.
import { batch, computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { fitRows, pointSize, reveal, type Camera, type Size } from "./camera";
import { encode, palette } from "../shared/colors";
import type { Legend } from "../source/messages";
import { ColumnStore, valueAt } from "../source/columns";
import { passing, toggled, without } from "./filter";
import type { Labels } from "../source/columns";
import {
  binned, emphasise, faint, isShown, mixedOrder, opacityTable, readHits, sizeTable, small,
} from "./emphasis";
import type { MapTraits } from "./traits";
import { float32, setTrait, traitSignal, uint8, type Cleanup, type Model, type Neuron } from "../source/model";
import type { Source } from "../source/source";
import { neuronName, polesOf } from "../source/neuron";
import { GridIndex } from "./spatial";
import { rowsOfBits, toBits } from "../source/bits";
import type { Theme } from "../shared/theme";

const NO_BYTES = new Float32Array(0);
const noBytes = () => new DataView(new ArrayBuffer(0));

export class MapState {
  private readonly cleanups: Cleanup[] = [];

  readonly height = this.trait("height");
  readonly revision = this.trait("_revision");
  readonly columns = this.trait("_columns");
  readonly colorBy = this.trait("color_by");
  readonly sizeBy = this.trait("size_by");
  readonly opacityBy = this.trait("opacity_by");
  readonly filter = this.trait("filter");
  readonly contours = this.trait("contours");
  readonly regionLabels = this.trait("region_labels");
  readonly tool = this.trait("tool");
  readonly layers = this.trait("_layers");
  readonly count = this.trait("_count");
  readonly said = this.trait("_said");
  private readonly givenLabels = this.trait("_labels");
  readonly store = new ColumnStore({
    data: this.trait("_data"), labels: this.givenLabels, revision: this.revision, count: this.count,
  }, this.source);

  readonly x = this.place("x");
  readonly y = this.place("y");
  /** Whether the places have come. */
  readonly ready = computed(() => {
    const [x, y] = [this.x.value, this.y.value]; // both, so that both are asked for at once
    return x.length === this.count.value && y.length === this.count.value;
  });
  readonly placed = computed(() => this.x.value.some(Number.isFinite));
  private readonly layerOf = computed(() => this.store.read("layer"));
  private readonly indexOf = computed(() => this.store.read("neuron")?.values ?? NO_BYTES);
  readonly grid = computed(() => new GridIndex(this.x.value, this.y.value));
  readonly labels = computed<Labels | null>(() => {
    const some = this.givenLabels.value !== null || this.hasColumn("label");
    return some ? this.store.readLabels() : null;
  });
  /** 1 for each row whose label fits no better than random words do; null: for none. */
  readonly unsure = computed(() => {
    const unsure = this.hasColumn("chance") ? this.store.read("unsure")?.values : null;
    return unsure?.includes(1) ? unsure : null;
  });
  /** The labels that may stand on the map. */
  readonly sureLabels = computed<Labels | null>(() => {
    const [labels, unsure] = [this.labels.value, this.unsure.value];
    if (!labels || !unsure) return labels;
    const none = labels.names.length;
    const codes = labels.codes.map((code, row) => (unsure[row] ? none : code));
    return { names: [...labels.names, ""], codes };
  });

  /** The column that colours; the one before, until it has come. */
  private readonly coloring = computed<{ name: string; column: ReturnType<ColumnStore["read"]> }>(
    () => {
      const name = this.colorBy.value;
      const column = this.store.read(name);
      if (column?.legend) this.lastColors = { name, column };
      return this.lastColors;
    },
  );
  private lastColors: { name: string; column: ReturnType<ColumnStore["read"]> } =
    { name: "", column: null };
  readonly legend = computed<Legend | null>(() => this.coloring.value.column?.legend ?? null);
  /** The colours asked for have not come yet. */
  readonly recoloring = computed(() => this.coloring.value.name !== this.colorBy.value);

  private readonly highlight = this.bytes("highlight", float32);
  private readonly hits = computed(() => readHits(this.highlight.value, this.count.value));
  readonly ranked = computed(() => this.hits.value.ranked);
  private readonly bits = this.bytes("_selected", uint8);
  readonly selection = computed(() => rowsOfBits(this.bits.value, this.count.value));

  private readonly active = this.trait("active");
  readonly activeRow = computed(() => this.rowOf(this.active.value));

  readonly searchBox = this.trait("_search_box");

  readonly hover = signal(-1);
  /** What the keyboard does, for those who do not see it. */
  readonly spoken = signal("");
  /** A neuron pointed at elsewhere, in a list of neurons for example. */
  readonly mark = signal<Neuron | null>(null);
  readonly markedRow = computed(() => this.rowOf(this.mark.value));
  readonly size = signal<Size>({ width: 0, height: 0 });
  /** The camera that shows every neuron. */
  readonly home = computed(() => fitRows(this.x.value, this.y.value, this.size.value, null));
  private readonly moved = signal<Camera | null>(null);
  /** Where one looks: home, and following the size, until somebody moves. */
  readonly camera = computed(() => this.moved.value ?? this.home.value);

  readonly palette = computed(() => {
    const legend = this.legend.value;
    const { dark } = this.theme.value;
    return palette(legend ?? { name: "", title: "", kind: "category", missing: 0 }, dark);
  });
  readonly color = computed(() => {
    const { column } = this.coloring.value;
    const count = this.count.value;
    if (!column?.legend) return new Uint16Array(count);
    return encode(column.values, column.legend, count);
  });
  private readonly mixed = computed(() => mixedOrder(this.count.value));
  /** What the filter lets through; null: everything. */
  readonly shown = computed(() =>
    passing(this.filter.value, (name) => this.store.read(name), this.count.value));
  readonly shownCount = computed(() => {
    const shown = this.shown.value;
    if (!shown) return this.count.value;
    let total = 0;
    for (const one of shown) total += one;
    return total;
  });
  /**
   * How many neurons have each colour, among those that the filters of other columns let through;
   * the last number is of those without a value.
   */
  readonly colorCounts = computed(() => {
    const legend = this.legend.value;
    const counts = new Uint32Array(this.palette.value.length);
    if (!legend) return counts;
    const others = without(this.filter.value, legend.name);
    const shown = passing(others, (name) => this.store.read(name), this.count.value);
    const colors = this.color.value;
    for (let row = 0; row < colors.length; row++) if (!shown || shown[row]) counts[colors[row]!]!++;
    return counts;
  });
  /** How many of the neurons that are shown have an unsure label, where the colours are of labels. */
  readonly unsureCount = computed(() => {
    const [unsure, shown] = [this.doubted.value, this.shown.value];
    let total = 0;
    unsure?.forEach((one, row) => {
      if (one && (!shown || shown[row])) total++;
    });
    return total;
  });
  /** The rows drawn as unsure: where the colours tell labels or their scores. */
  private readonly doubted = computed(() =>
    ["label", "score"].includes(this.legend.value?.name ?? "") ? this.unsure.value : null);
  private readonly sizeBins = computed(() => {
    const [sizes, unsure] = [this.bins(this.sizeBy.value), this.unsure.value];
    return sizes && unsure && this.sizeBy.value === "score" ? small(unsure, sizes) : sizes;
  });
  private readonly opacityBins = computed(() => {
    const [opacities, unsure] = [this.bins(this.opacityBy.value), this.doubted.value];
    return unsure ? faint(unsure, opacities) : opacities;
  });
  readonly emphasis = computed(() =>
    emphasise(this.mixed.value, {
      hits: this.hits.value,
      selection: this.selection.value,
      shown: this.shown.value,
      sizes: this.sizeBins.value,
      opacities: this.opacityBins.value,
    }));
  private readonly sizeFactors = computed(() => sizeTable(this.sizeBins.value !== null));
  private readonly ordinary = computed(() =>
    Math.round(8 * pointSize(this.count.value, this.camera.value, this.size.value)) / 8);
  /** Diameters and opacities by emphasis code. */
  readonly sizes = computed(() => {
    const ordinary = this.ordinary.value;
    return this.sizeFactors.value.map((factor) => factor * ordinary);
  });
  readonly opacities = computed(() =>
    opacityTable(this.count.value, this.opacityBins.value !== null, this.theme.value.contrast));

  constructor(
    private readonly model: Model<MapTraits>,
    private readonly source: Source,
    readonly theme: ReadonlySignal<Theme>,
  ) {
    this.cleanups.push(
      effect(() => void this.labels.value),
      effect(() => {
        // Asked for after what is drawn: they name what is pointed at.
        if (this.ready.value && this.coloring.value.column) void this.indexOf.value;
      }),
    );
  }

  dispose(): void {
    for (const cleanup of this.cleanups) cleanup();
    this.store.dispose();
  }

  nameOf(row: number): string {
    const neuron = this.neuronOf(row);
    return neuron ? neuronName(neuron, polesOf(this.model)) : "… / …";
  }

  labelOf(row: number): string {
    const labels = this.labels.value;
    return labels?.names[labels.codes[row]!] ?? "";
  }

  rankOf(row: number): number {
    return this.hits.value.scores.has(row) ? this.ranked.value.indexOf(row) + 1 : 0;
  }

  scoreOf(row: number): number {
    return this.hits.value.scores.get(row) ?? Number.NaN;
  }

  /** The number or category code that gives a row its colour. */
  valueOf(row: number): number {
    const { column } = this.coloring.value;
    return column ? valueAt(column, row) : Number.NaN;
  }

  colorOf(row: number) {
    return this.palette.value[this.color.value[row]!] ?? this.palette.value.at(-1)!;
  }

  isShown(row: number): boolean {
    return isShown(this.emphasis.value.level[row]!);
  }

  titleOf(name: string): string {
    return this.columns.value.find((column) => column.name === name)?.title ?? name;
  }

  neuronOf(row: number): Neuron | null {
    if (row < 0) return null;
    const layer = this.layers.value[this.layerOf.value?.values[row] ?? -1];
    const neuron = this.indexOf.value[row];
    return layer === undefined || neuron === undefined ? null : { layer, neuron };
  }

  choose = ({ layer, neuron }: Neuron): void => setTrait(this.model, "active", { layer, neuron });

  pick(row: number): void {
    const neuron = this.neuronOf(row);
    if (neuron) this.choose(neuron);
  }

  /** Select these rows, or add them to those selected, or take them out. */
  select(rows: ArrayLike<number>, how: "replace" | "add" | "remove" = "replace"): void {
    const count = this.count.value;
    const before = how === "replace" ? [] : this.selection.value;
    setTrait(this.model, "_selected", new DataView(toBits(count, before, rows, how !== "remove")));
  }

  clearSelection = (): void => setTrait(this.model, "_selected", noBytes());
  setHighlight = (scores: DataView | null): void =>
    setTrait(this.model, "highlight", scores ?? noBytes());
  set = <K extends "color_by" | "size_by" | "opacity_by" | "contours" | "region_labels" | "tool">(
    name: K,
    value: MapTraits[K],
  ): void => setTrait(this.model, name, value);
  /** Give up waiting for colours: back to those that are shown. */
  keepColors = (): void => this.set("color_by", this.legend.value?.name ?? this.colorBy.value);

  toggle = (column: string, name: string): void =>
    setTrait(this.model, "filter", toggled(this.filter.value, column, name));
  /** Null is an open bound. */
  within = (column: string, low: number | null, high: number | null): void =>
    setTrait(this.model, "filter", { ...this.filter.value, [column]: [low, high] });
  unfilterAll = (): void => setTrait(this.model, "filter", {});
  unfilter = (column: string): void =>
    setTrait(this.model, "filter", without(this.filter.value, column));

  fit = (): void => {
    const { ranked, selection } = this;
    // What stands out first, everything second.
    const rows = selection.value.length > 0 ? selection.value : ranked.value;
    const { x, y, size, moved } = this;
    const near = rows.length > 1 ? fitRows(x.value, y.value, size.value, rows) : null;
    const there = JSON.stringify(moved.value) === JSON.stringify(near);
    moved.value = there ? null : near;
  };

  hasPlace(row: number): boolean {
    return Number.isFinite(this.x.value[row]! + this.y.value[row]!);
  }

  hasColumn(name: string): boolean {
    return this.columns.value.some((column) => column.name === name);
  }

  /** Whether a neuron's label fits it no better than random words do. */
  isUnsure(row: number): boolean {
    return this.unsure.value?.[row] === 1;
  }

  /** Whether a hit's score is no better than chance. */
  isChance = (row: number): boolean => this.hits.value.unsure.has(row);

  look(camera: Camera | null): void {
    this.moved.value = camera;
  }

  /** Go through the neurons that stand out, or all that are shown, in order. */
  step(by: 1 | -1): void {
    const { ranked, selection } = this;
    const among = ranked.value.length > 0 ? ranked.value : selection.value;
    const length = among.length || this.count.value;
    if (length === 0) return;
    const here = this.activeRow.value;
    let position = among.length ? among.indexOf(here) : here;
    let row = -1;
    for (let tried = 0; tried < length && (row < 0 || !this.isShown(row)); tried++) {
      position = position < 0 ? (by > 0 ? 0 : length - 1) : (position + by + length) % length;
      row = among.length ? among[position]! : position;
    }
    if (row < 0 || !this.isShown(row)) return;
    batch(() => {
      this.pick(row);
      this.hover.value = this.hasPlace(row) ? row : -1;
      this.look(
        reveal(this.camera.value, this.size.value, this.x.value[row]!, this.y.value[row]!),
      );
    });
  }

  private rowOf(neuron: Neuron | null): number {
    const layers = neuron && this.layerOf.value?.values;
    if (!layers) return -1;
    const layer = this.layers.value.indexOf(neuron.layer);
    const indices = this.indexOf.value;
    for (let row = indices.indexOf(neuron.neuron); row >= 0;) {
      if (layers[row] === layer) return row;
      row = indices.indexOf(neuron.neuron, row + 1);
    }
    return -1;
  }

  private bins(name: string | null): Uint8Array | null {
    const column = name === null ? null : this.store.read(name);
    if (column?.legend?.kind !== "number") return null;
    return binned(column.values, column.legend.min ?? 0, column.legend.max ?? 1);
  }

  private place(name: string): ReadonlySignal<Float32Array> {
    return computed(() => (this.store.read(name)?.values as Float32Array | undefined) ?? NO_BYTES);
  }

  private trait<K extends keyof MapTraits>(name: K): ReadonlySignal<MapTraits[K]> {
    const [mirror, stop] = traitSignal(this.model, name);
    this.cleanups.push(stop);
    return mirror;
  }

  private bytes<K extends keyof MapTraits, T>(
    name: K,
    read: (bytes: MapTraits[K] & DataView) => T,
  ): ReadonlySignal<T> {
    const mirror = this.trait(name);
    return computed(() => read(mirror.value as MapTraits[K] & DataView));
  }
}
