// Rows as one bit each, the lowest bit of a byte first: how selections travel.

/** A set of rows as one bit per row, the first row in the lowest bit; no bytes: no rows. */
export function toBits(
  count: number,
  before: ArrayLike<number>,
  rows: ArrayLike<number>,
  into: boolean,
): ArrayBuffer {
  const bits = new Uint8Array(Math.ceil(count / 8));
  for (let i = 0; i < before.length; i++) bits[before[i]! >> 3]! |= 1 << (before[i]! & 7);
  for (let i = 0; i < rows.length; i++) {
    if (into) bits[rows[i]! >> 3]! |= 1 << (rows[i]! & 7);
    else bits[rows[i]! >> 3]! &= ~(1 << (rows[i]! & 7));
  }
  return bits.some((byte) => byte !== 0) ? bits.buffer : new ArrayBuffer(0);
}

/** 1 for each row of `toBits`. */
export function flagsOfBits(bits: Uint8Array, count: number): Uint8Array {
  const flags = new Uint8Array(count);
  for (const row of rowsOfBits(bits, count)) flags[row] = 1;
  return flags;
}

/** The rows of `toBits`, ascending. */
export function rowsOfBits(bits: Uint8Array, count: number): Uint32Array<ArrayBuffer> {
  const rows: number[] = [];
  for (let byte = 0; byte < bits.length; byte++) {
    for (let bit = 0; bits[byte]! >> bit; bit++) {
      const row = 8 * byte + bit;
      if ((bits[byte]! >> bit) & 1 && row < count) rows.push(row);
    }
  }
  return Uint32Array.from(rows);
}
