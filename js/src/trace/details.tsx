// What is chosen beside the graph: a neuron with its examples and what it gets most from, or the
// neurons of a group.
import { useRef, useState } from "preact/hooks";
import { Icon } from "../shared/icons";
import { PlainPicture } from "../neuron/plain-picture";
import { NeuronPanel } from "../neuron/panel";
import { setTrait, type Neuron } from "../source/model";
import { baseName, column, neuronName, sameNeuron, short, usePoles } from "../source/neuron";
import type { Below, NodeOfTrace, Traced, TraceNode } from "../source/messages";
import type { Graph, Shown } from "./graph";
import type { TraceProps } from "./trace";
import { describe, percent, titleOf } from "./words";

interface DetailsProps extends TraceProps {
  trace: Traced;
  graph: Graph;
  /** A card that is no neuron, if one is chosen. */
  other: Shown | null;
  choose: (neuron: Neuron) => void;
}

const WAITING = <div class="slw-trace-waiting slw-skeleton" aria-label="Loading the examples" />;

export function Details(props: DetailsProps) {
  const { other, active, source, detail } = props;
  if (other) return <Other {...props} node={other} />;
  return (
    <section class="slw-trace-details" aria-label="The chosen neuron">
      <NeuronPanel
        source={source}
        active={active.value}
        detail={detail}
        empty="Choose a node to see its examples, and what it responds to."
        waiting={WAITING}
      >
        {(shown, { here }) => <Chosen {...props} shown={shown} here={here} />}
      </NeuronPanel>
    </section>
  );
}

/** Numbers of a node, all but the share in units of what is traced. */
function Figures({ node }: { node: TraceNode }) {
  const figures = [
    ["share", percent(node.share ?? 0), "Of the layer's absolute relevance"],
    ["relevance", short(node.relevance, 3), "All that reaches this neuron"],
    ["traced", short(node.traced, 3), "What of it passes through neurons of the trace above"],
    ["ablation takes", short(node.drop, 3), "What the target loses on average if this neuron is 0"],
  ];
  return (
    <ul class="slw-facts" aria-label="In this trace">
      {figures.map(([name, value, help]) => (
        <li key={name} title={help}><span class="slw-muted">{name}</span> <b>{value}</b></li>
      ))}
    </ul>
  );
}

interface ChosenProps extends DetailsProps {
  shown: NodeOfTrace;
  here: boolean;
}

function Chosen({ shown, here, ...props }: ChosenProps) {
  const { trace, model, pinned, pictures, choose } = props;
  const { layer, neuron } = shown.facts;
  const own = { layer, neuron };
  const node = trace.nodes.find((one) => one.kind === "neuron" && sameNeuron(one, own));
  const isPinned = pinned.value.some((one) => sameNeuron(one, own));
  const pin = (wanted: boolean) => {
    const others = pinned.value.filter((one) => !sameNeuron(one, own));
    setTrait(model, "pinned", wanted ? [...others, own] : others);
  };
  return (
    <>
      {node ? (
        <>
          <Figures node={node} />
          {here && (
            <div class="slw-controls">
              <button
                type="button"
                class="slw-button"
                aria-pressed={isPinned}
                title="Show it whatever the threshold"
                onClick={() => pin(!isPinned)}
              >
                {isPinned ? "Pinned" : "Pin"}
              </button>
              <Group {...props} neuron={own} />
            </div>
          )}
        </>
      ) : (
        <p class="slw-small slw-muted">Not one of the neurons kept in this trace.</p>
      )}
      <div class="slw-node-more">
        <section aria-label="Examples">
          <p class="slw-small slw-muted">Examples</p>
          <ul class="slw-node-examples">
            {shown.examples.map((example) => (
              <li key={example.sample}>
                <PlainPicture
                  pictures={pictures}
                  sample={example.sample}
                  alt={`Example ${example.rank + 1}: ${example.class_name || baseName(example.uri)}`}
                />
              </li>
            ))}
          </ul>
        </section>
        {shown.below.length > 0 && <BelowList below={shown.below} choose={choose} />}
      </div>
    </>
  );
}

