// The neuron pointed at, told between a widget and what it lies in by events of the page: nothing
// of it is kept, and the kernel need not know.
import type { Cleanup, Neuron } from "../source/model";

/** From a widget outwards. */
const POINTED = "slw-pointed";
/** From outside to a widget. */
const MARK = "slw-mark";

function hear(at: HTMLElement, name: string, heard: (neuron: Neuron | null) => void): Cleanup {
  const listen = (event: Event) => heard((event as CustomEvent<Neuron | null>).detail);
  at.addEventListener(name, listen);
  return () => at.removeEventListener(name, listen);
}

export const tellPointed = (widget: HTMLElement, neuron: Neuron | null): boolean =>
  widget.dispatchEvent(new CustomEvent(POINTED, { detail: neuron, bubbles: true }));
/** What any widget inside points at. */
export const hearPointed = (around: HTMLElement, heard: (neuron: Neuron | null) => void): Cleanup =>
  hear(around, POINTED, heard);

/** Ask a widget to mark a neuron; null: none. */
export const mark = (widget: HTMLElement | null, neuron: Neuron | null): boolean | undefined =>
  widget?.dispatchEvent(new CustomEvent(MARK, { detail: neuron }));
export const hearMark = (widget: HTMLElement, heard: (neuron: Neuron | null) => void): Cleanup =>
  hear(widget, MARK, heard);
