// The trace: which neurons of the lower layers make a class or a neuron respond.
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Detail } from "../source/detail";
import { Failure, Late, Slider } from "../shared/controls";
import { count } from "../shared/format";
import { mount, type Mounted } from "../shared/mount";
import { setTraitSoon, type Model, type Neuron, type RenderContext } from "../source/model";
import { sameNeuron, usePoles } from "../source/neuron";
import { startPanel, type PanelTraits } from "../neuron/panel";
import { Resources, useResource } from "../source/resources";
import type { NodeOfTrace, Traced } from "../source/messages";
import type { Source } from "../source/source";
import type { Thumbnails } from "../source/thumbnails";
import { isBusy, work, Working, type Work } from "./act";
import { Board } from "./board";
import { Details } from "./details";
import { Form } from "./form";
import { arrange, type Graph, type Shown } from "./graph";
import { ablatedSaid, percent, targetName } from "./words";
import "../neuron/panel.css";
import "../neuron/sliders.css";
import "./trace.css";

/** The traits of `widgets/trace.py`. */
export interface TraceTraits extends PanelTraits {
  target: string;
  keep: number;
  threshold: number;
  pinned: Neuron[];
  groups: Record<string, Neuron[]>;
}

export interface TraceProps {
  model: Model<TraceTraits>;
  source: Source;
  pictures: Thumbnails;
  active: ReadonlySignal<Neuron | null>;
  detail: Detail<NodeOfTrace>;
  visible: ReadonlySignal<boolean>;
  revision: ReadonlySignal<number>;
  /** By revision, the trace that the kernel has. */
  traces: Resources<number, Traced | null>;
  /** Under the key 0, what may be traced. */
  classes: Resources<number, string[]>;
  target: ReadonlySignal<string>;
  keep: ReadonlySignal<number>;
  threshold: ReadonlySignal<number>;
  pinned: ReadonlySignal<Neuron[]>;
  groups: ReadonlySignal<Record<string, Neuron[]>>;
  pointed: Signal<string | null>;
  tracing: Work;
  verifying: Work;
}

export function Trace(props: TraceProps) {
  const { source, traces, visible, revision } = props;
  const resource = useResource(traces, visible.value ? revision.value : null);
  const last = useRef<Traced | null>(null); // stays while the next one comes
  if (resource.state === "ready") last.current = resource.value;
  const shown = last.current;
  return (
    <div class="slw-panel">
      {source.can("trace") && <Form {...props} />}
      <Late source={source} />
      {resource.state === "error" && <Failure error={resource.error} retry={() => traces.retry()} />}
      {shown ? (
        <Found {...props} trace={shown} busy={resource.state === "loading"} />
      ) : resource.state === "ready" ? (
        <div class="slw-state">
          {source.can("trace")
            ? "Trace a class or a neuron to see which neurons of the lower layers make it respond."
            : "No trace travels with this page. Trace a class or a neuron in the notebook."}
        </div>
      ) : (
        resource.state !== "error" && (
          <div class="slw-trace-waiting slw-skeleton" role="status" aria-label="Loading the trace" />
        )
      )}
    </div>
  );
}

