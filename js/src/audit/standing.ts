// What scatter and table share: which neuron of the layer is pointed at, chosen, decided about.
export interface Standing {
  pointed: number | null;
  active: number | null;
  decisionOf: (neuron: number) => string;
  point: (neuron: number | null) => void;
  choose: (neuron: number) => void;
  /** Decide about a neuron if the key says so; whether it did. */
  decide: (event: KeyboardEvent, neuron: number | undefined) => boolean;
}
