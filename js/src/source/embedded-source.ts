// Answers that were recorded: a page shows what it was given, without a kernel.
import { signal } from "@preact/signals";
import type { Decide, Decided } from "./messages";
import type { Actions, Questions } from "./messages";
import type { PageDecisions } from "./page-decisions";
import type { PagePool } from "./page-pool";
import { aborted, Refused, type AskOptions, type Progress, type Reply, type Source } from "./source";

const NO_KERNEL = "A page without a kernel only shows. Open its notebook to do this.";

/** What answers by itself, without a record: by question. */
export type Live = Readonly<Record<string, (params: any) => Reply<unknown> | Promise<Reply<unknown>>>>;

export class EmbeddedSource implements Source {
  readonly late = signal(false);
  /** What did not travel then fails alone. */
  readonly most = 1;
  private disposed = false;
  private readonly newest = new Map<string, symbol>();

  constructor(
    private readonly pool: PagePool,
    /** What people decide in the page. */
    private readonly decisions?: PageDecisions,
    private readonly live: Live = {},
  ) {}

  can(method: string): boolean {
    if (method === "decide") return this.decisions !== undefined && this.pool.has("decisions");
    return method in this.live || this.pool.has(method);
  }

  async ask<M extends keyof Questions>(
    method: M,
    params: Questions[M]["params"],
    { signal: abort, key }: AskOptions = {},
  ): Promise<Reply<Questions[M]["result"]>> {
    const left = () => this.disposed || abort?.aborted;
    if (left()) throw aborted();
    const own = Symbol(method);
    if (key !== undefined) this.newest.set(key, own);
    const reply = await (this.live[method]?.(params) ?? this.pool.answer(method, params));
    if (left() || (key !== undefined && this.newest.get(key) !== own)) throw aborted();
    const result = method === "decisions" && this.decisions
      ? this.decisions.with(reply.result as Questions["decisions"]["result"])
      : reply.result;
    return { result: result as Questions[M]["result"], buffers: reply.buffers };
  }

  async act<M extends keyof Actions>(
    method: M,
    params: Actions[M]["params"],
    _told?: (progress: Progress) => void,
    _signal?: AbortSignal,
  ): Promise<Actions[M]["result"]> {
    if (method === "decide" && this.decisions && this.can(method)) {
      return this.decisions.decide(params as Decide) satisfies Decided as Actions[M]["result"];
    }
    throw new Refused(NO_KERNEL, "NotRecorded", false);
  }

  dispose(): void {
    this.disposed = true;
  }
}
