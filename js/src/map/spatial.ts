// Finding points: a uniform grid for the nearest one, and point in polygon for the lasso.

export class GridIndex {
  private readonly cells: number;
  private readonly starts: Uint32Array;
  private readonly rows: Uint32Array;

  constructor(
    private readonly x: Float32Array,
    private readonly y: Float32Array,
  ) {
    const n = x.length;
    this.cells = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(n / 2))));
    this.starts = new Uint32Array(this.cells * this.cells + 1);
    const cellOf = new Int32Array(n);
    for (let i = 0; i < n; i++) {
      const cell = Number.isFinite(x[i]!) && Number.isFinite(y[i]!)
        ? this.column(y[i]!) * this.cells + this.column(x[i]!)
        : -1;
      cellOf[i] = cell;
      if (cell >= 0) this.starts[cell + 1]!++;
    }
    for (let c = 0; c < this.cells * this.cells; c++) this.starts[c + 1]! += this.starts[c]!;
    const next = this.starts.slice();
    this.rows = new Uint32Array(this.starts[this.cells * this.cells]!);
    for (let i = 0; i < n; i++) if (cellOf[i]! >= 0) this.rows[next[cellOf[i]!]!++] = i;
  }

  private column(value: number): number {
    return Math.min(this.cells - 1, Math.max(0, Math.floor(((value + 1) / 2) * this.cells)));
  }

  /** The row nearest to (x, y) within the radius, or -1; `accept` leaves rows out. */
  nearest(x: number, y: number, radius: number, accept?: (row: number) => boolean): number {
    let best = -1;
    let bestSquare = radius * radius;
    const [left, right] = [this.column(x - radius), this.column(x + radius)];
    const [bottom, top] = [this.column(y - radius), this.column(y + radius)];
    for (let j = bottom; j <= top; j++) {
      for (let i = left; i <= right; i++) {
        const cell = j * this.cells + i;
        for (let k = this.starts[cell]!; k < this.starts[cell + 1]!; k++) {
          const row = this.rows[k]!;
          const square = (this.x[row]! - x) ** 2 + (this.y[row]! - y) ** 2;
          if (square < bestSquare && (!accept || accept(row))) {
            best = row;
            bestSquare = square;
          }
        }
      }
    }
    return best;
  }

  /** How many rows that are shown lie in a box around (x, y), counted up to `most`. */
  count(
    x: number,
    y: number,
    reachX: number,
    reachY: number,
    most: number,
    shown: Uint8Array | null,
  ): number {
    let found = 0;
    const [left, right] = [this.column(x - reachX), this.column(x + reachX)];
    const [bottom, top] = [this.column(y - reachY), this.column(y + reachY)];
    for (let j = bottom; j <= top; j++) {
      // The cells of a line follow each other.
      const end = this.starts[j * this.cells + right + 1]!;
      for (let k = this.starts[j * this.cells + left]!; k < end; k++) {
        const row = this.rows[k]!;
        if (Math.abs(this.x[row]! - x) > reachX || Math.abs(this.y[row]! - y) > reachY) continue;
        if (shown && !shown[row]) continue;
        if (++found >= most) return found;
      }
    }
    return found;
  }
}

/** Rows inside a polygon of data coordinates [x0, y0, x1, y1, ...], even-odd rule. */
export function rowsInPolygon(
  x: Float32Array,
  y: Float32Array,
  polygon: readonly number[],
): Uint32Array<ArrayBuffer> {
  const corners = polygon.length / 2;
  const inside: number[] = [];
  if (corners < 3) return new Uint32Array(0);
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let c = 0; c < corners; c++) {
    left = Math.min(left, polygon[2 * c]!);
    right = Math.max(right, polygon[2 * c]!);
    bottom = Math.min(bottom, polygon[2 * c + 1]!);
    top = Math.max(top, polygon[2 * c + 1]!);
  }
  for (let i = 0; i < x.length; i++) {
    const px = x[i]!;
    const py = y[i]!;
    if (!(px >= left && px <= right && py >= bottom && py <= top)) continue;
    let odd = false;
    for (let a = 0, b = corners - 1; a < corners; b = a++) {
      const [ax, ay] = [polygon[2 * a]!, polygon[2 * a + 1]!];
      const [bx, by] = [polygon[2 * b]!, polygon[2 * b + 1]!];
      if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) odd = !odd;
    }
    if (odd) inside.push(i);
  }
  return Uint32Array.from(inside);
}
