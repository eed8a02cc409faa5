// The numbers of semlens_widgets/lens/portable.py, row by row.
import { Refused } from "../source/source";

export interface Numbers {
  shape: readonly number[];
  /** Of float16 the bits, as uint16. */
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

/** Is 0 among numbers that are kept in sixteen bits. */
const MIDDLE = 32_768;

/** One row; what is kept in sixteen bits has the row's scale beside it. */
export function rowOf(arrays: Arrays, name: string, at: number): Row {
  const numbers = array(arrays, name);
  const wide = width(numbers);
  const packed = arrays[`${name}.scale`];
  if (!packed && numbers.data instanceof Float32Array) return numbers.data.subarray(at * wide, (at + 1) * wide);
  const row = new Float64Array(wide);
  const [zero, scale] = packed ? [MIDDLE, packed.data[at]!] : [0, 1];
  for (let i = 0; i < wide; i++) row[i] = (numbers.data[at * wide + i]! - zero) * scale;
  return row;
}

/** What the bits of half precision stand for. */
let halves: Float32Array | undefined;

/** A unit vector that is stored as the bits of half precision. */
export function unitOf(arrays: Arrays, name: string, at: number): Row {
  const numbers = array(arrays, name);
  const wide = width(numbers);
  const row = new Float64Array(wide);
  halves ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => half(bits));
  for (let i = 0; i < wide; i++) row[i] = halves[numbers.data[at * wide + i]!]!;
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
