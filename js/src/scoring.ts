// The candidates of a neuron and their scores, kept up with the panel's settings.
import { computed, effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import { float32, type Cleanup, type Neuron } from "./model";
import { asError } from "./resources";
import { isAbort, type Rpc } from "./rpc";

export const METHODS = [
  ["csp", "CSP", "Contrastive semantic projection: what contrastive examples share is taken out"],
  ["semanticlens", "SemanticLens", "Cosine of the mean example and the text"],
  ["difference", "Difference", "Similarity to the examples minus similarity to their contrasts"],
  ["clip-dissect", "CLIP-Dissect", "Soft weighted pointwise mutual information"],
] as const;

export type Method = (typeof METHODS)[number][0];
export type Templates = "csp" | "plain";
export type Score = [candidate: string, score: number | null];

export interface Settings {
  neuron: Neuron | null;
  /** Empty: the kernel suggests some. */
  candidates: string[];
  method: Method;
  gamma: number;
  centred: boolean;
  templates: Templates;
  /** Ranks of the pairs left out. */
  exclude: number[];
}

export interface Scoring {
  /** Best first. */
  bars: ReadonlySignal<Score[]>;
  /** What the bars are of, as a list to edit: the candidates, or what was suggested. */
  listed: ReadonlySignal<string[]>;
  /** What each pair adds to a candidate's score, by rank; of the best candidates alone. */
  parts: ReadonlySignal<ReadonlyMap<string, Float32Array>>;
  pending: ReadonlySignal<boolean>;
  error: ReadonlySignal<Error | null>;
  retry(): void;
  stop: Cleanup;
}

interface Reply {
  scores: Score[];
  /** Whose parts the buffer holds, one after the other. */
  explained: string[];
}

const value = (score: number | null): number => score ?? -Infinity;
const byScore = (scores: Score[]): Score[] =>
  [...scores].sort((a, b) => value(b[1]) - value(a[1]));

/** Sliding a slider asks at most this often, in milliseconds. */
const PAUSE = 40;
const NO_PARTS: ReadonlyMap<string, Float32Array> = new Map();

function readParts({ explained = [] }: Reply, buffer: DataView | undefined) {
  if (explained.length === 0) return NO_PARTS;
  const values = float32(buffer);
  const ranks = values.length / explained.length;
  return new Map(explained.map((name, i) => [name, values.subarray(i * ranks, (i + 1) * ranks)]));
}

export function followScores(
  rpc: Rpc,
  settings: ReadonlySignal<Settings>,
  visible: ReadonlySignal<boolean>,
  first: Score[],
): Scoring {
  const scores = signal(first);
  const parts = signal(NO_PARTS);
  const suggested = signal({ of: "", candidates: first.map(([candidate]) => candidate) });
  const pending = signal(false);
  const error = signal<Error | null>(null);
  const retries = signal(0);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = "";
  let askedAt = 0;
  /** The neuron whose scores are shown; those of a saved notebook are of the first. */
  let shown = JSON.stringify(settings.peek().neuron);

  // What a suggestion holds for: moving gamma re-scores it instead of replacing it.
  const context = ({ neuron, method, centred, templates }: Settings) =>
    JSON.stringify([neuron, method, centred, templates]);
  const candidatesOf = (now: Settings): string[] | null => {
    if (now.candidates.length > 0) return now.candidates;
    const { of, candidates } = suggested.peek();
    return of === context(now) && candidates.length > 0 ? candidates : null;
  };

  async function ask(now: Settings): Promise<void> {
    askedAt = performance.now();
    const { neuron, candidates: _, ...rest } = now;
    const candidates = candidatesOf(now);
    const params = { ...neuron, candidates: candidates ?? [], ...rest };
    try {
      const reply = await rpc.request<Reply>("scores", params, { key: "scores" });
      shown = JSON.stringify(neuron);
      scores.value = reply.result.scores;
      parts.value = readParts(reply.result, reply.buffers[0]);
      if (!candidates) {
        suggested.value = { of: context(now), candidates: reply.result.scores.map(([c]) => c) };
      }
      error.value = null;
    } catch (reason) {
      if (isAbort(reason)) return; // a newer request is on its way
      asked = "";
      error.value = asError(reason);
      if (shown !== JSON.stringify(neuron)) {
        // Better no numbers than those of another neuron.
        scores.value = [];
        if (!candidates) suggested.value = { of: "", candidates: [] };
      }
      parts.value = NO_PARTS;
    }
    pending.value = false;
  }

  const stop = effect(() => {
    const now = settings.value;
    const wanted = JSON.stringify([now, retries.value]);
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

  const listed = computed(() => {
    const { candidates } = settings.value;
    return candidates.length > 0 ? candidates : suggested.value.candidates;
  });
  return {
    bars: computed(() => {
      const known = new Map(scores.value);
      return byScore(listed.value.map((candidate) => [candidate, known.get(candidate) ?? null]));
    }),
    listed,
    parts,
    pending,
    error,
    retry: () => (retries.value += 1),
    stop: () => {
      clearTimeout(timer);
      stop();
    },
  };
}

/** One label per line, or separated by commas or semicolons; inner spaces made single. */
export const splitCandidates = (text: string): string[] =>
  text
    .split(/[\n\r,;]/)
    .map((part) => part.trim().replace(/\s+/g, " "))
    .filter((part) => part !== "");

/** As widgets/contrast.py takes them: the list is saved with the notebook. */
const MOST = 5000;
const LONGEST = 120;

/** The list with the new ones, and what to tell the person. */
export function addCandidates(
  list: string[],
  text: string,
): { candidates: string[]; message: string } {
  const parts = splitCandidates(text);
  if (parts.length === 0) return { candidates: list, message: "Type a label first." };
  const candidates = [...list];
  const known = new Set(list.map((one) => one.toLowerCase()));
  const twice: string[] = [];
  let left = 0;
  for (const part of parts) {
    if (known.has(part.toLowerCase())) twice.push(part);
    else if (candidates.length >= MOST || part.length > LONGEST) left++;
    else candidates.push(part);
    known.add(part.toLowerCase());
  }
  const some = twice.slice(0, 5).join(", ");
  const more = twice.length > 5 ? ` and ${twice.length - 5} more` : "";
  const message = [
    twice.length > 0 ? `Already in the list: ${some}${more}.` : "",
    left > 0
      ? `Left out: ${left}. A list has ${MOST} labels of ${LONGEST} characters at most.`
      : "",
  ];
  return { candidates, message: message.filter(Boolean).join(" ") };
}
