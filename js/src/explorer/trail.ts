// Where a person has been, to go back and forward.
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Neuron } from "../source/model";
import { sameNeuron } from "../source/neuron";

const LONGEST = 100;

export interface Trail {
  /** The neuron one step back or forward, if any. */
  previous: ReadonlySignal<Neuron | null>;
  next: ReadonlySignal<Neuron | null>;
  /** Tell where the person is now, however they came there. */
  visit(neuron: Neuron | null): void;
}

export function createTrail(): Trail {
  const steps = signal<Neuron[]>([]);
  const place = signal(-1);
  const at = (offset: number) => computed(() => steps.value[place.value + offset] ?? null);
  const [previous, next] = [at(-1), at(1)];
  return {
    previous,
    next,
    visit(neuron) {
      if (neuron === null || sameNeuron(neuron, steps.value[place.value] ?? null)) return;
      if (sameNeuron(neuron, previous.value)) place.value -= 1;
      else if (sameNeuron(neuron, next.value)) place.value += 1;
      else {
        steps.value = [...steps.value.slice(0, place.value + 1), neuron].slice(-LONGEST);
        place.value = steps.value.length - 1;
      }
    },
  };
}
