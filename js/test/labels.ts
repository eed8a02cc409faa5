// Labels as the map codes them, from a list with one for each neuron.
import type { LabelsTrait } from "../src/source/columns";
import type { Labels } from "../src/source/columns";

/** Group given labels by name. */
export function codeLabels(labels: readonly string[]): Labels {
  const known = new Map<string, number>();
  const codes = Uint32Array.from(labels, (label) => {
    const code = known.get(label) ?? known.size;
    known.set(label, code);
    return code;
  });
  return { names: [...known.keys()], codes };
}

/** As the widget's state has them. */
export function coded(labels: readonly string[]): LabelsTrait {
  const { names, codes } = codeLabels(labels);
  return { names: [...names], codes: new DataView(codes.buffer as ArrayBuffer) };
}
