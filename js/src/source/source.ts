// Where a view gets what it shows: a kernel, or what was recorded of one.
import type { ReadonlySignal } from "@preact/signals";

export interface Reply<T> {
  result: T;
  buffers: DataView[];
}

export interface AskOptions {
  /** Aborting drops a queued request and ignores a late reply. */
  signal?: AbortSignal | undefined;
  /** A newer request with the same key supersedes the older ones. */
  key?: string | undefined;
  /** Something is done rather than read: never sent a second time by itself. */
  acts?: boolean;
  /** However long it takes: what is awaited is known to be much. */
  patient?: boolean;
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
}

export const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === "AbortError";

export const aborted = () => new DOMException("superseded or cancelled", "AbortError");

/** Views know no more of where their answers come from. */
export interface Source {
  /** Ask for one thing; rejects with `Refused`, or as an abort. */
  ask<T>(method: string, params?: object, options?: AskOptions): Promise<Reply<T>>;
  /** Whether such a question can be answered at all. */
  can(method: string): boolean;
  /** Whether something has been waited for for long. */
  readonly late: ReadonlySignal<boolean>;
  /** The most things that one question may be about, if there is a limit. */
  readonly most?: number;
  dispose(): void;
}
