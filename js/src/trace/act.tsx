// Something the kernel does for a while: the button, how far it is, and why it failed.
import { signal, type Signal } from "@preact/signals";
import { Failure } from "../shared/controls";
import { asError } from "../source/resources";
import { isAbort, Refused, type Progress } from "../source/source";

export interface Work {
  state: Signal<"ready" | Progress | Error>;
  /** What a retry does. */
  again: () => void;
  run(what: (told: (progress: Progress) => void) => Promise<unknown>): void;
}

export function work(): Work {
  const state: Work["state"] = signal("ready");
  const one: Work = {
    state,
    again: () => {},
    run(what) {
      one.again = () => one.run(what);
      state.value = { done: 0, total: 0 };
      what((progress) => (state.value = progress)).then(
        () => (state.value = "ready"),
        (error) => (state.value = isAbort(error) ? "ready" : asError(error)),
      );
    },
  };
  return one;
}

export const isBusy = ({ state }: Work): boolean =>
  state.value !== "ready" && !(state.value instanceof Error);

/** How far it is, or why it failed; nothing while it rests. */
export function Working({ of, doing }: { of: Work; doing: string }) {
  const state = of.state.value;
  if (state === "ready") return null;
  if (state instanceof Error) {
    return (
      <Failure error={state} retry={of.again}>
        {state instanceof Refused && state.type === "Timeout" &&
          "If it is only busy, it goes on when it is free."}
      </Failure>
    );
  }
  return (
    <p class="slw-small slw-muted" role="status">
      <progress value={state.total > 0 ? state.done / state.total : undefined} aria-label={doing} />{" "}
      {doing}
    </p>
  );
}
