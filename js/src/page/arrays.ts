// The numbers of semlens_widgets/lens/portable.py, row by row.
import { Refused } from "../source/source";

export interface Numbers {
  /** As numpy calls it; of float16 the data are the bits, as uint16. */
  dtype: string;
  shape: readonly number[];
  data: ArrayLike<number>;
}

export type Arrays = Readonly<Record<string, Numbers>>;

export type Row = ArrayLike<number>;

export function array(arrays: Arrays, name: string): Numbers {
  const found = arrays[name];
  if (!found) throw new Refused(`This page lacks its numbers ${name}: save it anew.`, "NotRecorded", false);
  return found;
}

/** So many numbers belong to one of the first axis. */
export const width = ({ shape }: Numbers): number => shape.slice(1).reduce((a, b) => a * b, 1);

/** One row; what is kept in sixteen bits has the row's scale beside it. */
export function rowOf(arrays: Arrays, name: string, at: number): Row {
  const numbers = array(arrays, name);
  const wide = width(numbers);
  const row = new Float64Array(wide);
  const scale = arrays[`${name}.scale`]?.data[at] ?? 1;
  for (let i = 0; i < wide; i++) row[i] = numbers.data[at * wide + i]! * scale;
  return row;
}

/** A unit vector that is stored as the bits of half precision. */
export function unitOf(arrays: Arrays, name: string, at: number): Row {
  const numbers = array(arrays, name);
  const wide = width(numbers);
  const row = new Float64Array(wide);
  for (let i = 0; i < wide; i++) row[i] = half(numbers.data[at * wide + i]!);
  const length = Math.sqrt(dot(row, row));
  if (length > 0) for (let i = 0; i < wide; i++) row[i]! /= length;
  return row;
}

function half(bits: number): number {
  const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

export function dot(one: Row, other: Row): number {
  let sum = 0;
  for (let i = 0; i < one.length; i++) sum += one[i]! * other[i]!;
  return sum;
}

/** Add so many times a row. */
export function add(to: Float64Array, times: number, row: Row): void {
  for (let i = 0; i < to.length; i++) to[i]! += times * row[i]!;
}

/** As Python has it, which keeps single precision; null is what JSON has for "no number". */
export function single(value: number): number | null {
  return Number.isFinite(value) ? Math.fround(value) : null;
}
