// What a page answers about labels by itself, as the kernel's contrast.py, _weighed.py and _answers.py
// do, from what semlens_widgets/lens/portable.py wrote.
import { Refused, type Reply } from "../source/source";
import type { Questions } from "../source/messages";
import { array, dot, rowOf, single, width, type Arrays, type Row } from "./arrays";
import { partsOf, scoreOf, sumOver, type Asked } from "./scorers";
import { search } from "./search";
import { Texts } from "./texts";

type Setting = boolean | number | string;
type Params = Questions["scores"]["params"];
type Score = [string, number | null];
type Answered = "scores" | "beside" | "chance" | "search" | "vocabulary";

export interface Scorer {
  /** Whether it rests on the pairs, so that some can be left out. */
  pairs: boolean;
  /** Whether a score can be shared out among them. */
  explains: boolean;
  /** Its settings where nobody chose others. */
  settings: Record<string, Setting>;
  /** Settings that this page has one value of. */
  fixed: Record<string, Setting>;
}

export interface Meta {
  /** How many neurons the whole analysis has. */
  count: number;
  neurons: { row: number; layer: string; neuron: number; label: string }[];
  texts: string[];
  /** Whether the text encoder takes capital letters for small ones. */
  folds: boolean;
  /** What labels were chosen from: what of it travels, and how much there is. */
  vocabulary: { words: string[]; total: number };
  /** Sentences around a label, by name. */
  sets: Record<string, string[]>;
  scorers: Record<string, Scorer>;
  /** Scorers that do not travel, as people call them. */
  missing: string[];
  embedding: string;
  neighbours: number;
  /** How many examples a neuron has, and of how many the embeddings travel. */
  ranks: number;
  kept: number;
}

/** As widgets/_candidates.py and contrast.py know them. */
const KEPT = 64;
const LONGEST = 120;
const MOST = 5000;
const SUGGESTIONS = 8;
const UNKNOWN = "unknown";
/** NaN among shares that are kept in sixteen bits, and what 1 is there. */
const NO_SHARE = 65_535;
const WHOLE = 65_534;

export class Scores {
  readonly answers: {
    [M in Answered]: (params: Questions[M]["params"]) => Reply<Questions[M]["result"]>;
  };
  private readonly texts: Texts;
  private readonly places = new Map<string, number>();
  private readonly mean: Row;

  constructor(private readonly meta: Meta, private readonly arrays: Arrays) {
    this.texts = new Texts(meta.texts, meta.folds, meta.sets);
    meta.neurons.forEach(({ layer, neuron }, at) => this.places.set(`${neuron} ${layer}`, at));
    this.mean = rowOf(arrays, "mean", 0);
    this.answers = {
      scores: (params) => this.scores(params),
      beside: (params) => this.beside(params),
      chance: (params) => ({ result: this.chance(this.asked(params), this.find(params.layer, params.neuron)), buffers: [] }),
      search: (params) => this.search(params),
      vocabulary: () => this.vocabulary(),
    };
  }

  private find(layer: string, neuron: number): number {
    const found = this.places.get(`${neuron} ${layer}`);
    if (found !== undefined) return found;
    throw new Refused(`Neuron ${neuron} of ${layer} does not travel with this page. Open its notebook to see it.`, "NotRecorded", false);
  }

  private scores(params: Params): Reply<Questions["scores"]["result"]> {
    const at = this.find(params.layer, params.neuron);
    const label = this.meta.neurons[at]!.label;
    const known = label === UNKNOWN ? "" : label;
    const given = distinct(params.candidates ?? []);
    const suggest = given.length === 0;
    const candidates = suggest ? distinct([known, ...this.meta.vocabulary.words])
      : known.trim() !== "" && fits(known) ? distinct([...given, known]) : given;
    if (candidates.length === 0) return { result: { scores: [], explained: [], own: "" }, buffers: [] };
    const asked = this.asked(params);
    const own = candidates.find((name) => name.toLowerCase() === known.toLowerCase()) ?? "";
    let pairs = this.scored(asked, at, candidates);
    if (suggest) {
      const top = best(pairs, SUGGESTIONS);
      pairs = [...top, ...pairs.filter((pair) => pair[0] === own && !top.includes(pair))];
    }
    const explains = this.meta.scorers[asked.scorer]!.explains;
    const explained = explains ? best(pairs, KEPT).map(([name]) => name) : [];
    const buffers = explains ? [this.parts(asked, at, explained)] : [];
    return { result: { scores: pairs, explained, own }, buffers };
  }

  private beside(params: Params): Reply<Questions["beside"]["result"]> {
    const { layer, neuron } = params;
    const at = this.find(layer, neuron);
    const asked = this.asked(params);
    const names = distinct(params.candidates ?? []);
    if (names.length === 0) throw new Refused("There is no label to score. Give at least one.", "ValueError", false);
    const scores = this.scored(asked, at, names);
    const chance = this.chance(asked, at);
    return { result: { layer, neuron, scorer: asked.scorer, scores, chance }, buffers: [] };
  }

  private search(params: Questions["search"]["params"]): Reply<Questions["search"]["result"]> {
    const asked = this.asked({ scorer: "correlation", settings: {}, templates: "plain", exclude: [] });
    return search({
      arrays: this.arrays,
      neurons: this.meta.neurons,
      count: this.meta.count,
      find: (layer, neuron) => this.find(layer, neuron),
      score: (at, word) => this.scorer(asked, at)(this.texts.find([word])[0]!),
      high: (at) => this.chance(asked, at)?.[1] ?? NaN,
    }, params);
  }

