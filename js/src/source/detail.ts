// What a panel shows of its neuron, asked for when the neuron changes and the panel is visible.
import { effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import { sameNeuron } from "./neuron";
import type { Cleanup, Neuron } from "./model";
import { asError, IDLE, LOADING, type Resource } from "./resources";
import type { Questions } from "./messages";
import { isAbort, type Source } from "./source";
import { LruCache } from "./lru";

export interface Detail<D> {
  resource: ReadonlySignal<Resource<D>>;
  /** The newest detail received; another neuron's for a moment while the next one loads. */
  last: ReadonlySignal<D | null>;
  reload(): void;
  stop: Cleanup;
}

/** The questions about a neuron alone. */
export type OfNeuron = {
  [M in keyof Questions]: Neuron extends Questions[M]["params"]
    ? keyof Questions[M]["params"] extends never ? never : M
    : never;
}[keyof Questions];
export type Answer<M extends keyof Questions> = Questions[M]["result"];

interface Following<M extends OfNeuron> {
  source: Source;
  method: M;
  active: ReadonlySignal<Neuron | null>;
  /** Nothing is asked for while false. */
  visible: ReadonlySignal<boolean>;
  /** Counts up when the kernel knows something new about the neuron. */
  revision: ReadonlySignal<number>;
  /** What asks instead of what asked before; the method, where one neuron is followed. */
  key?: string;
}

/** Another neuron's detail stays this long, in milliseconds: quick answers do not flicker. */
const GRACE = 400;
const REMEMBERED = 40;

export function followNeuron<M extends OfNeuron>(
  { source, method, active, visible, revision, key = method }: Following<M>,
): Detail<Answer<M>> {
  type D = Answer<M>;
  const resource = signal<Resource<D>>(IDLE);
  const last = signal<D | null>(null);
  const reloads = signal(0);
  // Going back shows at once what was seen before, also while the kernel is busy or gone.
  const seen = new LruCache<string, { version: string; detail: D }>(REMEMBERED);
  let asked: { neuron: Neuron; version: string } | null = null;
  let shown: Neuron | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let request = new AbortController();

  const show = (neuron: Neuron | null, detail: D | null) => {
    clearTimeout(timer);
    shown = neuron;
    last.value = detail;
  };

  /** Nobody waits any more for what was asked before. */
  const leave = () => {
    request.abort();
    request = new AbortController();
  };

  async function load(neuron: Neuron, version: string): Promise<void> {
    resource.value = LOADING;
    clearTimeout(timer);
    if (!sameNeuron(shown, neuron)) timer = setTimeout(() => show(null, null), GRACE);
    try {
      const { signal } = request;
      // With the version, so that no answer from before a change is taken for a new one.
      const reply = await source.ask(method, neuron, { key, signal, version });
      seen.set(keyOf(neuron), { version, detail: reply.result });
      if (!asked || !sameNeuron(asked.neuron, neuron)) return;
      show(neuron, reply.result);
      resource.value = { state: "ready", value: reply.result };
    } catch (error) {
      if (isAbort(error) || !asked || !sameNeuron(asked.neuron, neuron)) return;
      asked = null;
      if (!sameNeuron(shown, neuron)) show(null, null);
      resource.value = { state: "error", error: asError(error) };
    }
  }

  const stop = effect(() => {
    const neuron = active.value;
    const version = `${revision.value} ${reloads.value}`;
    if (neuron === null) {
      leave();
      asked = null;
      resource.value = IDLE;
      show(null, null);
    } else if (visible.value) {
      if (asked?.version === version && sameNeuron(asked.neuron, neuron)) return;
      asked = { neuron, version };
      const known = seen.get(keyOf(neuron));
      if (known) show(neuron, known.detail);
      leave();
      if (known?.version === version) resource.value = { state: "ready", value: known.detail };
      else untracked(() => void load(neuron, version));
    }
  });
  return {
    resource,
    last,
    reload: () => (reloads.value += 1),
    stop: () => {
      clearTimeout(timer);
      leave();
      stop();
    },
  };
}

const keyOf = ({ layer, neuron }: Neuron): string => JSON.stringify([layer, neuron]);

/** Whether an element is on the screen, or nearly; true where the browser cannot tell. */
export function followVisibility(
  element: Element,
  margin = "200px",
): [ReadonlySignal<boolean>, Cleanup] {
  if (typeof IntersectionObserver === "undefined") return [signal(true), () => {}];
  const visible = signal(false);
  const observer = new IntersectionObserver(
    (entries) => (visible.value = entries.at(-1)!.isIntersecting),
    { rootMargin: margin },
  );
  observer.observe(element);
  return [visible, () => observer.disconnect()];
}
