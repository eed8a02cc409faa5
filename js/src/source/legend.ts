// What a column of the neurons says beside its numbers: names, ranges, labels.

export interface Legend {
  /** The column of the neurons table. */
  name: string;
  title: string;
  kind: "category" | "number";
  /** Categories in the order of their codes, and how many neurons each has. */
  names?: string[];
  counts?: number[];
  /** Whether the last category is all those that have no colour of their own. */
  rest?: boolean;
  min?: number;
  max?: number;
  /** Neurons without a value. */
  missing: number;
}

/** A label for every row: an index into the names; the empty name is no label. */
export interface Labels {
  names: readonly string[];
  codes: Uint32Array;
}

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
