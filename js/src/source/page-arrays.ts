// Arrays of numbers as a page holds them (widgets/_page/chunks.py).
import { float32, uint16, uint32, uint8 } from "./model";
import type { PagePool, Place } from "./page-pool";

export interface ArrayOfPage {
  dtype: "float16" | "float32" | "uint8" | "uint16" | "uint32";
  shape: number[];
  place: Place;
}

export interface NumberArray extends Omit<ArrayOfPage, "place"> {
  /** In C order; float16 as the bits of each number. */
  data: Float32Array | Uint8Array | Uint16Array | Uint32Array;
}

const READ = { float16: uint16, float32, uint8, uint16, uint32 } as const;

export async function readArrays(
  pool: PagePool,
  arrays: Record<string, ArrayOfPage>,
): Promise<Record<string, NumberArray>> {
  const read = Object.entries(arrays).map(async ([name, { dtype, shape, place }]) =>
    [name, { dtype, shape, data: READ[dtype](await pool.read(place)) }] as const);
  return Object.fromEntries(await Promise.all(read));
}
