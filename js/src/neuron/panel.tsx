// A panel on one neuron: what it starts with, and the frame that it shows in every state.
import type { ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import {
  followNeuron, followVisibility, type Answer, type Detail, type OfNeuron,
} from "../source/detail";
import { traitSignal, type Model, type Neuron } from "../source/model";
import { neuronName, sameNeuron, usePoles, type Facts } from "../source/neuron";
import { Failure, Late } from "../shared/controls";
import type { Mounted } from "../shared/mount";
import type { Source } from "../source/source";
import { createThumbnails } from "../source/thumbnails";
import { NeuronHeading } from "./heading";

export interface PanelTraits {
  active: Neuron | null;
  _revision: number;
}

/** `method` is the request that answers what the panel shows of its neuron. */
export function startPanel<T extends PanelTraits, M extends OfNeuron>(
  model: Model<T>,
  { source, root, onCleanup }: Mounted,
  method: M,
) {
  const follow = <K extends keyof T & string>(key: K): ReadonlySignal<T[K]> => {
    const [mirror, stop] = traitSignal(model, key);
    onCleanup(stop);
    return mirror;
  };
  const active: ReadonlySignal<Neuron | null> = follow("active");
  const [visible, stopVisible] = followVisibility(root);
  const revision: ReadonlySignal<number> = follow("_revision");
  const detail: Detail<Answer<M>> = followNeuron({ source, method, active, visible, revision });
  const pictures = createThumbnails(source);
  for (const stop of [stopVisible, detail.stop, () => pictures.dispose()]) onCleanup(stop);
  return { follow, active, visible, revision, detail, pictures };
}

interface PanelProps<D extends { facts: Facts }> {
  source: Source;
  active: Neuron | null;
  detail: Detail<D>;
  /** What is said where no neuron is chosen. */
  empty: string;
  /** What stands where the pictures will be. */
  waiting: ComponentChildren;
  class?: string;
  style?: Record<string, string | number>;
  children: (shown: D, at: Standing) => ComponentChildren;
}

/** How what is shown stands to what was asked for. */
export interface Standing {
  /** Something newer is on its way. */
  busy: boolean;
  /** It is of the active neuron; another's stays for a moment while the next one loads. */
  here: boolean;
}

/**
 * The neuron's heading and what a view adds; without a neuron, without an answer yet, after an
 * error and where the kernel is gone, what is to be said instead or above.
 */
export function NeuronPanel<D extends { facts: Facts }>(props: PanelProps<D>) {
  const { source, active, detail, empty, waiting, children } = props;
  const poles = usePoles();
  if (active === null) return <div class="slw-state">{empty}</div>;
  const resource = detail.resource.value;
  const failed = resource.state === "error" ? resource.error : null;
  const shown = detail.last.value;
  const name = neuronName(active, poles);
  if (!shown && failed) {
    const about = <span class="slw-mono">({name})</span>;
    return <Failure error={failed} retry={detail.reload}>{about}</Failure>;
  }
  if (!shown) {
    return (
      <div class="slw-panel">
        <header class="slw-heading" aria-busy="true">
          <div class="slw-heading-name">
            <span class="slw-awaited-title slw-skeleton" aria-hidden="true" />
            <span class="slw-mono slw-muted">{name}</span>
          </div>
        </header>
        <p class="slw-hidden" role="status">Loading {name}</p>
        <Late source={source} />
        {waiting}
      </div>
    );
  }
  const here = sameNeuron(shown.facts, active);
  const busy = resource.state === "loading" || !here;
  return (
    <div class={`slw-panel ${props.class ?? ""}`} style={props.style}>
      <NeuronHeading facts={shown.facts} busy={busy} />
      <Late source={source} />
      {failed && <Failure error={failed} retry={detail.reload} />}
      {children(shown, { busy, here })}
    </div>
  );
}
