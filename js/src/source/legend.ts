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
