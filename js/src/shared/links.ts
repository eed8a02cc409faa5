// What the views of one place have in common: the active neuron and the selection, which their
// models keep, and the neuron pointed at, which nobody keeps and the kernel need not know.
import { signal, type ReadonlySignal } from "@preact/signals";
import { setTrait, uint8, type Cleanup, type Model, type Neuron } from "../source/model";
import { sameNeuron } from "../source/neuron";

/** From a view outwards: the neuron that it points at. */
const POINTED = "slw-pointed";
/** From outside to a view: the neuron to mark. */
const MARK = "slw-mark";
/** The trait of the neurons selected, one bit for each row of the table. */
const SELECTION = "_selected";

type Heard = (neuron: Neuron | null, from: EventTarget | null) => void;

function hear(at: HTMLElement, name: string, heard: Heard): Cleanup {
  const listen = (event: Event) => heard((event as CustomEvent<Neuron | null>).detail, event.target);
  at.addEventListener(name, listen);
  return () => at.removeEventListener(name, listen);
}

/** Tell whatever lies around a view which neuron it points at; null: none. */
export const tellPointed = (view: HTMLElement, neuron: Neuron | null): boolean =>
  view.dispatchEvent(new CustomEvent(POINTED, { detail: neuron, bubbles: true }));

/** Hear which neuron a view is asked to mark. */
export const hearMark = (view: HTMLElement, heard: Heard): Cleanup => hear(view, MARK, heard);

export interface Links {
  /** The neuron that any view points at. */
  pointed: ReadonlySignal<Neuron | null>;
  /** Mark a neuron in all views; null: none. */
  point(neuron: Neuron | null): void;
  /** Select neurons in all views that have a selection. */
  select(bits: DataView): void;
  /** Keep the active neuron and the selection of these models alike. */
  join(models: readonly Model<any>[]): void;
  stop: Cleanup;
}

/** Link the views inside an element. */
export function linkViews(around: HTMLElement): Links {
  const pointed = signal<Neuron | null>(null);
  const stops: Cleanup[] = [];
  let selecting: Model<any> | undefined; // what changes there, the others follow
  const mark = (neuron: Neuron | null, from: EventTarget | null) => {
    for (const view of around.querySelectorAll(".slw")) {
      if (view !== from) view.dispatchEvent(new CustomEvent(MARK, { detail: neuron }));
    }
  };
  stops.push(hear(around, POINTED, (neuron, from) => {
    pointed.value = neuron;
    mark(neuron, from);
  }));
  return {
    pointed,
    point: (neuron) => mark(neuron, null),
    select: (bits) => selecting && setTrait(selecting, SELECTION, bits),
    join(models) {
      const having = models.filter((model) => model.get(SELECTION) !== undefined);
      selecting = having[0];
      stops.push(keepAlike(models, "active", sameNeuron), keepAlike(having, SELECTION, sameBits));
    },
    stop: () => stops.forEach((stop) => stop()),
  };
}

/** What a front end's own model, which it hands to listeners, says while the kernel writes to it. */
interface Written {
  _state_lock?: object | null;
}

/**
 * Whichever model's trait a person changes, the others follow: no kernel needed.
 * What Python sets, it sets on all of them itself; to send that back would undo what it has set
 * since. The first model that has a value holds the truth to start from.
 */
function keepAlike<V>(
  models: readonly Model<any>[],
  name: string,
  same: (a: V, b: V) => boolean,
): Cleanup {
  const spread = (from: Model<any>) => {
    const value: V = from.get(name);
    for (const model of models) if (!same(model.get(name), value)) setTrait(model, name, value);
  };
  const stops = models.map((model) => {
    const follow = (written?: Written) => {
      if (!written?._state_lock) spread(model);
    };
    model.on(`change:${name}`, follow);
    return () => model.off(`change:${name}`, follow);
  });
  const first = models.find((model) => model.get(name) !== null);
  if (first) spread(first);
  return () => stops.forEach((stop) => stop());
}

function sameBits(one: DataView | null, other: DataView | null): boolean {
  const [a, b] = [uint8(one), uint8(other)];
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}
