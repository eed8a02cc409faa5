// Which points stand out, and how large and solid each is: one small code per point, and tables
// that say what the codes mean.

// Emphasis, from what the filter leaves out to the best search hit.
const GONE = 0;
const DIM = 1;
const PLAIN = 2;
const FIRST_HIT = 3;
const EMPHASES = 7;
const HIT_LEVELS = EMPHASES - FIRST_HIT;
const BINS = 6;

const SIZE = [0.6, 0.85, 1, 1.15, 1.35, 1.6, 1.9];
const OPACITY = [0.07, 0.16, 0.88, 0.95, 1, 1, 1];
/** More points than this are drawn more transparent, so that dense places show. */
const MANY = 10_000;
const LEAST = 0.4;
/** From the smallest to the largest value, in equal steps of area. */
const SIZE_BY = Array.from({ length: BINS }, (_, bin) => Math.sqrt(0.3 + (bin / (BINS - 1)) * 4.2));
const OPACITY_BY = [0.14, 0.32, 0.5, 0.68, 0.86, 1];

export interface Emphasis {
  /** The code of every row: emphasis, size and opacity. */
  level: Uint8Array;
  /** Rows in drawing order: what stands out comes last. */
  order: Uint32Array;
  /** Whether some rows are dimmed or filtered out. */
  dims: boolean;
}

export const emphasisOf = (code: number): number => code % EMPHASES;
/** Whether a point is there to be pointed at. */
export const isShown = (code: number): boolean => emphasisOf(code) !== GONE;
/** Whether a point is as bright as any. */
export const isBright = (code: number): boolean => emphasisOf(code) > DIM;

const codes = Array.from({ length: EMPHASES * BINS * BINS }, (_, code) => code);
const sizeBin = (code: number) => Math.floor(code / EMPHASES) % BINS;
const opacityBin = (code: number) => Math.floor(code / (EMPHASES * BINS));

/** Diameters by code, in units of the ordinary one. */
export const sizeTable = (bySize: boolean): number[] =>
  codes.map((code) => SIZE[emphasisOf(code)]! * (bySize ? SIZE_BY[sizeBin(code)]! : 1));

/** With `contrast`, what is shown is never so faint that it is lost. */
export function opacityTable(count: number, byOpacity: boolean, contrast = false): number[] {
  const least = contrast ? LEAST : 0;
  const thin = Math.min(1, (MANY / Math.max(1, count)) ** 0.28);
  return codes.map((code) => {
    const emphasis = emphasisOf(code);
    const own = byOpacity && emphasis === PLAIN ? OPACITY_BY[opacityBin(code)]! : 1;
    const opacity = OPACITY[emphasis]! * own * (emphasis <= PLAIN ? thin : 1);
    return emphasis === GONE ? opacity : Math.max(least, opacity);
  });
}

/**
 * The rows in an order that is mixed and always the same: drawn layer by layer, the last layer
 * would cover the others.
 */
export function mixedOrder(count: number): Uint32Array {
  const order = new Uint32Array(count);
  for (let row = 0; row < count; row++) order[row] = row;
  let state = 1;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const j = Math.floor((state / 2 ** 32) * (i + 1));
    const other = order[j]!;
    order[j] = order[i]!;
    order[i] = other;
  }
  return order;
}

export interface Hits {
  /** Rows with a score, best first; ties by row. */
  ranked: Uint32Array;
  scores: ReadonlyMap<number, number>;
  /** Rows whose score is no better than chance. */
  unsure: ReadonlySet<number>;
}

/** The bit of a row whose score is no better than chance. */
const UNSURE = 2 ** 31;

/** Read one score per row (NaN: none), or the rows that have one and then their scores. */
export function readHits(bytes: Float32Array, count: number): Hits {
  const scores = new Map<number, number>();
  const unsure = new Set<number>();
  if (bytes.length === count) {
    bytes.forEach((score, row) => Number.isFinite(score) && scores.set(row, score));
  } else {
    const half = bytes.length >> 1;
    const rows = new Uint32Array(bytes.buffer, bytes.byteOffset, half);
    rows.forEach((marked, i) => {
      const row = marked % UNSURE;
      if (row >= count || !Number.isFinite(bytes[half + i]!)) return;
      scores.set(row, bytes[half + i]!);
      if (marked >= UNSURE) unsure.add(row);
    });
  }
  const ranked = Uint32Array.from(scores.keys());
  ranked.sort((a, b) => scores.get(b)! - scores.get(a)! || a - b);
  return { ranked, scores, unsure };
}

