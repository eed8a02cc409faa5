// Labels for all neurons: from a list, a source of words, or a model that is asked.
import { signal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Choice, Failure } from "../shared/controls";
import { count } from "../shared/format";
import { asError } from "../source/resources";
import { isAbort, Refused, type Progress } from "../source/source";
import type { ContrastProps } from "./contrast";

/** Where labels may come from; `asks` names the model that is asked, if one is. */
export interface LabelSource {
  name: string;
  title: string;
  asks: string;
}

type State =
  | { at: "ready"; said: string }
  | { at: "counting" }
  /** What asking a model takes is said, and nothing is asked yet. */
  | { at: "previewed"; said: string }
  | ({ at: "busy"; stopping: boolean } & Progress)
  | { at: "failed"; error: Error };

/** What a person chose, and how far it is; kept while the panel shows other neurons. */
export interface Labelling {
  from: Signal<string>;
  backOff: Signal<boolean>;
  state: Signal<State>;
  /** Whether the fold is; what was asked for and what came of it stay in sight. */
  open: Signal<boolean>;
  /** Stops what is under way. */
  abort: AbortController;
}

export const startLabelling = (): Labelling => ({
  from: signal(""),
  backOff: signal(false),
  state: signal<State>({ at: "ready", said: "" }),
  open: signal(false),
  abort: new AbortController(),
});

const isLate = (error: Error): boolean => error instanceof Refused && error.type === "Timeout";

export function LabelAll(props: ContrastProps & { unlabelled: boolean }) {
  const { source, labelling, by, candidates, scorer, settings, templates } = props;
  const { from, backOff, state: now, open } = labelling;
  const state = now.value;
  const sources = props.sources.value;
  const chosen = sources.find(({ name }) => name === from.value);
  const own = candidates.value.length;
  const words = own > 0 ? count(own, "label") : "the labels that the lens knows";
  const working = state.at === "busy" || state.at === "counting";
  const backs = backOff.value && !by.value.competes;

  /** Do one thing that takes long; what it comes to is the next state. */
  const work = async (begin: State, todo: (signal: AbortSignal) => Promise<State>) => {
    labelling.abort = new AbortController();
    now.value = begin;
    try {
      now.value = await todo(labelling.abort.signal);
    } catch (reason) {
      const stopped = isAbort(reason) || (reason instanceof Refused && reason.type === "Stopped");
      const kept = chosen?.asks ? " Answers that came are kept: labelling again goes on from there." : "";
      now.value = stopped
        ? { at: "ready", said: `${isAbort(reason) ? "Stopped." : asError(reason).message} No label was changed.${kept}` }
        : { at: "failed", error: asError(reason) };
    }
  };
  const label = () => work({ at: "busy", stopping: false, done: 0, total: 0 }, async (signal) => {
    const asked = { candidates: candidates.value, scorer: scorer.value, settings: settings.value,
      templates: templates.value, source: chosen?.name ?? "", back_off: backs };
    const told = (progress: Progress) => {
      const { value } = now;
      if (value.at === "busy") now.value = { ...value, ...progress };
    };
    const { labelled, said } = await source.act("label_all", asked, told, signal);
    return { at: "ready", said: `${count(labelled, "neuron")} labelled. ${said}` };
  });
  const begin = () => {
    if (working) return;
    if (!chosen?.asks) return void label();
    void work({ at: "counting" }, async (signal) => {
      const { calls, said } = await source.act("preview", { source: chosen.name }, undefined, signal);
      return { at: "previewed", said: calls > 0 ? said : `Nothing is left to ask: ${said}` };
    });
  };
  const stop = () => {
    const { value } = now;
    if (value.at === "busy") now.value = { ...value, stopping: true };
    labelling.abort.abort();
  };
  const choose = (name: string) => {
    from.value = name;
    if (!working) now.value = { at: "ready", said: "" };
  };
  useEffect(() => {
    if (props.unlabelled) open.value = true;
  }, [props.unlabelled]);
  return (
    <details
      class="slw-fold"
      open={open.value}
      onToggle={({ currentTarget }) => (open.value = currentTarget.open)}
    >
      <summary>Labels for all neurons</summary>
      <div class="slw-label-all">
        <Choice
          label="From"
          title="Where the labels come from that each neuron gets the best of"
          options={[["", words], ...sources.map(({ name, title, asks }) =>
            [name, asks ? `${title} (asks a model)` : title] as const)]}
          value={chosen?.name ?? ""}
          onChange={choose}
        />
        <label class="slw-check" title="Where the best label cannot be told from other kinds of the same thing, give what they are kinds of">
          <input
            type="checkbox"
            checked={backs}
            disabled={by.value.competes || working}
            onChange={({ currentTarget }) => (backOff.value = currentTarget.checked)}
          />
          Back off to what is sure
        </label>
        {state.at === "previewed" ? (
          <span class="slw-label-all-ask" role="status">
            <span class="slw-small">{state.said} Pictures and questions go to <bdi>{chosen?.asks}</bdi>.</span>
            <button type="button" class="slw-button" onClick={() => void label()}>Ask and label</button>
            <button type="button" class="slw-button slw-button-plain" onClick={() => choose(from.value)}>Do not ask</button>
          </span>
        ) : (
          <button
            type="button"
            class="slw-button"
            aria-disabled={working}
            title={`Give each neuron the best of ${chosen?.title ?? words}, by this scorer: lens.label(...)`}
            onClick={begin}
          >
            {state.at === "busy" ? "Labelling all neurons …" : state.at === "counting" ? "Counting questions …" : "Label all neurons"}
          </button>
        )}
        {working && (
          <button type="button" class="slw-button" aria-disabled={state.at === "busy" && state.stopping} onClick={stop}>
            {state.at === "busy" && state.stopping ? "Stopping …" : "Stop"}
          </button>
        )}
        {state.at === "busy" && state.total > 0 && (
          <span class="slw-small slw-muted">
            <progress value={state.done} max={state.total} aria-label="Labelled" />{" "}
            {state.done} of {count(state.total, "neuron")}
          </span>
        )}
        <span class="slw-small slw-muted" role="status">
          {state.at === "busy" && state.stopping && chosen?.asks ? "It stops at the next answer. "
            : state.at === "ready" ? state.said || `with the best of ${chosen?.title ?? words}` : ""}
        </span>
      </div>
      {state.at === "failed" && (
        <Failure error={state.error} retry={begin}>
          {isLate(state.error) && "If it is only busy, it labels them when it is free. "}
        </Failure>
      )}
    </details>
  );
}
