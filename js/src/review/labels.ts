// The labels of all neurons as columns, and which rows of them are shown in which order.
import type { Reviewed } from "../source/messages";
import { float32, uint32, uint8, type Neuron } from "../source/model";

export type Sorting = "neuron" | "label" | "score" | "lead";
export type Shown = "all" | "unknown" | "close" | "people" | "none" | "changed" | "selected";

/** As `_messages/reviews.py` declares the flags. */
const [UNSURE, CHANGED, DEAD] = [1, 2, 4];
const PERSON = "person";
const UNKNOWN = "unknown";

/** What is known of one row. */
export interface Row extends Neuron {
  row: number;
  label: string;
  /** Whether a person gave it, or said that none fits. */
  person: boolean;
  source: string;
  /** What the scorer said; empty: nothing. */
  said: string;
  runnerUp: string;
  score: number | null;
  margin: number | null;
  chance: number | null;
  lead: number | null;
  unsure: boolean;
  changed: boolean;
  dead: boolean;
}

export interface Labels {
  count: number;
  layers: readonly string[];
  /** Whether the lead over the runner-up is known. */
  judged: boolean;
  at(row: number): Row;
}

const known = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Read the answer to the question "review". */
export function readLabels(said: Reviewed, buffers: readonly DataView[]): Labels {
  const [codes, numbers, flags] = [uint32(buffers[0]), float32(buffers[1]), uint8(buffers[2])];
  const count = flags.length;
  const code = (column: number, row: number) => codes[column * count + row]!;
  const value = (column: number, row: number) => known(numbers[column * count + row]!);
  const nothing = (label: string) => (label === UNKNOWN ? "" : label);
  return {
    count,
    layers: said.layers,
    judged: said.judged,
    at(row) {
      const source = said.sources[code(2, row)]!;
      return {
        row,
        layer: said.layers[code(0, row)]!,
        neuron: code(1, row),
        source,
        person: source === PERSON,
        label: said.names[code(3, row)]!,
        said: nothing(said.names[code(4, row)]!),
        runnerUp: said.names[code(5, row)]!,
        score: value(0, row),
        margin: value(1, row),
        chance: value(2, row),
        lead: value(3, row),
        unsure: (flags[row]! & UNSURE) !== 0,
        changed: (flags[row]! & CHANGED) !== 0,
        dead: (flags[row]! & DEAD) !== 0,
      };
    },
  };
}

/** How far ahead a label is: of the runner-up where that is known, else of what it must reach. */
export const aheadOf = (judged: boolean, row: Row): number | null => judged ? row.lead : row.margin;

export interface Wanted {
  layer: string | null;
  show: Shown;
  sorting: Sorting;
  text: string;
}

const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
/** This share of the neurons is close. */
const CLOSE = 0.1;

/** The rows wanted, in order; equal ones as the lens has them. `selected` are in no order. */
export function arrange(labels: Labels, wanted: Wanted, selected: ReadonlySet<number>): Row[] {
  const text = wanted.text.trim().toLocaleLowerCase();
  const rows: Row[] = [];
  for (let row = 0; row < labels.count; row++) {
    const one = labels.at(row);
    if (wanted.layer !== null && one.layer !== wanted.layer) continue;
    if (text && !`${one.label} ${one.layer} / ${one.neuron}`.toLocaleLowerCase().includes(text)) continue;
    rows.push(one);
  }
  const ahead = (row: Row) => aheadOf(labels.judged, row);
  const keep = keeping(rows, wanted.show, ahead, selected);
  return sorted(rows.filter(keep), wanted.sorting, ahead);
}

function keeping(
  rows: readonly Row[], show: Shown, ahead: (row: Row) => number | null, selected: ReadonlySet<number>,
): (row: Row) => boolean {
  switch (show) {
    case "all": return () => true;
    case "unknown": return ({ unsure }) => unsure;
    case "people": return ({ person }) => person;
    case "none": return ({ person, label }) => person && label === "";
    case "changed": return ({ changed }) => changed;
    case "selected": return ({ row }) => selected.has(row);
    case "close": {
      const told = rows.filter((row) => ahead(row) !== null);
      const closest = sorted(told, "lead", ahead).slice(0, Math.ceil(told.length * CLOSE));
      const kept = new Set(closest.map(({ row }) => row));
      return ({ row }) => kept.has(row);
    }
  }
}

function sorted(rows: Row[], by: Sorting, ahead: (row: Row) => number | null): Row[] {
  if (by === "neuron") return rows;
  if (by === "label") {
    // No label comes last.
    return [...rows].sort((a, b) =>
      Number(a.label === "") - Number(b.label === "") || words.compare(a.label, b.label));
  }
  const of = by === "score" ? ({ score }: Row) => score : ahead;
  const size = (row: Row) => of(row) ?? Infinity;
  return [...rows].sort((a, b) => {
    const [one, other] = [size(a), size(b)];
    return one === other ? 0 : one - other;
  });
}
