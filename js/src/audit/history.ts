// What a person decides: kept in the kernel, shown as it is kept there, and taken back step by step.
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { Decided } from "../source/messages";
import type { Neuron } from "../source/model";
import { neuronName, type Poles } from "../source/neuron";
import { asError } from "../source/resources";
import type { Source } from "../source/source";

export type Verb = "accept" | "reject" | "ignore" | "";

export const nameOf = ({ layer, neuron }: Neuron): string => JSON.stringify([layer, neuron]);

interface Kept {
  decision: string;
  note: string;
}

interface Step {
  of: Neuron;
  before: Kept;
  after: Kept;
}

export interface Failed {
  error: Error;
  of: Neuron;
  again: () => void;
}

export interface History {
  /** By `nameOf`; an answer to the last decision may be newer than what was asked for. */
  kept: ReadonlySignal<ReadonlyMap<string, Decided>>;
  failed: ReadonlySignal<Failed | null>;
  canUndo: ReadonlySignal<boolean>;
  canRedo: ReadonlySignal<boolean>;
  /** What was last kept, in words. */
  spoken: ReadonlySignal<string>;
  decide(of: Neuron, decision: Verb, note?: string): void;
  undo(): void;
  redo(): void;
  /** Take over what the kernel says is kept. */
  hear(decisions: readonly Decided[]): void;
  /** Forget the steps: they were of another audit. */
  clear(): void;
}

const NOTHING: Kept = { decision: "", note: "" };

/** `audit` says which audit is decided about. */
export function createHistory(source: Source, audit: ReadonlySignal<number>, poles: Poles): History {
  const kept = signal<ReadonlyMap<string, Decided>>(new Map());
  const done = signal<readonly Step[]>([]);
  const undone = signal<readonly Step[]>([]);
  const failed = signal<Failed | null>(null);
  const spoken = signal("");
  // One after the other: what is taken back must have been kept.
  let last: Promise<void> = Promise.resolve();

  const inTurn = (work: () => Promise<void>) => {
    last = last.then(work);
  };

  async function keep(of: Neuron, { decision, note }: Kept, again: () => void): Promise<boolean> {
    const { layer, neuron } = of;
    const about = audit.peek();
    failed.value = null;
    try {
      const answer = await source.act("decide", { audit: about, layer, neuron, decision, note });
      if (about !== audit.peek()) return false;
      const now = new Map(kept.peek());
      if (answer.decision === "") now.delete(nameOf(of));
      else now.set(nameOf(of), answer);
      kept.value = now;
      spoken.value = `${neuronName(of, poles)}: ${SAID[answer.decision] ?? answer.decision}`;
      return true;
    } catch (error) {
      if (about === audit.peek()) failed.value = { error: asError(error), of, again };
      return false;
    }
  }

  const decide = (of: Neuron, decision: Verb, note?: string) => inTurn(async () => {
    const { decision: was, note: noted } = kept.peek().get(nameOf(of)) ?? NOTHING;
    const after = { decision, note: decision === "" ? "" : note ?? noted };
    if (was === decision && noted === after.note) return;
    if (!(await keep(of, after, () => decide(of, decision, note)))) return;
    done.value = [...done.peek(), { of, before: { decision: was, note: noted }, after }];
    undone.value = [];
  });

  const step = (
    from: typeof done, to: typeof undone, which: "before" | "after", again: () => void,
  ) => inTurn(async () => {
    const one = from.peek().at(-1);
    if (!one || !(await keep(one.of, one[which], again))) return;
    from.value = from.peek().slice(0, -1);
    to.value = [...to.peek(), one];
  });
  const undo = () => step(done, undone, "before", undo);
  const redo = () => step(undone, done, "after", redo);

  return {
    kept, failed, spoken, decide, undo, redo,
    canUndo: computed(() => done.value.length > 0),
    canRedo: computed(() => undone.value.length > 0),
    hear(decisions) {
      const now = new Map(decisions.map((one) => [nameOf(one), one]));
      const of = failed.peek()?.of;
      // A kernel that was only busy has kept it after all.
      if (of && now.get(nameOf(of))?.decision !== kept.peek().get(nameOf(of))?.decision) {
        failed.value = null;
      }
      kept.value = now;
    },
    clear() {
      done.value = undone.value = [];
      failed.value = null;
      kept.value = new Map();
    },
  };
}

/** Decisions as a person reads them. */
export const SAID: Record<string, string> = {
  accept: "accepted", reject: "rejected", ignore: "ignored", "": "no decision",
};

const KEYS: Record<string, Verb> = { a: "accept", r: "reject", i: "ignore", u: "", Backspace: "" };

/** The decision that a key means. */
export const verbOf = ({ key, ctrlKey, metaKey, altKey }: KeyboardEvent): Verb | undefined =>
  ctrlKey || metaKey || altKey ? undefined : KEYS[key.length === 1 ? key.toLowerCase() : key];
