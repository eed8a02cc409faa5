// The order of the examples, and what stands together.
import type { Group } from "../neuron/tiles";
import { baseName, type Example } from "../source/neuron";

export type Sorting = "activation" | "class" | "file";
export type Grouping = "class" | "cluster" | null;

const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
const ORDERS: Record<Sorting, (a: Example, b: Example) => number> = {
  activation: (a, b) => a.rank - b.rank,
  class: (a, b) => words.compare(a.class_name, b.class_name) || a.rank - b.rank,
  file: (a, b) => words.compare(baseName(a.uri), baseName(b.uri)) || a.rank - b.rank,
};

/** `clusters` by rank; null while they are on their way, which leaves the examples ungrouped. */
export function arrange(
  examples: Example[],
  sorting: Sorting,
  grouping: Grouping,
  clusters: number[] | null,
): Group[] {
  const sorted = [...examples].sort(ORDERS[sorting]);
  if (grouping === null || (grouping === "cluster" && !clusters)) {
    return [{ name: "", examples: sorted }];
  }
  const groups = new Map<string, Example[]>();
  for (const example of sorted) {
    const name =
      grouping === "class"
        ? example.class_name || "no class"
        : `Meaning ${(clusters![examples.indexOf(example)] ?? 0) + 1}`;
    const group = groups.get(name);
    if (group) group.push(example);
    else groups.set(name, [example]);
  }
  const found = [...groups].map(([name, members]) => ({ name, examples: members }));
  if (grouping === "cluster") return found.sort((a, b) => words.compare(a.name, b.name));
  return found.sort((a, b) => b.examples.length - a.examples.length);
}
