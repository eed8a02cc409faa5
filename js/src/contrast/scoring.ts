// The candidates of a neuron and their scores, kept up with the panel's settings.
import { batch, computed, effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import { float32, type Cleanup, type Neuron } from "../source/model";
import { sameNeuron } from "../source/neuron";
import { asError } from "../source/resources";
import type { Questions, Scores, Scoring } from "../source/messages";
import { isAbort, type Source } from "../source/source";

/** A setting of a scorer: a switch, a number in a range, or one of a few words. */
export interface Control {
  name: string;
  label: string;
  /** What it does. */
  title: string;
  default: boolean | number | string;
  low?: number;
  high?: number;
  step?: number;
  options?: string[];
}

/** A scorer as the kernel describes it. */
export interface Scorer {
  name: string;
  title: string;
  about: string;
  /** Whether it rests on the pairs, so that some can be left out. */
  pairs: boolean;
  /** What nothing scores by nature; null if there is no such score. */
  chance: number | null;
  /** What its scores are, in a few words. */
  unit: string;
  /** Whether its scores depend on the other candidates. */
  competes: boolean;
  /** What of it a page without a kernel lacks. */
  note?: string;
  controls: Control[];
}

export type ScorerSettings = Scoring["settings"];
export type Templates = Scoring["templates"];
export type Score = Scores["scores"][number];

export interface Settings {
  neuron: Neuron | null;
  /** Empty: the kernel suggests some. */
  candidates: string[];
  scorer: string;
  settings: ScorerSettings;
  templates: Templates;
  /** Ranks of the pairs left out. */
  exclude: number[];
}

/** What a random word scores for the neuron: the median, and what 95 % of them stay below. */
export type Chance = NonNullable<Questions["chance"]["result"]>;

export interface FollowedScores {
  /** Best first; without numbers while those of the neuron looked at are not there. */
  bars: ReadonlySignal<Score[]>;
  /** Whose the numbers are. */
  of: ReadonlySignal<Neuron | null>;
  chance: ReadonlySignal<Chance | null>;
  /** What the bars are of, as a list to edit: the candidates, or what was suggested. */
  listed: ReadonlySignal<string[]>;
  /** What each pair adds to a candidate's score, by rank; of the best candidates alone. */
  parts: ReadonlySignal<ReadonlyMap<string, Float32Array>>;
  pending: ReadonlySignal<boolean>;
  error: ReadonlySignal<Error | null>;
  retry(): void;
  stop: Cleanup;
}

/** What is known, and of which neuron. */
interface Answer {
  of: Neuron | null;
  scores: Score[];
  own: string;
  parts: ReadonlyMap<string, Float32Array>;
}

const value = (score: number | null): number => score ?? -Infinity;
const byScore = (scores: Score[]): Score[] =>
  [...scores].sort((a, b) => value(b[1]) - value(a[1]));

/** Sliding a slider asks at most this often, in milliseconds. */
const PAUSE = 40;
const NO_PARTS: ReadonlyMap<string, Float32Array> = new Map();

function readParts({ explained }: Scores, buffer: DataView | undefined) {
  if (explained.length === 0) return NO_PARTS;
  const values = float32(buffer);
  const ranks = values.length / explained.length;
  return new Map(explained.map((name, i) => [name, values.subarray(i * ranks, (i + 1) * ranks)]));
}

type Asked = Settings & { neuron: Neuron };

interface Needs {
  source: Source;
  /** The scorer of the settings. */
  by: ReadonlySignal<Scorer>;
  settings: ReadonlySignal<Settings>;
  visible: ReadonlySignal<boolean>;
  /** Counts up when the kernel knows other labels. */
  revision: ReadonlySignal<number>;
  /** What a saved notebook holds. */
  first: { of: Neuron | null; scores: Score[] };
}

export function followScores({ source, by, settings, visible, revision, first }: Needs): FollowedScores {
  const answer = signal<Answer>({ ...first, own: "", parts: NO_PARTS });
  const suggested = signal({ of: "", candidates: first.scores.map(([candidate]) => candidate) });
  const chance = signal<{ of: string; level: Chance | null }>({ of: "", level: null });
  const pending = signal(false);
  const error = signal<Error | null>(null);
  const retries = signal(0);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = "";
  let askedAt = 0;

  // Marks and suggestions hold while a number slides: moving gamma re-scores what is there.
  const apart = ({ neuron, scorer, settings, templates }: Settings) =>
    JSON.stringify([neuron, scorer, templates,
      Object.entries(settings).filter(([, one]) => typeof one !== "number").sort()]);
  const context = (now: Settings) => apart(now) + revision.peek();
  const candidatesOf = (now: Settings): string[] | null => {
    if (now.candidates.length > 0) return now.candidates;
    const { of, candidates } = suggested.peek();
    return of === context(now) && candidates.length > 0 ? candidates : null;
  };

  async function ask(now: Settings): Promise<void> {
    askedAt = performance.now();
    if (now.neuron === null) return;
    const { neuron, candidates: _, ...rest } = now;
    const candidates = candidatesOf(now);
    const held = context(now);
    // With the revision, so that no answer from before a change of labels is taken for a new one.
    const params = { ...neuron, candidates: candidates ?? [], ...rest };
    const options = { key: "scores", version: revision.peek() };
    try {
      const { result, buffers } = await source.ask("scores", params, options);
      const { scores, own } = result;
      batch(() => {
        answer.value = { of: neuron, scores, own, parts: readParts(result, buffers[0]) };
        if (!candidates) {
          suggested.value = { of: held, candidates: scores.map(([name]) => name) };
        }
        error.value = null;
      });
      void askChance({ ...now, neuron }, scores.map(([name]) => name));
    } catch (reason) {
      if (isAbort(reason)) return; // a newer request is on its way
      asked = "";
      batch(() => {
        error.value = asError(reason);
        const other = !sameNeuron(answer.peek().of, neuron);
        // Better no numbers than those of another neuron, or of other settings.
        answer.value = { of: neuron, scores: [], own: "", parts: NO_PARTS };
        if (other && !candidates) suggested.value = { of: "", candidates: [] };
      });
    }
    pending.value = false;
  }

  /** Asked for after the scores: the first time, hundreds of words are to be embedded. */
  async function askChance(now: Asked, names: string[]): Promise<void> {
    const { neuron, candidates: _, ...rest } = now;
    const candidates = by.peek().competes ? names : [];
    let level: Chance | null = null;
    try {
      const params = { ...neuron, ...rest, candidates };
      level = (await source.ask("chance", params, { key: "chance" })).result;
    } catch (reason) {
      if (isAbort(reason)) return;
    }
    chance.value = { of: apart(now), level };
  }

  const stop = effect(() => {
    const now = settings.value;
    const wanted = JSON.stringify([now, retries.value, revision.value]);
    if (now.neuron === null || !visible.value || wanted === asked) return;
    asked = wanted;
    untracked(() => {
      pending.value = true;
      clearTimeout(timer);
      // A single change is asked for at once, before it is drawn; of many in a row, the last after
      // a pause.
      const rest = askedAt + PAUSE - performance.now();
      if (rest > 0) timer = setTimeout(() => void ask(settings.peek()), rest);
      else queueMicrotask(() => asked === wanted && void ask(settings.peek()));
    });
  });

  // Apart from the other settings, so that a slider that moves renders no list anew.
  const [neuron, candidates] = [
    computed(() => settings.value.neuron), computed(() => settings.value.candidates),
  ];
  const listed = computed(() =>
    candidates.value.length > 0 ? candidates.value : suggested.value.candidates);
  const bars = computed(() => {
    const { of, scores, own } = answer.value;
    const known = new Map(scores);
    const mine = sameNeuron(of, neuron.value);
    const names = listed.value;
    // A list made for another neuron may lack this one's label.
    const all = !mine || own === "" || names.includes(own) ? names : [...names, own];
    const sorted = byScore(all.map((name) => [name, known.get(name) ?? null]));
    // In the same order while the new numbers come, so that nothing jumps twice.
    return mine ? sorted : sorted.map(([name]): Score => [name, null]);
  });
  return {
    bars,
    of: computed(() => answer.value.of),
    chance: computed(() =>
      chance.value.of === apart(settings.value) ? chance.value.level : null),
    listed,
    parts: computed(() => answer.value.parts),
    pending,
    error,
    retry: () => (retries.value += 1),
    stop: () => {
      clearTimeout(timer);
      stop();
    },
  };
}
