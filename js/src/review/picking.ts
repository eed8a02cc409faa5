// Which rows are selected after a click or a key, as in any list of files.

interface How {
  /** To the last row picked, all between. */
  range: boolean;
  /** Beside those that are selected. */
  add: boolean;
}

export interface Picked {
  rows: ReadonlySet<number>;
  /** Where a range starts from. */
  anchor: number;
}

/** `order` are the rows as they stand below each other. */
export function pick(
  { rows, anchor }: Picked, row: number, order: readonly number[], { range, add }: How,
): Picked {
  if (range) {
    const [from, to] = [order.indexOf(anchor), order.indexOf(row)];
    const start = from < 0 ? to : Math.min(from, to);
    const between = order.slice(start, Math.max(from, to) + 1);
    return { rows: new Set(add ? [...rows, ...between] : between), anchor: from < 0 ? row : anchor };
  }
  if (!add) return { rows: new Set([row]), anchor: row };
  const toggled = new Set(rows);
  if (!toggled.delete(row)) toggled.add(row);
  return { rows: toggled, anchor: row };
}