function Found(props: TraceProps & { trace: Traced; busy: boolean }) {
  const { model, trace, busy, active, threshold, pinned, groups, pictures, pointed } = props;
  const [other, setOther] = useState<string | null>(null);
  useEffect(() => setOther(null), [active.value]);
  const poles = usePoles();
  const graph = useMemo(
    () => arrange(trace, { threshold: threshold.value, pinned: pinned.value, groups: groups.value }),
    [trace, threshold.value, pinned.value, groups.value],
  );
  const chosen = graph.nodes.find(({ key, kind }) => key === other && kind !== "neuron") ?? null;
  const select = (node: Shown) => {
    const [one] = node.members;
    if (node.kind !== "neuron") return setOther(node.key);
    choose({ layer: one!.layer, neuron: one!.neuron });
  };
  const choose = (neuron: Neuron) => {
    setOther(null);
    setTraitSoon(model, "active", neuron);
  };
  const name = targetName(trace, poles);
  return (
    <>
      <header class="slw-trace-heading" aria-busy={busy}>
        <h2 class="slw-title" dir="auto">{name}</h2>
        <span class="slw-small slw-muted">
          {count(trace.images, "image")} · {trace.method} · of each layer the neurons with{" "}
          {percent(trace.keep)} of what is traced to it, {trace.top} at most
        </span>
      </header>
      <div class="slw-controls slw-controls-apart">
        <Threshold {...props} />
        <Verify {...props} />
      </div>
      <Board
        trace={trace}
        graph={graph}
        name={name}
        pictures={pictures}
        pointed={pointed}
        selected={chosen?.key ?? keyOfNeuron(graph, active.value)}
        select={select}
      />
      <p class="slw-small slw-muted">
        The width of an edge is relevance, to a scale of its own between any two layers. Dashed
        edges lead to or from the rest of a layer and are not to scale.
      </p>
      <Details {...props} graph={graph} other={chosen} choose={choose} />
    </>
  );
}

/** The card that a neuron is in. */
function keyOfNeuron({ nodes }: Graph, neuron: Neuron | null): string | null {
  const card = nodes.find(({ kind, members }) =>
    kind !== "rest" && kind !== "target" && members.some((one) => sameNeuron(one, neuron)));
  return card?.key ?? null;
}

function Threshold({ model, trace, threshold }: TraceProps & { trace: Traced }) {
  const shares = trace.nodes.filter(({ kind }) => kind === "neuron").map(({ share }) => share ?? 0);
  const high = Math.max(0.01, Math.ceil(100 * Math.max(0, ...shares)) / 100);
  return (
    <Slider
      label="threshold"
      title="Neurons with less of their layer are put with the rest"
      value={Math.min(threshold.value, high)}
      high={high}
      step={high / 40}
      text={`≥ ${percent(threshold.value)}`}
      onInput={(value) => setTraitSoon(model, "threshold", value)}
    />
  );
}

/** What ablation says of the trace, or a way to ask. */
function Verify({ source, trace, verifying, tracing }: TraceProps & { trace: Traced }) {
  const busy = isBusy(verifying) || isBusy(tracing);
  return (
    <div class="slw-verify">
      {trace.ablated ? (
        <p class="slw-small">{ablatedSaid(trace.ablated)}</p>
      ) : source.can("verify") && (
        <button
          type="button"
          class="slw-button"
          aria-disabled={busy}
          title="Set each neuron to 0 in the model, and see what the target loses"
          onClick={() => busy || verifying.run((told) => source.act("verify", {}, told))}
        >
          Verify by ablation
        </button>
      )}
      <Working of={verifying} doing="Setting one neuron after the other to 0 …" />
    </div>
  );
}

function start(model: Model<TraceTraits>, mounted: Mounted): TraceProps {
  const { source, onCleanup } = mounted;
  const panel = startPanel(model, mounted, "node");
  const { follow, active, visible, revision, detail, pictures } = panel;
  const traces = new Resources<number, Traced | null>(
    async ([version], signal) =>
      [(await source.ask("traced", {}, { signal, version: version! })).result],
    { batch: 1, capacity: 1 },
  );
  const classes = new Resources<number, string[]>(
    async (_, signal) => [(await source.ask("traceable", {}, { signal })).result],
    { batch: 1, capacity: 1 },
  );
  for (const held of [traces, classes]) onCleanup(() => held.dispose());
  return {
    model, source, pictures, active, detail, visible, revision, traces, classes,
    target: follow("target"), keep: follow("keep"), threshold: follow("threshold"),
    pinned: follow("pinned"), groups: follow("groups"),
    pointed: signal<string | null>(null), tracing: work(), verifying: work(),
  };
}

export const render = (context: RenderContext<TraceTraits>) =>
  mount(context, "slw-trace", (mounted) => <Trace {...start(context.model, mounted)} />);
