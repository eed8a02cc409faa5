// What the map shows, as signals over the traits of semlens_widgets/widgets/map.py.
import { batch, computed, effect, signal, type ReadonlySignal } from "@preact/signals";
import { fitRows, reveal, type Camera, type Size } from "./camera";
import { encode, palette, type Legend } from "./colors";
import { emphasise, mixedOrder, rankRows } from "./look";
import { float32, setTrait, traitSignal, uint32, type Cleanup, type Model, type Neuron } from "./model";
import { isAbort, type Rpc } from "./rpc";
import { GridIndex } from "./spatial";
import type { Theme } from "./theme";

export interface Column {
  name: string;
  title: string;
  /** Nothing to colour by yet. */
  empty: boolean;
}

export interface MapTraits {
  active: Neuron | null;
  selection: DataView;
  highlight: DataView;
  color_by: string;
  height: number;
  _x: DataView;
  _y: DataView;
  _layers: string[];
  _layer_codes: DataView;
  _indices: DataView;
  _labels: string[] | null;
  _columns: Column[];
  _color: DataView;
  _legend: Partial<Legend>;
  /** Counts the times the kernel has read the neurons. */
  _revision: number;
}

export type Tool = "pan" | "lasso";
const NONE = new Uint32Array(0);
const noBytes = () => new DataView(new ArrayBuffer(0));

export class MapState {
  private readonly cleanups: Cleanup[] = [];
  private readonly lateLabels = signal<string[] | null>(null);

  readonly height = this.trait("height");
  readonly revision = this.trait("_revision");
  readonly columns = this.trait("_columns");
  readonly colorBy = this.trait("color_by");
  readonly layers = this.trait("_layers");

  readonly x = this.column("_x", float32);
  readonly y = this.column("_y", float32);
  readonly layerOf = this.column("_layer_codes", uint32);
  readonly indexOf = this.column("_indices", uint32);
  readonly count = computed(() => this.x.value.length);
  readonly placed = computed(() => this.x.value.some(Number.isFinite));
  readonly grid = computed(() => new GridIndex(this.x.value, this.y.value));
  private readonly givenLabels = this.trait("_labels");
  readonly labels = computed(() => this.givenLabels.value ?? this.lateLabels.value);

  readonly values = this.column("_color", float32);
  private readonly anyLegend = this.trait("_legend");
  readonly legend = computed(() => {
    const legend = this.anyLegend.value;
    return legend.name ? (legend as Legend) : null;
  });
  /** The colours asked for have not come yet. */
  readonly recoloring = computed(() => this.legend.value?.name !== this.colorBy.value);

  readonly scores = this.column("highlight", float32);
  readonly ranked = computed(() => rankRows(this.scores.value));
  readonly selection = this.column("selection", uint32);
  /** A category of the legend looked at alone. */
  readonly isolated = signal<number | null>(null);

  private readonly active = this.trait("active");
  private readonly rowOf = computed(() => {
    const rows = new Map<string, number>();
    const [layers, indices] = [this.layerOf.value, this.indexOf.value];
    for (let row = 0; row < indices.length; row++) rows.set(`${layers[row]} ${indices[row]}`, row);
    return rows;
  });
  readonly activeRow = computed(() => {
    const neuron = this.active.value;
    if (!neuron) return -1;
    return this.rowOf.value.get(`${this.layers.value.indexOf(neuron.layer)} ${neuron.neuron}`) ?? -1;
  });

