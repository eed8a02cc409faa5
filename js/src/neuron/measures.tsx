// A neuron's measures, each with its place among the neurons of its layer.
import type { Neuron } from "../source/model";
import { neuronName, short, usePoles } from "../source/neuron";

export interface Measure {
  name: string;
  title: string;
  value: number;
  /** The share of its layer's neurons that have less. */
  share: number;
}

const HELP: Record<string, string> = {
  clarity: "Mean pairwise cosine among the example images: 1 is one clear concept",
  polysemanticity: "How far apart the examples' two groups lie: 0 is one meaning",
  redundancy: "Highest cosine to another neuron of the layer: 1 is a twin",
  firing_rate: "Share of the images with a positive activation",
  max: "Highest activation over all images",
};

export function Measures({ of, measures }: { of: Neuron; measures: Measure[] }) {
  const poles = usePoles();
  if (measures.length === 0) return null;
  return (
    <ul class="slw-measures" aria-label={`Measures of ${neuronName(of, poles)} among the neurons of ${of.layer}`}>
      {measures.map(({ name, title, value, share }) => {
        const place = `${Math.round(share * 100)} %`;
        return (
          <li key={name} title={`${HELP[name] ?? title}\nhigher than in ${place} of ${of.layer}`}>
            <span class="slw-muted slw-ellipsis">{title}</span>
            <b class="slw-number">{short(value)}</b>
            <span class="slw-measure-track" aria-hidden="true">
              <i style={{ left: `${share * 100}%` }} />
            </span>
            <span class="slw-hidden">, higher than in {place} of the layer</span>
          </li>
        );
      })}
    </ul>
  );
}
