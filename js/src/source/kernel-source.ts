// Lazy requests from the browser to the kernel, over anywidget's custom messages.
// The other side is semlens_widgets/widgets/_base.py.
import { effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import type { Cleanup, Model } from "./model";
import { LIMITS, LONG, type Actions, type Questions } from "./messages";
import { aborted, Refused, type AskOptions, type Progress, type Reply, type Source } from "./source";

interface Waiter {
  key: string | undefined;
  told: ((progress: Progress) => void) | undefined;
  resolve: (reply: Reply<any>) => void;
  reject: (error: unknown) => void;
}

interface Job {
  id: number;
  identity: string;
  method: string;
  params: object;
  waiters: Set<Waiter>;
  since: number;
  /** Whether it may be sent once more. */
  again: boolean;
  /** So many milliseconds may pass without a sign of life. */
  limit: number;
  /** Whether the kernel does it beside all else. */
  long: boolean;
  timer?: ReturnType<typeof setTimeout>;
}

type Message =
  | ({ kind: "progress"; id: number } & Progress)
  | { kind: "reply"; id: number; result: unknown }
  | { kind: "reply"; id: number; error: { type: string; message: string } };

const MAX_IN_FLIGHT = 4;
/** After this many milliseconds without an answer a person should know. */
const LATE = 3000;
const GONE = "It no longer knows this widget: run the cell again.";
const EXPORTED = "This page has no kernel. Open its notebook to see more.";

export class KernelSource implements Source {
  // Replies reach every view of a model, in every browser tab: ids start at a random place.
  #nextId = Math.floor(Math.random() * 2 ** 31) * 2 ** 20;
  readonly #queue: Job[] = [];
  readonly #inFlight = new Map<number, Job>();
  #disposed = false;
  readonly #tardy = signal(false);
  #alarm: ReturnType<typeof setTimeout> | undefined;
  readonly #stop: Cleanup;

  /** While `gone`, nothing is sent and nothing waits. */
  constructor(
    private readonly model: Model<any>,
    private readonly gone: ReadonlySignal<boolean> = signal(false),
    private readonly timeout = 30_000,
    /** Whether the kernel says that it has nothing to do. */
    private readonly idle: () => boolean = () => false,
    /** Whether the kernel was never there and will never come. */
    private readonly exported = false,
  ) {
    model.on("msg:custom", this.#onMessage);
    this.#stop = effect(() => {
      if (gone.value) untracked(() => [...this.#inFlight.values()].forEach(this.#giveUp));
    });
  }

  /** Whether something has waited for the kernel for long. */
  get late(): ReadonlySignal<boolean> {
    return this.#tardy;
  }

  ask<M extends keyof Questions>(
    method: M,
    params: Questions[M]["params"],
    options: AskOptions = {},
  ): Promise<Reply<Questions[M]["result"]>> {
    return this.#submit({ method, params, again: true, limit: this.timeout }, options);
  }

  async act<M extends keyof Actions>(
    method: M,
    params: Actions[M]["params"],
    told?: (progress: Progress) => void,
    signal?: AbortSignal,
  ): Promise<Actions[M]["result"]> {
    const asked = { method, params, again: false, limit: 1000 * LIMITS[method] };
    return (await this.#submit<Actions[M]["result"]>(asked, { signal }, told)).result;
  }

  /** A kernel that is there answers whatever its widget knows. */
  can(): boolean {
    return true;
  }

  #submit<T>(
    asked: Pick<Job, "method" | "params" | "again" | "limit">,
    { signal, key, version }: AskOptions,
    told?: (progress: Progress) => void,
  ): Promise<Reply<T>> {
    if (this.#disposed || signal?.aborted) return Promise.reject(aborted());
    const identity = `${asked.method} ${JSON.stringify(asked.params)} ${version}`;
    return new Promise<Reply<T>>((resolve, reject) => {
      // Also one that was left: the kernel works on it, and its answer is this one's.
      const shared = this.#jobs().find((job) => job.identity === identity);
      const job = shared ?? {
        ...asked, id: this.#nextId++, identity, waiters: new Set(), since: performance.now(),
        long: LONG.has(asked.method),
      };
      const cancel = () => this.#halt(job) || this.#leave(job, waiter, aborted());
      const finish = () => signal?.removeEventListener("abort", cancel);
      const waiter: Waiter = {
        key,
        told,
        resolve: (reply) => (finish(), resolve(reply)),
        reject: (error) => (finish(), reject(error)),
      };
      job.waiters.add(waiter);
      signal?.addEventListener("abort", cancel, { once: true });
      if (key !== undefined) this.#supersede(key, waiter);
      if (!shared) this.#queue.push(job);
      this.#pump();
      this.#watch();
    });
  }

  /** Reject everything that waits and stop listening. */
  dispose(): void {
    this.#disposed = true;
    this.#stop();
    clearTimeout(this.#alarm);
    this.model.off("msg:custom", this.#onMessage);
    for (const job of this.#jobs()) {
      clearTimeout(job.timer);
      for (const waiter of job.waiters) waiter.reject(aborted());
      job.waiters.clear();
    }
    this.#queue.length = 0;
    this.#inFlight.clear();
  }

  #jobs(): Job[] {
    return [...this.#inFlight.values(), ...this.#queue];
  }

  #supersede(key: string, newest: Waiter): void {
    for (const job of this.#jobs()) {
      for (const waiter of [...job.waiters]) {
        if (waiter.key === key && waiter !== newest) this.#leave(job, waiter, aborted());
      }
    }
  }

  /** Have the kernel stop what it does beside all else; its reply says where it stopped. */
  #halt(job: Job): boolean {
    if (!job.long || !this.#inFlight.has(job.id)) return false;
    job.identity = ""; // whoever wants the same from now on does not want it stopped
    this.model.send({ kind: "stop", id: job.id });
    return true;
  }

  #leave(job: Job, waiter: Waiter, error: unknown): void {
    if (!job.waiters.delete(waiter)) return;
    waiter.reject(error);
    const queued = this.#queue.indexOf(job);
    // A request already sent keeps its place until the kernel answers: the kernel works on it.
    if (job.waiters.size === 0 && queued >= 0) this.#queue.splice(queued, 1);
    this.#watch();
  }

  #watch(): void {
    clearTimeout(this.#alarm);
    const waited = this.#jobs().filter((job) => job.waiters.size > 0 && !job.long)
      .map((job) => job.since);
    const rest = Math.min(...waited) + LATE - performance.now();
    this.#tardy.value = rest <= 0;
    if (rest <= 0) this.#sendAgain();
    if (rest > 0 && rest < Infinity) this.#alarm = setTimeout(() => this.#watch(), rest);
  }

  /** A kernel at rest that owes an answer has not got the question, or its answer was lost. */
  #sendAgain(): void {
    if (!this.idle() || this.gone.peek()) return;
    for (const job of this.#inFlight.values()) {
      if (!job.again || job.waiters.size === 0 || performance.now() - job.since < LATE) continue;
      job.again = false;
      const { id, method, params } = job;
      this.model.send({ kind: "request", id, method, params });
    }
  }

  #pump(): void {
    for (;;) {
      const busy = [...this.#inFlight.values()].filter(({ long }) => !long).length;
      const next = this.#queue.findIndex(({ long }) => long || busy < MAX_IN_FLIGHT);
      if (next < 0) return;
      const job = this.#queue.splice(next, 1)[0]!;
      this.#inFlight.set(job.id, job);
      this.#await(job);
      const { id, method, params } = job;
      try {
        // Without a comm, send() does nothing and says nothing.
        if (this.gone.peek()) this.#giveUp(job);
        else this.model.send({ kind: "request", id, method, params });
      } catch {
        this.#giveUp(job);
      }
    }
  }

  #await(job: Job): void {
    clearTimeout(job.timer);
    job.timer = setTimeout(() => {
      const text = "The kernel has not answered. It may be busy, restarted or stopped.";
      this.#settle(job, (waiter) => waiter.reject(new Refused(text, "Timeout", true)));
    }, job.limit);
  }

  readonly #giveUp = (job: Job): void => {
    const error = this.exported
      ? new Refused(EXPORTED, "KernelGone", false)
      : new Refused(GONE, "KernelGone", true);
    this.#settle(job, (waiter) => waiter.reject(error));
  };

  #settle(job: Job, tell: (waiter: Waiter) => void): void {
    clearTimeout(job.timer);
    this.#inFlight.delete(job.id);
    for (const waiter of job.waiters) tell(waiter);
    job.waiters.clear();
    this.#pump();
    this.#watch();
  }

  readonly #onMessage = (message: Message, buffers: DataView[] = []): void => {
    const job = this.#inFlight.get(message?.id);
    if (!job || !["reply", "progress"].includes(message.kind)) return;
    if (message.kind === "progress") {
      job.since = performance.now();
      this.#await(job);
      this.#watch();
      const { done, total } = message;
      for (const waiter of job.waiters) waiter.told?.({ done, total });
    } else if ("error" in message) {
      const { type, message: text } = message.error;
      this.#settle(job, (waiter) => waiter.reject(new Refused(text, type, true)));
    } else {
      const reply = { result: message.result, buffers };
      this.#settle(job, (waiter) => waiter.resolve(reply));
    }
  };
}