interface Chosen {
  hits: Hits;
  selection: ArrayLike<number>;
  /** 1 where the filter lets a row through; null: everywhere. */
  shown: Uint8Array | null;
  sizes: Uint8Array | null;
  opacities: Uint8Array | null;
}

/** `mixed` is the order of rows alike; the result groups it by emphasis, large below small. */
export function emphasise(mixed: Uint32Array, chosen: Chosen): Emphasis {
  const { hits: { ranked, scores, unsure }, selection, shown, sizes, opacities } = chosen;
  const count = mixed.length;
  const level = new Uint8Array(count);
  const dims = ranked.length > 0 || selection.length > 0;
  level.fill(dims ? DIM : PLAIN);
  for (let i = 0; i < selection.length; i++) level[selection[i]!] = PLAIN;
  const sure = ranked.filter((row) => !unsure.has(row));
  const best = scores.get(sure[0] ?? -1) ?? 0;
  const worst = scores.get(sure.at(-1) ?? -1) ?? 0;
  for (const row of unsure) level[row] = PLAIN;
  for (const row of sure) {
    const share = best > worst ? (scores.get(row)! - worst) / (best - worst) : 1;
    level[row] = FIRST_HIT + Math.min(HIT_LEVELS - 1, Math.floor(share * HIT_LEVELS));
  }
  if (shown) for (let row = 0; row < count; row++) if (!shown[row]) level[row] = GONE;
  if (sizes) for (let row = 0; row < count; row++) level[row]! += EMPHASES * sizes[row]!;
  if (opacities) {
    for (let row = 0; row < count; row++) level[row]! += EMPHASES * BINS * opacities[row]!;
  }
  if (!dims && !shown && !sizes) return { level, order: mixed, dims: false };
  return { level, order: byLevel(level, mixed), dims: dims || shown !== null };
}

/** Opacities with those of unsure rows lowered; all others are solid where nothing else says so. */
export function faint(unsure: ArrayLike<number>, opacities: Uint8Array | null): Uint8Array {
  const bins = opacities?.slice() ?? new Uint8Array(unsure.length).fill(BINS - 1);
  for (let row = 0; row < bins.length; row++) if (unsure[row]) bins[row] = Math.min(1, bins[row]!);
  return bins;
}

/** Sizes without those of unsure rows, which are as small as any. */
export function small(unsure: ArrayLike<number>, sizes: Uint8Array): Uint8Array {
  return sizes.map((bin, row) => (unsure[row] ? 0 : bin));
}

const groups = Uint8Array.from(codes, (code) => emphasisOf(code) * BINS + BINS - 1 - sizeBin(code));

function byLevel(level: Uint8Array, mixed: Uint32Array): Uint32Array {
  const starts = new Uint32Array(EMPHASES * BINS + 1);
  for (const code of level) starts[groups[code]! + 1]!++;
  for (let i = 1; i < starts.length; i++) starts[i]! += starts[i - 1]!;
  const order = new Uint32Array(level.length);
  for (const row of mixed) order[starts[groups[level[row]!]!]!++] = row;
  return order;
}

/**
 * Which of a few equal steps each number lies in; what has no number lies in the first. Null where
 * all numbers are alike: they tell nothing apart.
 */
export function binned(values: ArrayLike<number>, min: number, max: number): Uint8Array | null {
  if (!(max > min)) return null;
  const bins = new Uint8Array(values.length);
  const scale = BINS / (max - min);
  for (let row = 0; row < values.length; row++) {
    const bin = Math.floor((values[row]! - min) * scale);
    bins[row] = bin > 0 ? Math.min(BINS - 1, bin) : 0;
  }
  return bins;
}
