// The list of neurons with their matches: which, and in what order.
import type { Matches } from "../source/messages";

export type Which = "a" | "b";
export const other = (side: Which): Which => (side === "a" ? "b" : "a");

export type Show = "matches" | "only_a" | "only_b" | "changes";
export type Matching = "nearest" | "assigned";
export type Column = "neuron" | "similarity" | "kept";

export interface Order {
  by: Column;
  rising: boolean;
}

/** A neuron of the side that is listed, and its match on the other. */
export interface Row {
  own: number;
  /** -1: none. */
  match: number;
  similarity: number | null;
  /** The share of its examples that it still has; null where nothing was changed. */
  kept: number | null;
}

export const rowsOf = ({ match, similarity, kept, changed }: Matches): Row[] =>
  match
    .map((found, own) => ({
      own, match: found, similarity: similarity[own] ?? null, kept: kept[own] ?? null,
    }))
    .filter(({ own }) => changed[own] ?? true);

/** What is only in one comes least alike first, and so does what has changed. */
export const firstOrder = (show: Show): Order => ({ by: "similarity", rising: show !== "matches" });

export const sideOf = (show: Show): Which => (show === "only_b" ? "b" : "a");

/** Those without a number come last, whichever way. */
export function sorted(rows: readonly Row[], { by, rising }: Order): Row[] {
  const value = (row: Row) => (by === "neuron" ? row.own : row[by]);
  return [...rows].sort((one, two) => {
    const [a, b] = [value(one), value(two)];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return (rising ? a - b : b - a) || one.own - two.own;
  });
}

/** Rows in which either label has the words, or either neuron the number. */
export function having(
  rows: readonly Row[], words: string, own: readonly string[], match: readonly string[],
): readonly Row[] {
  const wanted = words.trim().toLowerCase();
  if (wanted === "") return rows;
  const has = (labels: readonly string[], at: number) =>
    String(at) === wanted || (labels[at] ?? "").toLowerCase().includes(wanted);
  return rows.filter((row) => has(own, row.own) || (row.match >= 0 && has(match, row.match)));
}
