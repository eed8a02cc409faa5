// What the gallery and the contrast panel start with: a neuron, what is known of it, its pictures.
import type { ReadonlySignal } from "@preact/signals";
import { followNeuron, followVisibility, type OfNeuron } from "../source/detail";
import { traitSignal, type Model, type Neuron } from "../source/model";
import type { Mounted } from "../shared/mount";
import { createThumbnails } from "../source/thumbnails";

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
  const detail = followNeuron({ source, method, active, visible, revision });
  const pictures = createThumbnails(source);
  for (const stop of [stopVisible, detail.stop, () => pictures.dispose()]) onCleanup(stop);
  return { follow, active, visible, revision, detail, pictures };
}
