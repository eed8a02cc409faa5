// Why a label scores as it does: what each pair adds, to its score or to its lead.

export type Measure = "score" | "lead";

/** By rank; null where there is nothing to tell, such as a scorer that cannot be taken apart. */
export function contributionsOf(
  parts: ReadonlyMap<string, Float32Array>,
  candidate: string | null,
  rival: string | null,
  measure: Measure,
): number[] | null {
  const own = candidate === null ? undefined : parts.get(candidate);
  if (!own) return null;
  if (measure === "score") return [...own];
  const other = rival === null ? undefined : parts.get(rival);
  return other ? [...own].map((value, rank) => value - other[rank]!) : null;
}

const list = new Intl.ListFormat("en", { type: "conjunction" });

/** In words: which pairs give most, and how many speak against it. */
export function inWords(values: number[], excluded: ReadonlySet<number>): string {
  const ranks = values.map((_, rank) => rank).filter((rank) => !excluded.has(rank));
  const sorted = ranks.sort((a, b) => values[b]! - values[a]!);
  const best = sorted.slice(0, 3).filter((rank) => values[rank]! > 0);
  const against = ranks.filter((rank) => values[rank]! < 0).length;
  if (best.length === 0) return "No pair speaks for it.";
  const names = list.format(best.map((rank) => String(rank + 1)));
  const most = best.length === 1 ? `Pair ${names} gives most` : `Pairs ${names} give most`;
  return against === 0 ? `${most}; none speaks against it.` : `${most}; ${against} of ${ranks.length} speak against it.`;
}
