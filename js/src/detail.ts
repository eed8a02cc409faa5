// What a panel shows of its neuron, asked for when the neuron changes and the panel is visible.
import { effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import { sameNeuron } from "./neuron";
import type { Cleanup, Neuron } from "./model";
import { asError, IDLE, LOADING, type Resource } from "./resources";
import { isAbort, type Rpc } from "./rpc";

export interface Detail<D> {
  resource: ReadonlySignal<Resource<D>>;
  /** The newest detail received, shown dimmed while the next one loads. */
  last: ReadonlySignal<D | null>;
  reload(): void;
  stop: Cleanup;
}

interface Source {
  rpc: Rpc;
  method: string;
  active: ReadonlySignal<Neuron | null>;
  /** Nothing is asked for while false. */
  visible: ReadonlySignal<boolean>;
  /** Counts up when the kernel knows something new about the neuron. */
  revision: ReadonlySignal<number>;
}

export function followNeuron<D>({ rpc, method, active, visible, revision }: Source): Detail<D> {
  const resource = signal<Resource<D>>(IDLE);
  const last = signal<D | null>(null);
  const reloads = signal(0);
  let asked: { neuron: Neuron; version: string } | null = null;

  async function load(neuron: Neuron): Promise<void> {
    resource.value = LOADING;
    try {
      const { layer, neuron: index } = neuron;
      const reply = await rpc.request<D>(method, { layer, neuron: index }, { key: method });
      if (!asked || !sameNeuron(asked.neuron, neuron)) return;
      last.value = reply.result;
      resource.value = { state: "ready", value: reply.result };
    } catch (error) {
      if (isAbort(error)) return;
      asked = null;
      resource.value = { state: "error", error: asError(error) };
    }
  }

  const stop = effect(() => {
    const neuron = active.value;
    const version = `${revision.value} ${reloads.value}`;
    if (neuron === null) {
      asked = null;
      resource.value = IDLE;
      last.value = null;
    } else if (visible.value) {
      if (asked?.version === version && sameNeuron(asked.neuron, neuron)) return;
      asked = { neuron, version };
      untracked(() => void load(neuron));
    }
  });
  return { resource, last, reload: () => (reloads.value += 1), stop };
}

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
