// The columns of the neurons table: in the widget's state where it is small, asked for where not.
import { batch, effect, signal, untracked, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Legend } from "./colors";
import { float32, uint16, uint32, type Cleanup } from "./model";
import { isAbort, type Rpc } from "./rpc";

/** A category that is missing; a missing number is NaN. */
export const MISSING = 0xffff;

export interface Column {
  /** Absent for places and indices. */
  legend: Legend | null;
  values: Float32Array | Uint16Array | Uint32Array;
}

type Meta = (Legend | { kind: "place" } | { kind: "index" }) & { data?: DataView };
export type Embedded = Record<string, Meta>;

interface Sources {
  data: ReadonlySignal<Embedded>;
  revision: ReadonlySignal<number>;
  count: ReadonlySignal<number>;
}

const decode = (meta: Meta, data: DataView | undefined): Column => {
  if (meta.kind === "category") return { legend: meta, values: uint16(data) };
  if (meta.kind === "index") return { legend: null, values: uint32(data) };
  return { legend: meta.kind === "number" ? meta : null, values: float32(data) };
};

/** The value of a row, NaN where there is none. */
export function valueAt({ legend, values }: Column, row: number): number {
  const value = values[row] ?? Number.NaN;
  return legend?.kind === "category" && value === MISSING ? Number.NaN : value;
}

export class ColumnStore {
  /** The error of the last request that failed, until a retry. */
  readonly failure = signal<Error | null>(null);
  private readonly found = new Map<string, Signal<Column | null>>();
  private count = -1;
  private readonly stop: Cleanup;

  constructor(
    private readonly sources: Sources,
    private readonly rpc: Rpc,
  ) {
    this.stop = effect(() => {
      sources.revision.value;
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

  retry = (): void => {
    this.failure.value = null;
    for (const [name, { value }] of this.found) if (!value) void this.fetch(name);
  };

  dispose(): void {
    this.stop();
    this.found.clear();
  }

  private embedded(name: string): Column | null {
    const meta = this.sources.data.peek()[name];
    return meta ? decode(meta, meta.data) : null;
  }

  /** Old columns stay until the new ones come, if they belong to the same rows. */
  private renew(): void {
    const count = this.sources.count.peek();
    const stays = this.count === count;
    this.count = count;
    for (const [name, entry] of this.found) {
      const known = this.embedded(name);
      if (known || !stays) entry.value = known;
      if (!known) void this.fetch(name);
    }
  }

  private async fetch(name: string): Promise<void> {
    const entry = this.found.get(name);
    const revision = this.sources.revision.peek();
    if (!entry || this.sources.count.peek() === 0) return;
    try {
      const { result, buffers } = await this.rpc.request<Meta>("column", { name, revision });
      if (revision === this.sources.revision.peek()) entry.value = decode(result, buffers[0]);
    } catch (error) {
      if (!isAbort(error)) this.failure.value = error as Error;
    }
  }
}
