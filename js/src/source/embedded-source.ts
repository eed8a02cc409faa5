// Answers that were recorded: a page shows what it was given, without a kernel.
import { signal } from "@preact/signals";
import type { Questions } from "./messages";
import { aborted, Refused, type AskOptions, type Reply, type Source } from "./source";

/** One answer, as widgets/_page.py writes it. */
export interface Recorded {
  method: string;
  params: object;
  result: unknown;
  /** In base64. */
  buffers: string[];
}

const MISSING = "This page does not hold the answer. Open its notebook to see more.";
const NO_KERNEL = "A page without a kernel only shows. Open its notebook to change something.";

export class EmbeddedSource implements Source {
  readonly late = signal(false);
  /** What many things were asked about at once was recorded one by one. */
  readonly most = 1;
  private readonly answers = new Map<string, Recorded>();
  private readonly methods = new Set<string>();
  private disposed = false;

  constructor(recorded: Recorded[]) {
    for (const one of recorded) {
      this.answers.set(keyOf(one.method, one.params), one);
      this.methods.add(one.method);
    }
  }

  can(method: string): boolean {
    return this.methods.has(method);
  }

  async ask<M extends keyof Questions>(
    method: M,
    params: Questions[M]["params"],
    options: AskOptions = {},
  ): Promise<Reply<Questions[M]["result"]>> {
    if (this.disposed || options.signal?.aborted) throw aborted();
    const found = this.answers.get(keyOf(method, params));
    if (!found) throw new Refused(MISSING, "NotRecorded", false);
    return { result: found.result as Questions[M]["result"], buffers: found.buffers.map(bytes) };
  }

  async act(): Promise<never> {
    throw new Refused(NO_KERNEL, "NotRecorded", false);
  }

  dispose(): void {
    this.disposed = true;
  }
}

/** Whatever the order of the parameters. */
function keyOf(method: string, params: object): string {
  return JSON.stringify([method, Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1))]);
}

function bytes(base64: string): DataView {
  return new DataView(Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer);
}
