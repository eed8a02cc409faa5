// What people decide in a page without a kernel: kept while it is open, and saved as a file.
import { signal } from "@preact/signals";
import type { Decide, Decided, Decisions } from "./messages";

const nameOf = ({ layer, neuron }: { layer: string; neuron: number }) => JSON.stringify([layer, neuron]);

export class PageDecisions {
  /** By neuron, what was decided here; an empty decision takes back what was decided before. */
  private readonly made = new Map<string, Decided>();
  private recorded: readonly Decided[] = [];
  /** How many neurons were decided about since the page was opened or the file saved. */
  readonly unsaved = signal(0);
  private readonly changed = new Set<string>();

  constructor(
    /** The class that the audit is of. */
    private readonly target: string,
    private readonly now: () => Date = () => new Date(),
  ) {}

  decide({ layer, neuron, decision, note }: Decide): Decided {
    const decided = decision === "" ? "" : this.now().toISOString();
    const kept: Decided = { layer, neuron, decision, note: decision === "" ? "" : note, decided };
    this.made.set(nameOf(kept), kept);
    this.changed.add(nameOf(kept));
    this.unsaved.value = this.changed.size;
    return kept;
  }

  /** What is in force, of what was decided before and here. */
  with(before: Decisions): Decisions {
    this.recorded = before.decisions;
    return { ...before, decisions: this.inForce() };
  }

  /** The file that `audit.import_decisions` reads. */
  file(): string {
    const taken = [...this.made.values()].filter(({ decision }) => decision === "");
    this.changed.clear();
    this.unsaved.value = 0;
    return `${JSON.stringify({ target: this.target, decisions: [...this.inForce(), ...taken] }, null, 1)}\n`;
  }

  private inForce(): Decided[] {
    const all = new Map(this.recorded.map((one) => [nameOf(one), one]));
    for (const [name, one] of this.made) all.set(name, one);
    return [...all.values()].filter(({ decision }) => decision !== "");
  }
}
