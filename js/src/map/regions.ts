// Names of regions: where neurons of a label lie together.
import type { Labels } from "../source/columns";

export interface Region {
  text: string;
  x: number;
  y: number;
  /** How much the region asks to be named. */
  weight: number;
}

const CELLS = 28;
const MOST_NAMES = 4096;
const MOST = 160;
/** A name must hold for at least this share of the neurons where it stands. */
const SHARE = 0.12;
/** A region has at least this share of all neurons, and of those in its label's largest region. */
const SHARE_OF_ALL = 0.0015;
const SHARE_OF_LARGEST = 0.25;

function frequent({ names, codes }: Labels, shown: Uint8Array | null): number[] {
  const counts = new Uint32Array(names.length);
  for (let row = 0; row < codes.length; row++) if (!shown || shown[row]) counts[codes[row]!]!++;
  const order = [...names.keys()].filter((code) => names[code] && counts[code]! >= 3);
  return order.sort((a, b) => counts[b]! - counts[a]!).slice(0, MOST_NAMES);
}

/** Where the neurons of a label lie together, the most telling regions first. */
export function regions(
  x: Float32Array,
  y: Float32Array,
  labels: Labels,
  shown: Uint8Array | null = null,
): Region[] {
  const kept = frequent(labels, shown);
  const slot = new Int32Array(labels.names.length).fill(-1);
  kept.forEach((code, i) => (slot[code] = i));
  const area = CELLS * CELLS;
  const total = new Uint32Array(area);
  const counts = new Uint32Array(kept.length * area);
  const cellOf = (value: number) =>
    Math.min(CELLS - 1, Math.max(0, Math.floor(((value + 1) / 2) * CELLS)));
  const cells = new Int32Array(x.length).fill(-1);
  let placed = 0;
  for (let row = 0; row < x.length; row++) {
    if (!Number.isFinite(x[row]! + y[row]!) || (shown && !shown[row])) continue;
    placed++;
    const cell = cellOf(y[row]!) * CELLS + cellOf(x[row]!);
    cells[row] = cell;
    total[cell]!++;
    const own = slot[labels.codes[row]!] ?? -1;
    if (own >= 0) counts[own * area + cell]!++;
  }
  const partOf = new Int32Array(counts.length).fill(-1);
  const parts: { label: number; count: number; around: number; x: number; y: number; n: number }[] =
    [];
  for (let own = 0; own < kept.length; own++) {
    const sized = patches(counts, total, own * area).map((cells) => ({
      cells,
      count: cells.reduce((sum, cell) => sum + counts[own * area + cell]!, 0),
      around: cells.reduce((sum, cell) => sum + total[cell]!, 0),
    }));
    const largest = Math.max(0, ...sized.map(({ count }) => count));
    const least = Math.max(3, SHARE_OF_ALL * placed, SHARE_OF_LARGEST * largest);
    for (const { cells, count, around } of sized) {
      if (count < least || count < SHARE * around) continue;
      for (const cell of cells) partOf[own * area + cell] = parts.length;
      parts.push({ label: kept[own]!, count, around, x: 0, y: 0, n: 0 });
    }
  }
  for (let row = 0; row < x.length; row++) {
    const own = slot[labels.codes[row]!] ?? -1;
    const part = own < 0 || cells[row]! < 0 ? undefined : parts[partOf[own * area + cells[row]!]!];
    if (!part) continue;
    part.x += x[row]!;
    part.y += y[row]!;
    part.n++;
  }
  return parts
    .map(({ label, count, around, n, ...sum }) => ({
      text: labels.names[label]!,
      x: sum.x / n,
      y: sum.y / n,
      weight: count * Math.sqrt(count / around),
    }))
    .sort((a, b) => b.weight - a.weight || (a.text < b.text ? -1 : 1))
    .slice(0, MOST);
}

/** Cells that touch and where the label is common, as groups. */
function patches(counts: Uint32Array, total: Uint32Array, start: number): number[][] {
  const area = CELLS * CELLS;
  const common = (cell: number) =>
    counts[start + cell]! > 0 && counts[start + cell]! >= 0.5 * SHARE * total[cell]!;
  const seen = new Uint8Array(area);
  const found: number[][] = [];
  for (let first = 0; first < area; first++) {
    if (seen[first] || !common(first)) continue;
    const patch = [first];
    seen[first] = 1;
    for (let k = 0; k < patch.length; k++) {
      const [column, line] = [patch[k]! % CELLS, Math.floor(patch[k]! / CELLS)];
      for (let j = Math.max(0, line - 1); j <= Math.min(CELLS - 1, line + 1); j++) {
        for (let i = Math.max(0, column - 1); i <= Math.min(CELLS - 1, column + 1); i++) {
          const cell = j * CELLS + i;
          if (seen[cell] || !common(cell)) continue;
          seen[cell] = 1;
          patch.push(cell);
        }
      }
    }
    found.push(patch);
  }
  return found;
}
