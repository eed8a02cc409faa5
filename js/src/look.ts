// Which points stand out: search hits, a lasso selection, one category of the legend.

/** Sizes (times the ordinary one) and opacities by emphasis level. */
export const LEVELS = {
  size: [0.85, 1, 1.15, 1.35, 1.6, 1.9],
  opacity: { few: [0.16, 0.88, 0.95, 1, 1, 1], many: [0.08, 0.6, 0.9, 1, 1, 1] },
} as const;
const DIM = 0;
const PLAIN = 1;
const HIT_LEVELS = LEVELS.size.length - 2;

export interface Emphasis {
  /** Emphasis level of every row. */
  level: Uint8Array;
  /** Rows in drawing order: what stands out comes last. */
  order: Uint32Array;
  /** Whether some rows are dimmed. */
  dims: boolean;
}

/**
 * The rows in an order that is mixed and always the same: drawn layer by layer, the last layer
 * would cover the others.
 */
export function mixedOrder(count: number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, row) => row);
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Rows with a score, best first; ties by row. */
export function rankRows(scores: Float32Array): Uint32Array {
  const rows: number[] = [];
  scores.forEach((score, row) => {
    if (Number.isFinite(score)) rows.push(row);
  });
  rows.sort((a, b) => scores[b]! - scores[a]! || a - b);
  return Uint32Array.from(rows);
}

/** `order` is that of rows alike; the result groups it by emphasis. */
export function emphasise(
  order: Uint32Array,
  ranked: ArrayLike<number>,
  scores: Float32Array,
  selection: ArrayLike<number>,
  isolated: ((row: number) => boolean) | null,
): Emphasis {
  const count = order.length;
  const level = new Uint8Array(count).fill(PLAIN);
  if (ranked.length === 0 && selection.length === 0 && !isolated) {
    return { level, order, dims: false };
  }
  if (ranked.length > 0) {
    level.fill(DIM);
    const best = scores[ranked[0]!]!;
    const worst = scores[ranked[ranked.length - 1]!]!;
    for (let rank = 0; rank < ranked.length; rank++) {
      const share = best > worst ? (scores[ranked[rank]!]! - worst) / (best - worst) : 1;
      level[ranked[rank]!] = 2 + Math.min(HIT_LEVELS - 1, Math.floor(share * HIT_LEVELS));
    }
  }
  if (selection.length > 0) {
    const inside = new Uint8Array(count);
    for (let i = 0; i < selection.length; i++) inside[selection[i]!] = 1;
    for (let row = 0; row < count; row++) {
      if (!inside[row] && level[row] === PLAIN) level[row] = DIM;
      else if (inside[row] && level[row] === DIM) level[row] = PLAIN;
    }
  }
  if (isolated) for (let row = 0; row < count; row++) if (!isolated(row)) level[row] = DIM;
  return { level, order: byLevel(level, order), dims: true };
}

function byLevel(level: Uint8Array, mixed: Uint32Array): Uint32Array {
  const starts = new Uint32Array(LEVELS.size.length + 1);
  for (const value of level) starts[value + 1]!++;
  for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
  const order = new Uint32Array(level.length);
  for (const row of mixed) order[starts[level[row]!]!++] = row;
  return order;
}
