// What a page scores and searches by itself, read when it is first asked for.
import type { Live } from "../source/embedded-source";
import type { PagePool, Place } from "../source/page-pool";
import type { Arrays, Numbers } from "./arrays";
import { Scores, type Meta } from "./scores";

/** As widgets/_page/scoring.py writes it. */
export interface StoredScoring {
  meta: [chunk: number, position: number];
  arrays: Record<string, { dtype: string; shape: number[]; place: Place }>;
}

type Typed = new (buffer: ArrayBufferLike, start: number, length: number) => ArrayLike<number>;

/** Of half precision the bits. */
const TYPES: Record<string, Typed & { BYTES_PER_ELEMENT: number }> = {
  float16: Uint16Array, float32: Float32Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array,
};

export function scoringOf(stored: StoredScoring, pool: PagePool): Live {
  let begun: Promise<Scores> | undefined;
  const scores = () => {
    begun ??= read(stored, pool);
    begun.catch(() => (begun = undefined)); // what could not be read may be there the next time
    return begun;
  };
  return {
    scores: async (params) => (await scores()).answers.scores(params),
    beside: async (params) => (await scores()).answers.beside(params),
    chance: async (params) => (await scores()).answers.chance(params),
    search: async (params) => (await scores()).answers.search(params),
    vocabulary: async (params) => (await scores()).answers.vocabulary(params),
  };
}

async function read({ meta, arrays }: StoredScoring, pool: PagePool): Promise<Scores> {
  const names = Object.keys(arrays);
  const [known, ...numbers] = await Promise.all([
    pool.value(meta) as Promise<Meta>,
    ...names.map((name) => numbersOf(arrays[name]!, pool)),
  ]);
  const found: Arrays = Object.fromEntries(names.map((name, at) => [name, numbers[at]!]));
  return new Scores(known, found);
}

async function numbersOf(
  { dtype, shape, place }: StoredScoring["arrays"][string],
  pool: PagePool,
): Promise<Numbers> {
  const kind = TYPES[dtype];
  if (!kind) throw new Error(`This page holds numbers of a kind it cannot read: ${dtype}.`);
  const { buffer, byteOffset, byteLength } = await pool.read(place);
  return { dtype, shape, data: new kind(buffer, byteOffset, byteLength / kind.BYTES_PER_ELEMENT) };
}
