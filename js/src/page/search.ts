// Which neurons fit a word or a neuron, as widgets/_answers.py answers it.
import { Refused, type Reply } from "../source/source";
import type { Hit, Hits, Questions } from "../source/messages";
import { dot, rowOf, single, type Arrays } from "./arrays";

/** So many neurons are listed and highlighted, as in widgets/_answers.py. */
const HITS = 24;
/** The bit of a row whose score is no better than chance, as in widgets/_columns.py. */
const UNSURE = 2 ** 31;

interface Place {
  row: number;
  layer: string;
  neuron: number;
  label: string;
}

export interface Searched {
  arrays: Arrays;
  neurons: readonly Place[];
  /** How many neurons the whole analysis has. */
  count: number;
  find(layer: string, neuron: number): number;
  /** The correlation of a neuron with a word, in the plain sentence. */
  score(neuron: number, word: string): number;
  /** What one random word in twenty reaches on a neuron. */
  high(neuron: number): number;
}

export function search(page: Searched, params: Questions["search"]["params"]): Reply<Hits> {
  const { like, layer } = params;
  const words = (params.query ?? "").split(/\s+/).filter(Boolean).join(" ");
  if (!like && words === "") throw new Refused("The query is blank. Give a text like 'striped'.", "ValueError", false);
  const own = like ? page.find(like.layer, like.neuron) : -1;
  const places = [...page.neurons.keys()]
    .filter((at) => layer === null || layer === undefined || page.neurons[at]!.layer === layer);
  if (places.length === 0) throw new Refused(`No neuron of the layer ${layer} travels with this page.`, "KeyError", false);
  const scores = new Map(places.map((at) =>
    [at, Math.fround(like ? likeness(page, at, own) : page.score(at, words))]));
  const found = ranked(places, scores).slice(0, HITS + 1).filter((at) => at !== own).slice(0, HITS);
  const chance = new Map(found.map((at) => [at, like ? NaN : page.high(at)]));
  const hits = found.map((at): Hit => {
    const { layer, neuron, label } = page.neurons[at]!;
    return { layer, neuron, label, score: single(scores.get(at)!), chance: single(chance.get(at)!) };
  });
  const shown = found.map((at) => ({
    row: page.neurons[at]!.row,
    score: scores.get(at)!,
    unsure: scores.get(at)! <= chance.get(at)!,
  }));
  return { result: { hits }, buffers: [packed(shown, page.count)] };
}

/** The cosine of two neurons' semantic vectors, less the mean one of all images with the second. */
function likeness({ arrays }: Searched, one: number, other: number): number {
  const towards = rowOf(arrays, "directions", other);
  const mean = rowOf(arrays, "mean", 0);
  return Math.fround(dot(rowOf(arrays, "directions", one), towards)) - Math.fround(dot(mean, towards));
}

/** Highest first, ties by place, and those without a score last. */
function ranked(places: readonly number[], scores: ReadonlyMap<number, number>): number[] {
  const value = (at: number) => scores.get(at)!;
  const known = places.filter((at) => !Number.isNaN(value(at)));
  return [...known.sort((a, b) => value(b) - value(a)), ...places.filter((at) => Number.isNaN(value(at)))];
}

/** As `pack_scores` of widgets/_columns.py: rows and their scores, or all scores where shorter. */
function packed(shown: { row: number; score: number; unsure: boolean }[], count: number): DataView {
  const known = shown.filter(({ score }) => !Number.isNaN(score)).sort((a, b) => a.row - b.row);
  const doubted = known.some(({ unsure }) => unsure);
  if (!doubted && 2 * known.length >= count) {
    const all = new Float32Array(count).fill(NaN);
    for (const { row, score } of known) all[row] = score;
    return new DataView(all.buffer);
  }
  const rows = known.map(({ row, unsure }) => row + (unsure ? UNSURE : 0));
  const values = known.map(({ score }) => score);
  if (doubted && 2 * known.length === count) {
    rows.push(UNSURE - 1);
    values.push(0);
  }
  const bytes = new DataView(new ArrayBuffer(8 * rows.length));
  rows.forEach((row, i) => bytes.setUint32(4 * i, row, true));
  values.forEach((value, i) => bytes.setFloat32(4 * (rows.length + i), value, true));
  return bytes;
}
