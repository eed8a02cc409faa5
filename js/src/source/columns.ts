// The columns of the neurons table: in the widget's state where it is small, asked for where not.
import { batch, computed, effect, signal, untracked, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Bare, CodedLabels, Legend } from "./messages";
import { float32, uint16, uint32, uint8, type Cleanup } from "./model";
import { asError } from "./resources";
import { isAbort, type Source } from "./source";
import { flagsOfBits } from "./bits";

/** A category that is missing; a missing number is NaN. */
export const MISSING = 0xffff;

export interface Column {
  /** Absent for places, indices, flags and labels. */
  legend: Legend | null;
  values: Float32Array | Uint16Array | Uint32Array | Uint8Array;
  /** Of labels: what the values are codes of. */
  names?: readonly string[];
}

type Meta = (Legend | Bare | CodedLabels) & { data?: DataView };
export type Embedded = Record<string, Meta>;

/** The labels of all neurons as the state has them. */
export interface LabelsTrait {
  names: string[];
  codes: DataView;
}

/** A label for every row: an index into the names; the empty name is no label. */
export interface Labels {
  names: readonly string[];
  codes: Uint32Array;
}

interface Sources {
  data: ReadonlySignal<Embedded>;
  labels: ReadonlySignal<LabelsTrait | null>;
  revision: ReadonlySignal<number>;
  count: ReadonlySignal<number>;
}

/** The labels of all neurons, which are a request of their own; no column has this name. */
export const LABELS = " labels";
/** What could not be fetched is asked for again by itself, so many times, each time later. */
const TRIES = 4;
const PAUSE = 2000;

/** Codes as the kernel packs them: a byte each where there are few, of which the highest is missing. */
function codes(data: DataView | undefined, count: number): Uint16Array {
  if (data?.byteLength !== count) return uint16(data);
  return Uint16Array.from(uint8(data), (code) => (code === 0xff ? MISSING : code));
}

function decode(meta: Meta, data: DataView | undefined, count: number): Column {
  if (meta.kind === "category") return { legend: meta, values: codes(data, count) };
  if (meta.kind === "index") return { legend: null, values: uint32(data) };
  if (meta.kind === "labels") {
    const few = data?.byteLength === count;
    return { legend: null, values: few ? Uint32Array.from(uint8(data)) : uint32(data), names: meta.names };
  }
  if (meta.kind === "flags") return { legend: null, values: flagsOfBits(uint8(data), count) };
  return { legend: meta.kind === "number" ? meta : null, values: float32(data) };
}

/** The value of a row, NaN where there is none. */
export function valueAt({ legend, values }: Column, row: number): number {
  const value = values[row] ?? Number.NaN;
  return legend?.kind === "category" && value === MISSING ? Number.NaN : value;
}

export class ColumnStore {
  /** What was asked for and has not come, and why. */
  readonly failures = signal<ReadonlyMap<string, Error>>(new Map());
  /** Why something has not come. */
  readonly failure = computed<Error | null>(() => [...this.failures.value.values()][0] ?? null);
  private readonly found = new Map<string, Signal<Column | null>>();
  private readonly tries = new Map<string, number>();
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private count = -1;
  private readonly stop: Cleanup;

  constructor(
    private readonly sources: Sources,
    private readonly source: Source,
  ) {
    this.stop = effect(() => {
      // All of them: which of several new traits is told first is not known.
      const { data, labels, revision, count } = sources;
      for (const { value } of [data, labels, revision, count]) void value;
      untracked(() => batch(() => this.renew()));
    });
  }

  /** The column, or null while it is on its way; reading it subscribes to it. */
  read(name: string): Column | null {
    let entry = this.found.get(name);
    if (!entry) {
      entry = signal<Column | null>(this.embedded(name));
      this.found.set(name, entry);
      if (!entry.peek()) queueMicrotask(() => void this.fetch(name));
    }
    return entry.value;
  }

  /** The label of every neuron, or null while they are on their way. */
  readLabels(): Labels | null {
    const column = this.read(LABELS);
    return column && { names: column.names ?? [], codes: column.values as Uint32Array };
  }

  retry = (): void => {
    const failed = [...this.failures.value.keys()];
    this.forgive();
    for (const name of failed) void this.fetch(name);
  };

  dispose(): void {
    this.stop();
    this.forgive();
    this.found.clear();
  }

  /** Forget what has failed. */
  private forgive(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.tries.clear();
    this.failures.value = new Map();
  }

  private embedded(name: string): Column | null {
    if (name === LABELS) {
      const labels = this.sources.labels.peek();
      if (!labels) return null;
      return decode({ kind: "labels", names: labels.names }, labels.codes, this.sources.count.peek());
    }
    const meta = this.sources.data.peek()[name];
    return meta ? decode(meta, meta.data, this.sources.count.peek()) : null;
  }

  /** Old columns stay until the new ones come, if they belong to the same rows. */
  private renew(): void {
    const count = this.sources.count.peek();
    const stays = this.count === count;
    this.count = count;
    this.forgive();
    for (const [name, entry] of this.found) {
      const known = this.embedded(name);
      if (known || !stays) entry.value = known;
      if (!known) void this.fetch(name);
    }
  }

  private async fetch(name: string): Promise<void> {
    const entry = this.found.get(name);
    const revision = this.sources.revision.peek();
    const count = this.sources.count.peek();
    if (!entry || count === 0) return;
    try {
      const { result, buffers } = await (name === LABELS
        ? this.source.ask("labels", {}, { version: revision })
        : this.source.ask("column", { name }, { version: revision }));
      if (revision !== this.sources.revision.peek()) return;
      this.tries.delete(name);
      batch(() => {
        this.tell(name, null);
        entry.value = decode(result, buffers[0], count);
      });
    } catch (error) {
      if (isAbort(error) || revision !== this.sources.revision.peek()) return;
      this.tell(name, asError(error));
      const tries = (this.tries.get(name) ?? 0) + 1;
      this.tries.set(name, tries);
      if (tries > TRIES) return;
      clearTimeout(this.timers.get(name));
      this.timers.set(name, setTimeout(() => void this.fetch(name), PAUSE * 2 ** (tries - 1)));
    }
  }

  private tell(name: string, error: Error | null): void {
    if (!error && !this.failures.value.has(name)) return;
    const failures = new Map(this.failures.value);
    if (error) failures.set(name, error);
    else failures.delete(name);
    this.failures.value = failures;
  }
}
