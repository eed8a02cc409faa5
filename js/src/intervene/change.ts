// What is done to neurons, in words and as what is asked of the kernel.
import type { ChangeAsked } from "../source/messages";
import type { Neuron } from "../source/model";
import { rowsOfBits } from "../source/bits";

export type How = "zero" | "mean" | "scale" | "clamp" | "project";

export const WAYS: readonly (readonly [How, string])[] = [
  ["zero", "Zero"], ["mean", "Mean"], ["scale", "Scale"], ["clamp", "Clamp"], ["project", "Project"],
];

/** What a slider says of the ways that take a number. */
export const AMOUNTS: Partial<Record<How, { label: string; text: (amount: number) => string }>> = {
  scale: { label: "Factor", text: (amount) => `× ${amount.toFixed(2)}` },
  clamp: { label: "Quantile", text: (amount) => `${Math.round(100 * amount)} %` },
};

const DONE: Record<How, (amount: number) => string> = {
  zero: () => "set to 0",
  mean: () => "held at their mean",
  scale: (amount) => `multiplied by ${amount.toFixed(2)}`,
  clamp: (amount) => `kept below their ${Math.round(100 * amount)} % quantile`,
  project: () => "with their concept projected out",
};

export function inWords({ rows, how, amount }: ChangeAsked): string {
  const count = rows.length === 1 ? "1 neuron" : `${rows.length.toLocaleString("en")} neurons`;
  return `${count} ${DONE[how as How](amount)}`;
}

/** The layers in the order of the table, each with how many neurons it has. */
export type Spans = readonly (readonly [layer: string, count: number])[];

/** Which neuron a row of the table is. */
export function neuronAt(spans: Spans, row: number): Neuron {
  let start = 0;
  for (const [layer, count] of spans) {
    if (row < start + count) return { layer, neuron: row - start };
    start += count;
  }
  return { layer: "", neuron: row };
}

export const rowsSelected = (bits: Uint8Array, spans: Spans): number[] =>
  [...rowsOfBits(bits, spans.reduce((sum, [, count]) => sum + count, 0))];

/** What to ask; null where no neuron is selected. A number that the way does not take is 0. */
export function asked(rows: number[], how: How, amount: number, of: string): ChangeAsked | null {
  return rows.length > 0 ? { rows, how, amount: AMOUNTS[how] ? amount : 0, of } : null;
}

/** Whether an answer is to what is asked now. */
export const answers = (said: ChangeAsked, wanted: ChangeAsked | null): boolean =>
  wanted !== null && said.how === wanted.how && said.amount === wanted.amount
  && (wanted.of === "" || said.of === wanted.of) && said.rows.join() === wanted.rows.join();
