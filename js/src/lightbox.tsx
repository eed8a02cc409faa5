// The large view of one example, as a modal dialog.
import type { ReadonlySignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "./icons";
import type { Neuron } from "./model";
import { short, type Example } from "./neuron";
import { Picture } from "./picture";
import { heatmapKey, type Pictures } from "./pictures";
import { useResource } from "./resources";

interface LightboxProps {
  pictures: Pictures;
  example: Example;
  neuron: Neuron;
  count: number;
  overlay: ReadonlySignal<boolean>;
  crop: ReadonlySignal<boolean>;
  /** Go to the next (1) or previous (-1) example. */
  step: (by: 1 | -1) => void;
  close: () => void;
}

function Term({ name, children }: { name: string; children: string }) {
  return (
    <li>
      <div class="slw-small slw-muted">{name}</div>
      {children}
    </li>
  );
}

export function Lightbox(props: LightboxProps) {
  const { pictures, example, neuron, count, overlay, crop, step, close } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const wanted = overlay.value || crop.value;
  const relevance = useResource(
    pictures.heatmaps,
    wanted ? heatmapKey(neuron, example.sample) : null,
  );
  const onKeyDown = ({ key }: KeyboardEvent) => {
    if (key === "ArrowRight") step(1);
    else if (key === "ArrowLeft") step(-1);
  };
  return (
    <dialog
      ref={dialog}
      class="slw-lightbox"
      aria-label={`Example ${example.rank + 1} of ${count}`}
      onClose={close}
      onKeyDown={onKeyDown}
      onClick={({ target }) => target === dialog.current && dialog.current?.close()}
    >
      <div class="slw-lightbox-body">
        <Picture
          key={example.sample}
          pictures={pictures}
          sample={example.sample}
          alt={example.class_name || example.uri}
          neuron={neuron}
          overlay={overlay.value}
          crop={crop.value}
          outline={overlay.value}
        />
        <div class="slw-lightbox-side">
          <h3 class="slw-title">{example.class_name || "Example"}</h3>
          <ul>
            <Term name="Rank">{`${example.rank + 1} of ${count}`}</Term>
            <Term name="Activation">{short(example.activation, 3)}</Term>
            <Term name="File">{example.uri}</Term>
            {wanted && relevance.state === "ready" && (
              <Term name="Relevance by">{relevance.value.method}</Term>
            )}
          </ul>
          {wanted && relevance.state === "error" && (
            <p class="slw-error slw-small">{relevance.error.message}</p>
          )}
          <div class="slw-lightbox-keys">
            <button
              type="button"
              class="slw-button slw-button-icon"
              aria-label="Previous example"
              onClick={() => step(-1)}
            >
              <Icon name="previous" />
            </button>
            <button
              type="button"
              class="slw-button slw-button-icon"
              aria-label="Next example"
              onClick={() => step(1)}
            >
              <Icon name="next" />
            </button>
            <span class="slw-spring" />
            <button type="button" class="slw-button" onClick={() => dialog.current?.close()}>
              Close
            </button>
          </div>
        </div>
      </div>
    </dialog>
  );
}
