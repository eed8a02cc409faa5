// Things asked for lazily, held while something shows them, and forgotten oldest first.
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useLayoutEffect, useMemo } from "preact/hooks";
import { isAbort } from "./source";

export type Resource<V> =
  | { state: "idle" }
  | { state: "loading" }
  | { state: "ready"; value: V }
  | { state: "error"; error: Error };

export const IDLE: Resource<never> = { state: "idle" };
export const LOADING: Resource<never> = { state: "loading" };

export const asError = (error: unknown): Error =>
  error instanceof Error ? error : new Error(String(error));

interface Entry<V> {
  resource: Signal<Resource<V>>;
  holders: number;
  batch: Batch<V> | null;
}

interface Batch<V> {
  abort: AbortController;
  entries: Entry<V>[];
}

interface Options<K, V> {
  /** How many keys one request may carry. */
  batch: number;
  /** Only keys of the same group share a request. */
  group?: (key: K) => unknown;
  /** How many values to keep, beyond those held. */
  capacity: number;
  free?: (value: V) => void;
}

export class Resources<K, V> {
  readonly #entries = new Map<K, Entry<V>>();
  readonly #waiting = new Set<K>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sweeping: ReturnType<typeof setTimeout> | undefined;
  readonly #lastFailure = signal<Error | null>(null);

  /** `fetch` resolves to a value, or an Error, for each key. */
  constructor(
    private readonly fetch: (keys: K[], signal: AbortSignal) => Promise<(V | Error)[]>,
    private readonly options: Options<K, V>,
  ) {}

  /** The newest error among what is held, until a retry. */
  get failure(): ReadonlySignal<Error | null> {
    return this.#lastFailure;
  }

  resource(key: K): ReadonlySignal<Resource<V>> {
    return this.#entry(key).resource;
  }

  hold(key: K): void {
    const entry = this.#entry(key);
    entry.holders += 1;
    this.#entries.delete(key); // held last: forgotten last
    this.#entries.set(key, entry);
    const { state } = entry.resource.value;
    if (state === "idle" || (state === "error" && entry.holders === 1)) this.#ask(key, entry);
  }

  release(key: K): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.holders -= 1;
    if (entry.holders > 0) return;
    if (this.#waiting.delete(key)) entry.resource.value = IDLE;
    if (entry.batch?.entries.every(({ holders }) => holders === 0)) entry.batch.abort.abort();
    this.#forgetSoon();
  }

  /** Ask again for everything held that failed. */
  retry(): void {
    this.#lastFailure.value = null;
    for (const [key, entry] of this.#entries) {
      if (entry.resource.value.state !== "error") continue;
      if (entry.holders > 0) this.#ask(key, entry);
      else entry.resource.value = IDLE;
    }
  }

  dispose(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#sweeping);
    this.#waiting.clear();
    for (const entry of this.#entries.values()) {
      entry.batch?.abort.abort();
      entry.batch = null;
      this.#free(entry);
    }
    this.#entries.clear();
  }

  #entry(key: K): Entry<V> {
    let entry = this.#entries.get(key);
    if (!entry) {
      entry = { resource: signal<Resource<V>>(IDLE), holders: 0, batch: null };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #ask(key: K, entry: Entry<V>): void {
    entry.resource.value = LOADING;
    this.#waiting.add(key);
    // What a view mounts at once is asked for at once.
    this.#timer ??= setTimeout(() => this.#flush(), 8);
  }

  #flush(): void {
    this.#timer = undefined;
    const { batch, group = () => null } = this.options;
    const groups = new Map<unknown, K[]>();
    for (const key of this.#waiting) {
      const keys = groups.get(group(key));
      if (keys) keys.push(key);
      else groups.set(group(key), [key]);
    }
    this.#waiting.clear();
    for (const keys of groups.values()) {
      for (let start = 0; start < keys.length; start += batch) {
        void this.#load(keys.slice(start, start + batch));
      }
    }
  }

  async #load(keys: K[]): Promise<void> {
    const batch = { abort: new AbortController(), entries: keys.map((key) => this.#entry(key)) };
    for (const entry of batch.entries) entry.batch = batch;
    let values: (V | Error)[] | null;
    try {
      values = await this.fetch(keys, batch.abort.signal);
    } catch (error) {
      values = isAbort(error) ? null : keys.map(() => asError(error));
    }
    batch.entries.forEach((entry, index) => {
      if (entry.batch !== batch) return;
      entry.batch = null;
      const value = values?.[index];
      if (values === null) entry.resource.value = IDLE;
      else if (value === undefined || value instanceof Error) {
        const error: Error =
          value instanceof Error ? value : new Error("The kernel did not send this item.");
        entry.resource.value = { state: "error", error };
        this.#lastFailure.value = error;
      } else entry.resource.value = { state: "ready", value };
      // Held again while its request was being dropped: ask anew.
      const again = values === null && batch.abort.signal.aborted && entry.holders > 0;
      if (again) this.#ask(keys[index]!, entry);
    });
    this.#forgetSoon();
  }

  /** After the commit that is going on: what it lets go, it may take up again. */
  #forgetSoon(): void {
    this.#sweeping ??= setTimeout(() => this.#forget(), 0);
  }

  /** Only what has arrived takes a place; what was let go before it came is asked for anew. */
  #forget(): void {
    this.#sweeping = undefined;
    const loose = [...this.#entries].filter(([, { holders }]) => holders === 0);
    const arrived = loose.filter(([, { resource }]) => /ready|error/.test(resource.peek().state));
    const idle = loose.filter(([, { resource }]) => resource.peek().state === "idle");
    const held = this.#entries.size - loose.length;
    const surplus = Math.max(0, held + arrived.length - this.options.capacity);
    for (const [key, entry] of [...idle, ...arrived.slice(0, surplus)]) {
      this.#free(entry);
      this.#entries.delete(key);
    }
  }

  #free({ resource }: Entry<V>): void {
    if (resource.value.state === "ready") this.options.free?.(resource.value.value);
    resource.value = IDLE;
  }
}

/** Hold `key` (nothing, if null) while the component shows it. */
export function useResource<K, V>(store: Resources<K, V>, key: K | null): Resource<V> {
  const resource = useMemo(
    () => (key === null ? signal<Resource<V>>(IDLE) : store.resource(key)),
    [store, key],
  );
  // In the commit itself: what is rendered together asks together. Effects after the paint may run
  // one by one, where a component renders again before it.
  useLayoutEffect(() => {
    if (key === null) return;
    store.hold(key);
    return () => store.release(key);
  }, [store, key]);
  return resource.value;
}
