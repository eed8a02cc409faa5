// How the relevance of a neuron was computed, in a sentence.
import type { Neuron } from "../source/model";
import { neuronKey, type Pictures } from "../source/pictures";

/** How the relevance that is shown was computed, and what of it arrived. */
export function RelevanceSaid({ pictures, neuron }: { pictures: Pictures; neuron: Neuron }) {
  const said = pictures.said.value.get(neuronKey(neuron));
  if (!said || said.methods.length === 0) return null;
  const [first, ...others] = said.methods;
  const [least, most] = (said.arrived ?? []).map((share) => `${Math.round(share * 100)} %`);
  return (
    <p class="slw-small slw-muted slw-said">
      Relevance by {first}.
      {others.length > 0 && " Some images differ: open them to read how."}
      {least && ` ${least === most ? least : `${least} to ${most}`} of it arrived at the images.`}
    </p>
  );
}
