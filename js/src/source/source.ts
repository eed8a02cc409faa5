// Where a view gets what it shows: a kernel, or what was recorded of one.
import type { ReadonlySignal } from "@preact/signals";
import type { Actions, Questions } from "./messages";

export interface Reply<T> {
  result: T;
  buffers: DataView[];
}

export interface AskOptions {
  /** Aborting drops a queued request and ignores a late reply. */
  signal?: AbortSignal | undefined;
  /** A newer request with the same key supersedes the older ones. */
  key?: string | undefined;
  /** Of what is known when asking: an answer to the same question of another version is another. */
  version?: string | number | undefined;
}

/** How far an action is. */
export interface Progress {
  done: number;
  total: number;
}

export class Refused extends Error {
  constructor(
    message: string,
    /** The kernel's exception class, or "Timeout", "KernelGone". */
    readonly type: string,
    /** Whether asking again may help. */
    readonly retryable: boolean,
  ) {
    super(message);
    this.name = "Refused";
  }

  /** Whichever bundle made it: in a page, views and their source are modules of their own. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof Error && value.name === "Refused";
  }
}

export const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === "AbortError";

export const aborted = () => new DOMException("superseded or cancelled", "AbortError");

/** Views know no more of where their answers come from. */
export interface Source {
  /** Ask for one thing; rejects with `Refused`, or as an abort. */
  ask<M extends keyof Questions>(
    method: M,
    params: Questions[M]["params"],
    options?: AskOptions,
  ): Promise<Reply<Questions[M]["result"]>>;
  /**
   * Do one thing, once; rejects with `Refused`, or as an abort. Aborting stops what is long: it
   * rejects with the kernel's "Stopped" when it has.
   */
  act<M extends keyof Actions>(
    method: M,
    params: Actions[M]["params"],
    told?: (progress: Progress) => void,
    signal?: AbortSignal,
  ): Promise<Actions[M]["result"]>;
  /** Whether such a question or action has an answer at all. */
  can(method: keyof Questions | keyof Actions): boolean;
  /** Whether something has been waited for for long. */
  readonly late: ReadonlySignal<boolean>;
  /** How many things one question should be about, if there is a limit. */
  readonly most?: number;
  dispose(): void;
}