  readonly hover = signal(-1);
  readonly tool = signal<Tool>("pan");
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
    const legend = this.legend.value;
    const count = this.count.value;
    return legend ? encode(this.values.value, legend, count) : new Uint8Array(count);
  });
  private readonly mixed = computed(() => mixedOrder(this.count.value));
  readonly emphasis = computed(() => {
    const isolated = this.isolated.value;
    const values = this.values.value;
    const alone = isolated === null ? null : (row: number) => values[row] === isolated;
    return emphasise(
      this.mixed.value, this.ranked.value, this.scores.value, this.selection.value, alone,
    );
  });

  constructor(
    private readonly model: Model<MapTraits>,
    private readonly rpc: Rpc,
    readonly theme: ReadonlySignal<Theme>,
  ) {
    this.cleanups.push(
      effect(() => {
        this.revision.value;
        if (this.givenLabels.value === null && this.count.value > 0) void this.fetchLabels();
      }),
      effect(() => {
        this.colorBy.value;
        this.isolated.value = null;
      }),
    );
  }

  dispose(): void {
    for (const cleanup of this.cleanups) cleanup();
  }

  nameOf(row: number): string {
    return `${this.layers.value[this.layerOf.value[row]!] ?? "?"} / ${this.indexOf.value[row]}`;
  }

  labelOf(row: number): string {
    return this.labels.value?.[row] ?? "";
  }

  /** 1 for the best search hit, 0 for none. */
  rankOf(row: number): number {
    return Number.isFinite(this.scores.value[row]) ? this.ranked.value.indexOf(row) + 1 : 0;
  }

  colorOf(row: number) {
    return this.palette.value[this.color.value[row]!] ?? this.palette.value.at(-1)!;
  }

  pick(row: number): void {
    const layer = this.layers.value[this.layerOf.value[row]!];
    const neuron = this.indexOf.value[row];
    if (layer === undefined || neuron === undefined) return;
    setTrait(this.model, "active", { layer, neuron });
  }

  select(rows: Uint32Array<ArrayBuffer>): void {
    setTrait(this.model, "selection", new DataView(rows.slice().buffer));
  }

  clearSelection = (): void => this.select(NONE);
  clearHighlight = (): void => setTrait(this.model, "highlight", noBytes());
  setColorBy = (name: string): void => setTrait(this.model, "color_by", name);
  /** Give up waiting for colours: back to those that are shown. */
  keepColors = (): void => this.setColorBy(this.legend.value?.name ?? this.colorBy.value);

  fit = (): void => {
    const { ranked, selection } = this;
    // What stands out first, everything second.
    const rows = selection.value.length > 0 ? selection.value : ranked.value;
    const { x, y, size, moved } = this;
    const near = rows.length > 1 ? fitRows(x.value, y.value, size.value, rows) : null;
    const there = JSON.stringify(moved.value) === JSON.stringify(near);
    moved.value = there ? null : near;
  };

  look(camera: Camera | null): void {
    this.moved.value = camera;
  }

  /** Go through the neurons that stand out, or all, in order. */
  step(by: 1 | -1): void {
    const { ranked, selection } = this;
    const among = ranked.value.length > 0 ? ranked.value : selection.value;
    const length = among.length || this.count.value;
    if (length === 0) return;
    const here = this.activeRow.value;
    const position = among.length ? among.indexOf(here) : here;
    const next = position < 0 ? (by > 0 ? 0 : length - 1) : (position + by + length) % length;
    const row = among.length ? among[next]! : next;
    batch(() => {
      this.pick(row);
      this.hover.value = row;
      this.look(
        reveal(this.camera.value, this.size.value, this.x.value[row]!, this.y.value[row]!),
      );
    });
  }

  private trait<K extends keyof MapTraits>(name: K): ReadonlySignal<MapTraits[K]> {
    const [mirror, stop] = traitSignal(this.model, name);
    this.cleanups.push(stop);
    return mirror;
  }

  private column<K extends keyof MapTraits, T>(
    name: K,
    read: (bytes: MapTraits[K] & DataView) => T,
  ): ReadonlySignal<T> {
    const mirror = this.trait(name);
    return computed(() => read(mirror.value as MapTraits[K] & DataView));
  }

  private async fetchLabels(): Promise<void> {
    try {
      const { result, buffers } = await this.rpc.request<{ names: string[] }>("labels");
      this.lateLabels.value = Array.from(uint32(buffers[0]), (code) => result.names[code] ?? "");
    } catch (error) {
      // Without labels the map still works; the card asks for each neuron's own.
      if (!isAbort(error)) this.lateLabels.value = null;
    }
  }
}
