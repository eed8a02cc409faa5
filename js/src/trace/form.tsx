// What to trace: a class, or the active neuron.
import { useState } from "preact/hooks";
import { Choice, Failure, Slider } from "../shared/controls";
import { setTraitSoon } from "../source/model";
import { neuronName, usePoles } from "../source/neuron";
import { asError, useResource } from "../source/resources";
import { isBusy, Working } from "./act";
import type { TraceProps } from "./trace";
import { percent } from "./words";

export function Form(props: TraceProps) {
  const poles = usePoles();
  const { model, source, classes, target, keep, active, tracing } = props;
  const names = useResource(classes, 0);
  const [chosen, setChosen] = useState<string | null>(null);
  const known = names.state === "ready" ? names.value : [];
  const name = chosen ?? (target.value || known[0] || "");
  const busy = isBusy(tracing);
  const neuron = active.value;
  const trace = (what: { target: string; neuron: typeof neuron }) => {
    if (busy) return;
    tracing.run((told) => source.act("trace", { ...what, keep: keep.value }, told));
  };
  return (
    <form
      class="slw-trace-form"
      aria-label="What to trace"
      onSubmit={(event) => {
        event.preventDefault();
        if (name) trace({ target: name, neuron: null });
      }}
    >
      <div class="slw-controls">
        {known.length > 0 && (
          <>
            <Choice
              label="Class"
              options={known.map((one) => [one, one] as const)}
              value={name}
              onChange={(value) => {
                setChosen(value);
                setTraitSoon(model, "target", value);
              }}
            />
            <button type="submit" class="slw-button" aria-disabled={busy}>Trace class</button>
          </>
        )}
        {neuron && (
          <button
            type="button"
            class="slw-button"
            aria-disabled={busy}
            onClick={() => trace({ target: "", neuron })}
          >
            Trace {neuronName(neuron, poles)}
          </button>
        )}
        <Slider
          label="keep"
          title="Of each layer, the share of the positive relevance whose neurons are kept"
          value={keep.value}
          low={0.05}
          high={1}
          step={0.05}
          text={percent(keep.value)}
          onInput={(value) => setTraitSoon(model, "keep", value)}
        />
      </div>
      {names.state === "error" && (
        <Failure error={asError(names.error)} retry={() => classes.retry()} />
      )}
      {names.state === "ready" && known.length === 0 && !neuron && (
        <p class="slw-muted">The images have no classes: choose a neuron to trace.</p>
      )}
      <Working of={tracing} doing="Tracing …" />
    </form>
  );
}