  private vocabulary(): Reply<Questions["vocabulary"]["result"]> {
    const { words, total } = this.meta.vocabulary;
    return { result: { words: words.filter(fits).slice(0, MOST), total }, buffers: [] };
  }

  private scored(asked: Scored, at: number, names: readonly string[]): Score[] {
    const places = this.texts.find(names);
    const score = this.scorer(asked, at);
    return names.map((name, i) => [name, single(score(places[i]!))]);
  }

  /** What random words score on a neuron: their median and 95th percentile. */
  private chance(asked: Scored, at: number): [number, number] | null {
    if (asked.scorer === "recognition") {
      const [median, high] = Array.from(rowOf(this.arrays, `recognition.${asked.set}.chance`, at), single);
      return median === null || high === null ? null : [median!, high!];
    }
    const score = this.scorer(asked, at);
    const words = array(this.arrays, `texts.${asked.set}`).shape[0]! - this.texts.count;
    const values = Array.from({ length: words }, (_, i) => Math.fround(score(this.texts.count + i)));
    if (values.some((value) => !Number.isFinite(value))) return null;
    values.sort((a, b) => a - b);
    const level = (share: number) => {
      const place = share * (words - 1);
      const [low, high] = [values[Math.floor(place)]!, values[Math.ceil(place)]!];
      return Math.fround(low + (high - low) * (place % 1));
    };
    return [level(0.5), level(0.95)];
  }

  /** The score of the text at a place, for a neuron. */
  private scorer(asked: Scored, at: number): (text: number) => number {
    const { set, scorer } = asked;
    if (scorer === "recognition") {
      const table = array(this.arrays, `recognition.${set}`);
      const start = at * width(table);
      if (table.dtype !== "uint16") return (text) => table.data[start + text]!;
      return (text) => {
        const share = table.data[start + text]!;
        return share === NO_SHARE ? NaN : share / WHOLE;
      };
    }
    if (scorer === "correlation") {
      const direction = rowOf(this.arrays, "correlation", at);
      const spread = array(this.arrays, `spread.${set}`).data;
      return (text) => dot(direction, this.text(set, text)) / spread[text]!;
    }
    const sum = sumOver({ arrays: this.arrays, ...this.meta }, at, asked);
    return (place) => {
      const text = this.text(set, place);
      return scoreOf(sum, text, dot(this.mean, text));
    };
  }

  private parts(asked: Scored, at: number, names: readonly string[]): DataView {
    const sum = sumOver({ arrays: this.arrays, ...this.meta }, at, asked);
    const parts = this.texts.find(names).map((place) => {
      const text = this.text(asked.set, place);
      return partsOf(sum, text, dot(this.mean, text));
    });
    return new DataView(Float32Array.from(parts.flat()).buffer);
  }

  private text(set: string, at: number): Row {
    return rowOf(this.arrays, `texts.${set}`, at);
  }

  /** How a question wants labels to be scored, every setting with a value. */
  private asked(params: Pick<Params, "scorer" | "settings" | "templates" | "exclude">): Scored {
    const scorer = this.meta.scorers[params.scorer];
    if (!scorer) {
      const missing = this.meta.missing.join(", ");
      throw new Refused(`This page cannot score by ${params.scorer}${missing ? ` (${missing} needs all neurons and candidates)` : ""}. Open its notebook to do that.`, "NotRecorded", false);
    }
    const settings = Object.fromEntries(Object.entries(scorer.settings).map(([name, value]) =>
      [name, params.settings?.[name] ?? value]));
    for (const [name, value] of Object.entries(scorer.fixed)) {
      if (settings[name] === value) continue;
      throw new Refused(`This page holds scores by ${params.scorer} with ${name} ${value} alone, not ${settings[name]}. Open its notebook to change that.`, "NotRecorded", false);
    }
    const exclude = scorer.pairs ? params.exclude ?? [] : [];
    const outside = exclude.find((rank) => !(rank >= 0 && rank < this.meta.ranks));
    if (outside !== undefined) throw new Refused(`exclude: rank ${outside} is outside 0..${this.meta.ranks - 1}.`, "ValueError", false);
    return { scorer: params.scorer, settings, exclude, set: this.texts.set(params.templates ?? "plain") };
  }
}

interface Scored extends Asked {
  /** The name of the sentences around a label. */
  set: string;
}

const fits = (text: string): boolean => [...text].length <= LONGEST;

/** With single spaces and without repetition; upper and lower case count as the same. */
function distinct(texts: readonly string[]): string[] {
  const kept = new Map<string, string>();
  for (const text of texts) {
    const words = text.split(/\s+/).filter(Boolean).join(" ");
    if (words !== "" && !kept.has(words.toLowerCase())) kept.set(words.toLowerCase(), words);
  }
  return [...kept.values()];
}

/** Those that score best, best first; of equal ones the first. */
function best(pairs: readonly Score[], most: number): Score[] {
  const value = ([, score]: Score) => score ?? -Infinity;
  return [...pairs].sort((a, b) => (value(b) === value(a) ? 0 : value(b) - value(a))).slice(0, most);
}
