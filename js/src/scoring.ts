// The candidates of a neuron and their scores, kept up with the panel's settings.
import { computed, effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import type { Cleanup, Neuron } from "./model";
import { asError } from "./resources";
import { isAbort, type Rpc } from "./rpc";

export const METHODS = [
  ["csp", "CSP", "Contrastive semantic projection: what contrastive examples share is taken out"],
  ["semanticlens", "SemanticLens", "Cosine of the mean example and the text"],
  ["difference", "Difference", "Similarity to the examples minus similarity to their contrasts"],
  ["clip-dissect", "CLIP-Dissect", "Soft weighted pointwise mutual information"],
] as const;

export type Method = (typeof METHODS)[number][0];
export type Score = [candidate: string, score: number | null];

export interface Settings {
  neuron: Neuron | null;
  /** Empty: the kernel suggests some. */
  candidates: string[];
  method: Method;
  gamma: number;
  centred: boolean;
}

export interface Scoring {
  /** Best first. */
  bars: ReadonlySignal<Score[]>;
  /** What the bars are of, as a list to edit: the candidates, or what was suggested. */
  listed: ReadonlySignal<string[]>;
  pending: ReadonlySignal<boolean>;
  error: ReadonlySignal<Error | null>;
  retry(): void;
  stop: Cleanup;
}

const value = (score: number | null): number => score ?? -Infinity;
const byScore = (scores: Score[]): Score[] =>
  [...scores].sort((a, b) => value(b[1]) - value(a[1]));

/** Sliding a slider asks at most this often, in milliseconds. */
const PAUSE = 40;

export function followScores(
  rpc: Rpc,
  settings: ReadonlySignal<Settings>,
  visible: ReadonlySignal<boolean>,
  first: Score[],
): Scoring {
  const scores = signal(first);
  const suggested = signal({ of: "", candidates: first.map(([candidate]) => candidate) });
  const pending = signal(false);
  const error = signal<Error | null>(null);
  const retries = signal(0);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = "";

  // What a suggestion holds for: moving gamma re-scores it instead of replacing it.
  const context = ({ neuron, method, centred }: Settings) =>
    JSON.stringify([neuron, method, centred]);
  const candidatesOf = (now: Settings): string[] | null => {
    if (now.candidates.length > 0) return now.candidates;
    const { of, candidates } = suggested.peek();
    return of === context(now) && candidates.length > 0 ? candidates : null;
  };

  async function ask(now: Settings): Promise<void> {
    const { neuron, method, gamma, centred } = now;
    const candidates = candidatesOf(now);
    const params = { ...neuron, candidates: candidates ?? [], method, gamma, centred };
    try {
      const reply = await rpc.request<{ scores: Score[] }>("scores", params, { key: "scores" });
      scores.value = reply.result.scores;
      if (!candidates) {
        suggested.value = { of: context(now), candidates: reply.result.scores.map(([c]) => c) };
      }
      error.value = null;
    } catch (reason) {
      if (isAbort(reason)) return; // a newer request is on its way
      asked = "";
      error.value = asError(reason);
    }
    pending.value = false;
  }

  const stop = effect(() => {
    const now = settings.value;
    const wanted = JSON.stringify([now, retries.value]);
    if (now.neuron === null || !visible.value || wanted === asked) return;
    asked = wanted;
    untracked(() => {
      const idle = !pending.peek();
      pending.value = true;
      clearTimeout(timer);
      // The first change is asked about at once; what follows while it is on its way, together.
      if (idle) void ask(now);
      else timer = setTimeout(() => void ask(now), PAUSE);
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

/** The list with the new ones, and what to tell the person. */
export function addCandidates(
  list: string[],
  text: string,
): { candidates: string[]; message: string } {
  const parts = splitCandidates(text);
  if (parts.length === 0) return { candidates: list, message: "Type a label first." };
  const candidates = [...list];
  const twice: string[] = [];
  for (const part of parts) {
    const known = candidates.some((other) => other.toLowerCase() === part.toLowerCase());
    if (known) twice.push(part);
    else candidates.push(part);
  }
  const message = twice.length > 0 ? `Already in the list: ${twice.join(", ")}.` : "";
  return { candidates, message };
}
