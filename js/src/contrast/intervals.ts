// How far to trust the scores: asked for when they are there and the hand rests.
import { computed, effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import type { Intervals } from "../source/messages";
import type { Cleanup } from "../source/model";
import { sameNeuron } from "../source/neuron";
import { asError } from "../source/resources";
import { Refused, type Source } from "../source/source";
import type { FollowedScores, Scorer, Settings } from "./scoring";

export interface Trust {
  /** By label, where its score would lie with all images like these. */
  ends: ReadonlyMap<string, readonly [number, number]>;
  /** By label, what it must score to be more than the luckiest is by chance. */
  bars: ReadonlyMap<string, number>;
  /** Of how many the best is meant. */
  among: number;
}

interface Needs {
  source: Source;
  by: ReadonlySignal<Scorer>;
  settings: ReadonlySignal<Settings>;
  scoring: FollowedScores;
  visible: ReadonlySignal<boolean>;
  revision: ReadonlySignal<number>;
  /** Counts up with each key and press: what comes of it must meet an idle kernel. */
  hand: ReadonlySignal<number>;
}

/** As many have an interval, the best; widgets/_candidates.py knows the same bound. */
const MOST = 64;
/** Scores that stayed for so many milliseconds are looked into. */
const REST = 1000;

function read({ intervals, among }: Intervals): Trust {
  const ends = new Map<string, readonly [number, number]>();
  const bars = new Map<string, number>();
  for (const [name, low, high, bar] of intervals) {
    if (bar !== null) bars.set(name, bar);
    if (low !== null && high !== null) ends.set(name, [low, high]);
  }
  return { ends, bars, among };
}

export interface FollowedTrust {
  /** Of the scores shown; null while it is not known. */
  trust: ReadonlySignal<Trust | null>;
  /** Why it will not be known; empty if it may be. */
  refused: ReadonlySignal<string>;
  stop: Cleanup;
}

export function followIntervals(needs: Needs): FollowedTrust {
  const { source, by, settings, scoring, visible, revision, hand } = needs;
  const found = signal<{ of: string; trust: Trust | null; refused: string }>(
    { of: "", trust: null, refused: "" });
  let request = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asked = "";
  let moved = 0;

  const params = computed(() => {
    const { neuron, candidates: among, ...rest } = settings.value;
    const settled = neuron && !scoring.pending.value && sameNeuron(scoring.of.value, neuron);
    const bars = scoring.bars.value.filter(([, score]) => score !== null).slice(0, MOST);
    const none = !settled || bars.length === 0 || by.value.competes;
    if (none || !source.can("intervals")) return null;
    return { ...neuron, ...rest, candidates: bars.map(([name]) => name), among };
  });
  const wanted = computed(() =>
    params.value === null ? "" : JSON.stringify([params.value, revision.value]));

  async function ask(now: NonNullable<typeof params.value>, of: string): Promise<void> {
    const { signal } = request;
    try {
      const trust = read(await source.act("intervals", now, undefined, signal));
      if (!signal.aborted) found.value = { of, trust, refused: "" };
    } catch (reason) {
      if (signal.aborted) return;
      const gone = reason instanceof Refused && reason.type === "KernelGone";
      found.value = { of, trust: null, refused: gone ? "" : asError(reason).message };
    }
  }

  const leave = () => {
    clearTimeout(timer);
    request.abort();
    request = new AbortController();
  };
  const stop = effect(() => {
    const now = visible.value ? wanted.value : "";
    if (now === asked && hand.value === moved) return;
    [asked, moved] = [now, hand.value];
    untracked(() => {
      leave();
      const what = params.value;
      if (now === "" || what === null || now === found.peek().of) return;
      timer = setTimeout(() => void ask(what, now), REST);
    });
  });
  const mine = computed(() =>
    found.value.of === wanted.value && wanted.value !== "" ? found.value : null);
  return {
    trust: computed(() => mine.value?.trust ?? null),
    refused: computed(() => mine.value?.refused ?? ""),
    stop: () => {
      leave();
      stop();
    },
  };
}
