// The part of the anywidget model that the widgets use, typed by their traits.
import { signal, type ReadonlySignal } from "@preact/signals";
import type { Source } from "./source";

export interface Model<T extends object> {
  get<K extends keyof T & string>(key: K): T[K];
  set<K extends keyof T & string>(key: K, value: T[K]): void;
  save_changes(): void;
  on(event: string, callback: (...args: any[]) => void): void;
  off(event: string, callback?: ((...args: any[]) => void) | null): void;
  send(content: unknown, callbacks?: unknown, buffers?: ArrayBuffer[]): void;
  /** The front end's own; what it offers differs. */
  readonly widget_manager?: unknown;
}

export interface RenderContext<T extends object> {
  model: Model<T>;
  el: HTMLElement;
  /** Where answers come from; by default the kernel of the model. */
  source?: Source;
}

export type { Neuron } from "./messages";

export type Cleanup = () => void;

/** Mirror a trait in a signal. The second value stops listening. */
export function traitSignal<T extends object, K extends keyof T & string>(
  model: Model<T>,
  key: K,
): [ReadonlySignal<T[K]>, Cleanup] {
  const mirror = signal(model.get(key));
  const update = () => {
    mirror.value = model.get(key);
  };
  model.on(`change:${key}`, update);
  return [mirror, () => model.off(`change:${key}`, update)];
}

/** Write one trait and send it to the kernel. */
export function setTrait<T extends object, K extends keyof T & string>(
  model: Model<T>,
  key: K,
  value: T[K],
): void {
  model.set(key, value);
  model.save_changes();
}

/** A hand at rest, in milliseconds. */
const REST = 250;
const unsaved = new WeakMap<object, ReturnType<typeof setTimeout>>();

/**
 * Write one trait now and send it when the hand rests: one event in Python for a whole gesture,
 * and no message in the way of the request that the change brings about.
 */
export function setTraitSoon<T extends object, K extends keyof T & string>(
  model: Model<T>,
  key: K,
  value: T[K],
): void {
  model.set(key, value);
  clearTimeout(unsaved.get(model));
  unsaved.set(model, setTimeout(() => model.save_changes(), REST));
}

type Bytes = DataView | ArrayBuffer | Uint8Array | null | undefined;

function aligned(bytes: Bytes): ArrayBuffer {
  if (!bytes) return new ArrayBuffer(0);
  if (bytes instanceof ArrayBuffer) return bytes;
  const { buffer, byteOffset, byteLength } = bytes;
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer;
}

const multiple = (of: number) => (buffer: ArrayBuffer): ArrayBuffer =>
  buffer.byteLength % of ? buffer.slice(0, buffer.byteLength - (buffer.byteLength % of)) : buffer;
const whole = multiple(4);
const even = multiple(2);

/** Bytes traits and reply buffers as typed columns; absent bytes are an empty column. */
export const float32 = (bytes: Bytes): Float32Array<ArrayBuffer> =>
  new Float32Array(whole(aligned(bytes)));
export const uint32 = (bytes: Bytes): Uint32Array<ArrayBuffer> =>
  new Uint32Array(whole(aligned(bytes)));
export const uint16 = (bytes: Bytes): Uint16Array<ArrayBuffer> => new Uint16Array(even(aligned(bytes)));
export const uint8 = (bytes: Bytes): Uint8Array<ArrayBuffer> => new Uint8Array(aligned(bytes));
