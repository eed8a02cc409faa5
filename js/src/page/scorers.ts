// The scorers by examples, as sums over a neuron's pairs: csp.py, semantic.py and difference.py of
// semlens_widgets/labels.
import { Refused } from "../source/source";
import { add, array, dot, rowOf, unitOf, width, type Arrays, type Row } from "./arrays";
import { exampleWeights } from "./weights";

/** How it is to be scored; every setting has a value. */
export interface Asked {
  scorer: string;
  settings: Readonly<Record<string, boolean | number | string>>;
  exclude: readonly number[];
}

/** What of a lens holds for every neuron. */
export interface Pairs {
  arrays: Arrays;
  /** What examples are compared by if nobody says how. */
  embedding: string;
  /** How many contrastive examples each example has. */
  neighbours: number;
  /** Of how many of the ranks the embeddings are here. */
  kept: number;
}

/** A score as a sum over the pairs, of which each is a direction; its product with a text counts. */
export interface Sum {
  /** NaN if nothing can be said. */
  scale: number;
  total: Float64Array;
  /** By rank; null where there is no example, or no more than a sum of several. */
  each: (Float64Array | null)[];
  /** The share of each rank in what centring subtracts; 0 throughout if it subtracts nothing. */
  shares: readonly number[];
  shift: number;
}

/** As lens/portable.py says that there is no image, or one that does not travel. */
const ABSENT = -1;
/** What is left of unit vectors, of this length, is rounding: no direction. */
const NOTHING = 1e-5;
const TINY = 1e-12;

export function sumOver(page: Pairs, neuron: number, asked: Asked): Sum {
  const { scorer, settings } = asked;
  const side = sideOf(page, String(settings.embedding));
  const how = String(settings.weights);
  const count = scorer === "csp" ? Number(settings.neighbours) : 1;
  if (count > page.neighbours) {
    throw new Refused(`neighbours=${count}: the analysis holds ${page.neighbours} for each example.`, "ValueError", false);
  }
  const seen = readPairs(page, side, neuron);
  const gone = new Set(asked.exclude);
  const valid = seen.there.map((one, rank) => one && !gone.has(rank));
  const weights = exampleWeights(seen.activations, valid, how);
  const rest = restOf(page, seen, gone, weights, how);
  const all = sum(weights);
  const against = weights.map((weight, rank) => (seen.contrasted[rank] ? weight : 0));
  const allAgainst = sum(against);
  const dim = width(array(page.arrays, `${side}.vectors`));
  const [gamma, difference] = [Number(settings.gamma), scorer === "difference"];

  const vector = (at: number): Row => unitOf(page.arrays, `${side}.vectors`, at);
  const total = new Float64Array(dim);
  const each = seen.where.map((places, rank) => {
    if (!seen.there[rank]) return null;
    const found = new Float64Array(dim);
    const weight = weights[rank]!;
    if (weight > 0) {
      add(found, difference ? weight / all : weight, vector(places[0]!));
      if (difference && against[rank]! > 0) add(found, -weight / allAgainst, vector(places[1]!));
      if (scorer === "csp") {
        const taken = rowOf(page.arrays, `${side}.taken.${count}`, neuron);
        for (let j = 0; j < count; j++) {
          if (places[1 + j] === ABSENT) continue;
          add(found, -gamma * weight * taken[rank * count + j]!, vector(places[1 + j]!));
        }
      }
    }
    add(total, 1, found);
    return found;
  });
  if (rest > 0) {
    const others = (what: string) => rowOf(page.arrays, `${side}.rest.${how}${what}`, neuron);
    const times = difference ? rest / all : scorer === "csp" ? (1 - gamma) * rest : rest;
    add(total, times, others(""));
    if (difference && allAgainst > 0) add(total, -rest / allAgainst, others(".contrasts"));
    if (scorer === "csp") add(total, gamma * rest, others(`.left.${count}`));
  }

  const length = Math.sqrt(dot(total, total));
  const empty = scorer === "csp" && length <= NOTHING * all;
  const shift = settings.centred === true && (!difference || allAgainst === 0) && !empty;
  return {
    scale: !valid.includes(true) || empty ? NaN : difference ? 1 : 1 / Math.max(length, TINY),
    total,
    each: empty ? each.map((one) => one && new Float64Array(dim)) : each,
    shares: weights.map((weight) => (shift && all > 0 ? weight / all : 0)),
    shift: shift ? 1 : 0,
  };
}

export const scoreOf = ({ scale, total, shift }: Sum, text: Row, offset: number): number =>
  scale * dot(total, text) - shift * offset;

/** What each pair adds to a text's score, by rank. */
export function partsOf({ scale, each, shares }: Sum, text: Row, offset: number): number[] {
  return each.flatMap((one, rank) =>
    one ? [(Number.isNaN(scale) ? 0 : scale * dot(one, text)) - shares[rank]! * offset] : []);
}

function sideOf({ arrays, embedding }: Pairs, asked: string): string {
  const side = asked === "analysed" ? embedding : asked;
  if (`${side}.vectors` in arrays) return side;
  throw new Refused("The scorer is to compare crops, and the analysis has none: compare whole images.", "ValueError", false);
}

interface Seen {
  activations: number[];
  /** Whether the example exists, and whether it has a contrastive example; of all ranks. */
  there: boolean[];
  contrasted: boolean[];
  /** Of the ranks that are here: where the vectors of example and contrastive examples are. */
  where: number[][];
}

function readPairs({ arrays, kept }: Pairs, side: string, neuron: number): Seen {
  const pairs = array(arrays, `${side}.pairs`);
  const [ranks, wide] = [pairs.shape[1]!, pairs.shape[2]!];
  const places = Array.from({ length: ranks }, (_, rank) =>
    Array.from({ length: wide }, (_, at) => pairs.data[(neuron * ranks + rank) * wide + at]!));
  return {
    activations: Array.from(rowOf(arrays, "activations", neuron)),
    there: places.map(([example]) => example !== ABSENT),
    contrasted: places.map(([, contrast]) => contrast !== ABSENT),
    where: places.slice(0, kept),
  };
}

/** How many times the sum of the other ranks counts: the sum is of the weights with all pairs. */
function restOf(
  { kept }: Pairs, seen: Seen, gone: ReadonlySet<number>, weights: readonly number[], how: string,
): number {
  if (kept >= weights.length) return 0;
  const behind = [...gone].find((rank) => rank >= kept);
  if (behind !== undefined) {
    throw refusedPair(kept, `pair ${behind + 1} cannot be left out`);
  }
  const before = exampleWeights(seen.activations, seen.there, how).slice(kept);
  const now = weights.slice(kept);
  const first = before.findIndex((weight) => weight > 0);
  const times = first < 0 ? 0 : now[first]! / before[first]!;
  if (now.some((weight, i) => Math.abs(weight - times * before[i]!) > 1e-9)) {
    throw refusedPair(kept, `without one, the others would weigh differently by “${how}”`);
  }
  return times;
}

const refusedPair = (kept: number, why: string) =>
  new Refused(`This page holds the first ${kept} pairs one by one and the others as a sum: ${why}. Open its notebook to do that.`, "NotRecorded", false);

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0);
