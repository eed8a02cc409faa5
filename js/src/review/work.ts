// What is done to labels: one thing after the other in the kernel, and what it said of each.
import { signal, type ReadonlySignal } from "@preact/signals";
import { count } from "../shared/format";
import type { GiveLabels, GivenLabels } from "../source/messages";
import { asError } from "../source/resources";
import { isAbort, type Progress, type Source } from "../source/source";

type How = GiveLabels["how"];
type Theirs = GiveLabels["theirs"];

/** People gave labels that would be replaced: what to do with them. */
export interface Asking {
  /** What was wanted: the selection may be another by now. */
  wanted: string;
  people: number;
  answer(theirs: "keep" | "replace" | null): void;
}

export interface Work {
  busy: ReadonlySignal<boolean>;
  asking: ReadonlySignal<Asking | null>;
  failed: ReadonlySignal<{ error: Error; again: () => void } | null>;
  /** What was done last, in words. */
  said: ReadonlySignal<string>;
  progress: ReadonlySignal<Progress | null>;
  give(how: How, rows: readonly number[], label?: string): void;
  undo(): void;
  redo(): void;
  read(file: File): void;
  judge(): void;
  save(): void;
}

const MOST_BYTES = 20_000_000;

export function createWork(source: Source, save: (name: string, bytes: DataView) => void): Work {
  const running = signal(0);
  const busy = signal(false);
  const asking = signal<Asking | null>(null);
  const failed = signal<{ error: Error; again: () => void } | null>(null);
  const said = signal("");
  const progress = signal<Progress | null>(null);
  // One after the other: what is undone must have been done.
  let last: Promise<void> = Promise.resolve();

  const inTurn = (work: () => Promise<void>, again: () => void) => {
    busy.value = ++running.value > 0;
    asking.value = null;
    failed.value = null;
    last = last.then(async () => {
      try {
        await work();
      } catch (error) {
        if (!isAbort(error)) failed.value = { error: asError(error), again };
      }
      busy.value = --running.value > 0;
    });
  };

  /** Do it, and ask first where people's labels would go. */
  const asked = (
    wanted: string,
    act: (theirs: Theirs) => Promise<GivenLabels>,
    done: (told: GivenLabels) => string,
  ) => {
    const go = (theirs: Theirs) => inTurn(async () => {
      const told = await act(theirs);
      if (!told.asked) {
        said.value = done(told);
        return;
      }
      asking.value = {
        wanted,
        people: told.people,
        answer: (answer) => {
          asking.value = null;
          if (answer === null) said.value = "Nothing was changed.";
          else go(answer);
        },
      };
    }, () => go(theirs));
    go("ask");
  };

  const step = (back: boolean) => inTurn(async () => {
    const told = await source.act("step_labels", { back });
    said.value = `${count(told.changed, "label")} ${back ? "as before" : "as once more"}` +
      (told.without ? `; ${count(told.without, "has", "have")} been changed since and ${told.without === 1 ? "stays" : "stay"}` : "") + ".";
  }, () => step(back));

  const judge = () => inTurn(async () => {
    progress.value = { done: 0, total: 0 };
    try {
      await source.act("judge_labels", {}, (now) => (progress.value = now));
      said.value = "How far to trust the labels is known.";
    } finally {
      progress.value = null;
    }
  }, judge);

  const write = () => inTurn(async () => {
    const { result, buffers } = await source.ask("label_file", {});
    save(result.name, buffers[0]!);
    said.value = `Saved as ${result.name}.`;
  }, write);

  return {
    busy, asking, failed, said, progress, judge,
    give: (how, rows, label = "") => asked(
      `${WANTED[how]} ${count(rows.length, "label")}?`,
      (theirs) => source.act("give_labels", { rows: [...rows], how, label, theirs }),
      (told) => doneBy(how, told),
    ),
    undo: () => step(true),
    redo: () => step(false),
    read: (file) => asked(
      "Take the labels of the file?",
      async (theirs) => source.act("read_labels", { data: await base64(file), theirs }),
      ({ changed }) => changed ? `${count(changed, "label")} from the file.` : "The file says what is said here already.",
    ),
    save: write,
  };
}

const WANTED: Record<How, string> = {
  accept: "Accept", reject: "Reject", set: "Set", clear: "Take back",
};

const DONE: Record<How, string> = {
  accept: "accepted", reject: "rejected: no label fits", set: "set", clear: "taken back",
};

function doneBy(how: How, { changed, people, without }: GivenLabels): string {
  const parts = [changed ? `${changed.toLocaleString("en")} ${DONE[how]}` : "Nothing to change"];
  if (people) parts.push(`${people.toLocaleString("en")} that people gave kept`);
  if (without) parts.push(`${count(without, "has", "have")} no label to accept`);
  return `${parts.join("; ")}.`;
}

async function base64(file: File): Promise<string> {
  if (file.size > MOST_BYTES) throw new Error("The file is larger than 20 MB: no label file.");
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,?/, ""));
    reader.onerror = () => reject(new Error("The file cannot be read."));
    reader.readAsDataURL(file);
  });
}
