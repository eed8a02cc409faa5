// Searching neurons by words, or by a neuron, as the explorer and the map do it.
import { batch, computed, effect, signal, untracked, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Hit } from "../source/messages";
import type { Cleanup, Neuron } from "../source/model";
import { neuronName, type Poles } from "../source/neuron";
import { asError } from "../source/resources";
import { isAbort, type Source } from "../source/source";

export interface Found {
  /** What was asked for, in words. */
  of: string;
  hits: Hit[];
}

/** What is searched: words in a layer (empty: all), or neurons like one. */
export interface Search {
  text: string;
  layer: string;
  like: Neuron | null;
}

export interface Finder {
  text: Signal<string>;
  /** Only this layer; empty: all. */
  layer: Signal<string>;
  found: ReadonlySignal<Found | null>;
  pending: ReadonlySignal<boolean>;
  error: ReadonlySignal<Error | null>;
  /** Whether there is anything that `clear` would end. */
  searching: ReadonlySignal<boolean>;
  /** Search now, without waiting for the typing to pause; without words, end the search. */
  submit(): void;
  /** Ask once more for what is searched. */
  retry(): void;
  /** Neurons that see what this one sees. */
  like(neuron: Neuron): void;
  clear(): void;
  /** Search what was searched before, or in Python. */
  restore(search: Search): void;
  stop: Cleanup;
}

/** Typing rests this long, in milliseconds, before a search. */
const PAUSE = 250;

/** `highlight` receives what the map's trait of that name takes; null clears. */
export function createFinder(
  source: Source,
  highlight: (scores: DataView | null) => void,
  poles: Poles,
  told: (search: Search) => void = () => {},
): Finder {
  const [text, layer] = [signal(""), signal("")];
  const found = signal<Found | null>(null);
  const pending = signal(false);
  const error = signal<Error | null>(null);
  const searching = computed(
    () => text.value !== "" || pending.value || found.value !== null || error.value !== null,
  );
  let like: Neuron | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let newest = 0;

  async function run(): Promise<void> {
    clearTimeout(timer);
    const query = text.peek().trim();
    if (query === "" && like === null) return reset();
    const turn = ++newest;
    const of = like ? `Like ${neuronName(like, poles)}` : `“${query}”`;
    const params = { query, like, layer: layer.peek() || null };
    pending.value = true;
    told({ text: query, layer: layer.peek(), like });
    try {
      const reply = await source.ask("search", params, { key: "search" });
      if (turn !== newest) return;
      found.value = { of, hits: reply.result.hits };
      error.value = null;
      highlight(reply.buffers[0] ?? null);
    } catch (reason) {
      if (turn !== newest || isAbort(reason)) return;
      error.value = asError(reason);
    }
    pending.value = false;
  }

  function reset(): void {
    newest += 1; // what is on its way comes too late
    clearTimeout(timer);
    like = null;
    pending.value = false;
    error.value = null;
    told({ text: "", layer: layer.peek(), like: null });
    if (found.value === null) return;
    found.value = null;
    highlight(null);
  }

  let started = false;
  const stop = effect(() => {
    const [words] = [text.value, layer.value];
    untracked(() => {
      if (!started) {
        started = true;
        return;
      }
      clearTimeout(timer);
      if (words.trim() !== "") like = null;
      if (words.trim() === "" && like === null) reset();
      else timer = setTimeout(() => void run(), PAUSE);
    });
  });

  const clear = (): void => {
    text.value = "";
    reset();
  };

  return {
    text,
    layer,
    found,
    pending,
    error,
    searching,
    submit: () => (text.peek().trim() === "" ? clear() : void run()),
    retry: () => void run(),
    like(neuron) {
      like = neuron; // first, or the box that is emptied would end the search before
      text.value = "";
      void run();
    },
    clear,
    restore(search) {
      const now = { text: text.peek().trim(), layer: layer.peek(), like };
      if (JSON.stringify(now) === JSON.stringify(search)) return;
      batch(() => {
        text.value = search.text;
        layer.value = search.layer;
      });
      like = search.text ? null : search.like;
      void run();
    },
    stop: () => {
      clearTimeout(timer);
      stop();
    },
  };
}