/** What a node gets most from. */
function BelowList({ below, choose }: { below: readonly Below[]; choose: (neuron: Neuron) => void }) {
  const poles = usePoles();
  const most = Math.max(...below.map(({ relevance }) => Math.abs(relevance)), 1e-12);
  const write = column(below.map(({ relevance }) => relevance), 3);
  return (
    <section aria-label="Gets most from">
      <p class="slw-small slw-muted">Gets most from</p>
      <ol class="slw-below">
        {below.map((one) => (
          <li key={one.neuron}>
            <button type="button" onClick={() => choose({ layer: one.layer, neuron: one.neuron })}>
              <span class="slw-ellipsis" dir="auto">{one.label || neuronName(one, poles)}</span>
              {one.label && <span class="slw-mono slw-muted slw-small">{neuronName(one, poles)}</span>}
              {!one.kept && <span class="slw-tag">not kept</span>}
              <span class="slw-number">{write(one.relevance)}</span>
              <span class="slw-bar" aria-hidden="true">
                <i style={{ width: `${(100 * Math.abs(one.relevance)) / most}%` }} />
              </span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Put a neuron under a name, with others. The field's text is its own: undo and input methods work. */
function Group({ model, groups, neuron }: DetailsProps & { neuron: Neuron }) {
  const [id] = useState(() => `slw-${Math.random().toString(36).slice(2)}`);
  const field = useRef<HTMLInputElement>(null);
  const join = (event: Event) => {
    event.preventDefault();
    const name = field.current!.value.trim();
    if (!name) return;
    const others = without(groups.value, neuron);
    setTrait(model, "groups", { ...others, [name]: [...(others[name] ?? []), neuron] });
    field.current!.value = "";
  };
  return (
    <form class="slw-group-form" onSubmit={join}>
      <input
        ref={field}
        class="slw-input"
        dir="auto"
        autocomplete="off"
        aria-label="Name of a group for this neuron"
        placeholder="Group under a name"
        list={id}
      />
      <datalist id={id}>
        {Object.keys(groups.value).map((name) => <option key={name} value={name} />)}
      </datalist>
      <button type="submit" class="slw-button">Group</button>
    </form>
  );
}

type Groups = Record<string, Neuron[]>;

/** The groups without a neuron; those that are empty then are gone. */
export function without(groups: Groups, neuron: Neuron): Groups {
  const left = Object.entries(groups).map(
    ([name, members]) => [name, members.filter((one) => !sameNeuron(one, neuron))] as const,
  );
  return Object.fromEntries(left.filter(([, members]) => members.length > 0));
}

/** The target, the rest of a layer, or a group with its members. */
function Other({ node, trace, graph, model, groups, choose }: DetailsProps & { node: Shown }) {
  const poles = usePoles();
  const members = node.kind === "group" ? node.members : [];
  return (
    <section class="slw-trace-details slw-panel" aria-label="The chosen node">
      <h2 class="slw-title" dir="auto">{titleOf(node, poles)}</h2>
      <p dir="auto">{describe(node, graph, trace.sizes, poles)}.</p>
      <ul class="slw-members">
        {members.map(({ layer, neuron, label, share }) => {
          const own = { layer, neuron };
          const name = neuronName(own, poles);
          return (
            <li key={neuron}>
              <button type="button" class="slw-button" dir="auto" onClick={() => choose(own)}>
                {label || name} · {percent(share ?? 0)}
              </button>
              <button
                type="button"
                class="slw-button slw-button-plain slw-button-icon"
                aria-label={`Take ${name} out of ${node.name}`}
                onClick={() => setTrait(model, "groups", without(groups.value, own))}
              >
                <Icon name="close" />
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
