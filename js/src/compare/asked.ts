// An answer that belongs to what is chosen: asked for anew when that changes.
import { effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import type { Questions } from "../source/messages";
import type { Cleanup } from "../source/model";
import { asError, IDLE, LOADING, type Resource } from "../source/resources";
import { isAbort, type Reply, type Source } from "../source/source";

export interface Asked<M extends keyof Questions> {
  resource: ReadonlySignal<Resource<Reply<Questions[M]["result"]>>>;
  reload(): void;
  stop: Cleanup;
}

interface Asking<M extends keyof Questions> {
  source: Source;
  method: M;
  /** Nothing is asked while null. */
  params: ReadonlySignal<Questions[M]["params"] | null>;
  /** Counts up when the kernel knows something new. */
  revision: ReadonlySignal<number>;
}

/** The answer to other parameters is gone at once; one of an older revision stays until the new. */
export function followAnswer<M extends keyof Questions>(
  { source, method, params, revision }: Asking<M>,
): Asked<M> {
  const resource = signal<Resource<Reply<Questions[M]["result"]>>>(IDLE);
  const reloads = signal(0);
  let asked = "";
  let version = "";
  let request = new AbortController();

  async function load(of: Questions[M]["params"], again: boolean): Promise<void> {
    request.abort();
    const { signal } = (request = new AbortController());
    if (!again) resource.value = LOADING;
    try {
      const value = await source.ask(method, of, { signal, version });
      if (!signal.aborted) resource.value = { state: "ready", value };
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) resource.value = { state: "error", error: asError(error) };
    }
  }

  const stop = effect(() => {
    const of = params.value;
    const [key, newest] = [JSON.stringify(of), `${revision.value} ${reloads.value}`];
    if (key === asked && newest === version) return;
    const again = key === asked && resource.peek().state === "ready";
    asked = key;
    version = newest;
    untracked(() => {
      if (of) return void load(of, again);
      request.abort();
      resource.value = IDLE;
    });
  });
  return {
    resource,
    reload: () => (reloads.value += 1),
    stop: () => {
      request.abort();
      stop();
    },
  };
}
