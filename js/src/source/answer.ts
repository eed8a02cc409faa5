// One answer of the kernel that a view shows, asked for again whenever what it is about changes.
import { batch, effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import type { Questions } from "./messages";
import type { Cleanup } from "./model";
import { asError, IDLE, LOADING, type Resource } from "./resources";
import { isAbort, type Source } from "./source";

export interface Answer<R> {
  resource: ReadonlySignal<Resource<R>>;
  /** The newest answer received, which may be about something else than what is asked now. */
  last: ReadonlySignal<R | null>;
  /** The buffers beside it. */
  buffers: ReadonlySignal<readonly DataView[]>;
  reload(): void;
  stop: Cleanup;
}

interface Following<M extends keyof Questions> {
  source: Source;
  method: M;
  /** What is asked; nothing while null. */
  params: ReadonlySignal<Questions[M]["params"] | null>;
  /** Counts up when the kernel knows something new. */
  version: ReadonlySignal<number>;
  /** Nothing is asked for while false. */
  visible: ReadonlySignal<boolean>;
}

export function followAnswer<M extends keyof Questions>(
  { source, method, params, version, visible }: Following<M>,
): Answer<Questions[M]["result"]> {
  type R = Questions[M]["result"];
  const resource = signal<Resource<R>>(IDLE);
  const last = signal<R | null>(null);
  const buffers = signal<readonly DataView[]>([]);
  const reloads = signal(0);
  let request = new AbortController();
  let asked = "";

  async function load(wanted: Questions[M]["params"], at: string): Promise<void> {
    const { signal } = request;
    resource.value = LOADING;
    try {
      const reply = await source.ask(method, wanted, { signal, version: at });
      if (signal.aborted) return;
      batch(() => {
        buffers.value = reply.buffers;
        last.value = reply.result;
        resource.value = { state: "ready", value: reply.result };
      });
    } catch (error) {
      if (isAbort(error) || signal.aborted) return;
      resource.value = { state: "error", error: asError(error) };
    }
  }

  const leave = () => {
    request.abort();
    request = new AbortController();
  };
  const stop = effect(() => {
    const wanted = params.value;
    const at = `${version.value} ${reloads.value}`;
    if (!visible.value) return;
    const now = wanted === null ? "" : `${JSON.stringify(wanted)} ${at}`;
    if (now === asked) return;
    asked = now;
    leave();
    if (wanted === null) resource.value = IDLE;
    else untracked(() => void load(wanted, at));
  });
  return {
    resource,
    last,
    buffers,
    reload: () => (reloads.value += 1),
    stop: () => {
      leave();
      stop();
    },
  };
}
