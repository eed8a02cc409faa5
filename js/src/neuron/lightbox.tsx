// The large view of one example, as a modal dialog.
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../shared/icons";
import type { Heatmap } from "../source/heatmap";
import type { Neuron } from "../source/model";
import { short, type Example } from "../source/neuron";
import { Picture, UNPLACED, wantsRelevance, type Look } from "./picture";
import { heatmapKey, type Pictures } from "../source/pictures";
import { useResource } from "../source/resources";
import "./lightbox.css";

const share = (value: number): string => `${Math.round(value * 100)} %`;

/** What of the image was embedded, in words. */
function embeddedOf({ box }: Heatmap, crops: boolean): string {
  if (!crops) return "the whole image";
  if (!box) return "no crop: its place in the image is not known";
  const [width, height] = [box.right - box.left, box.bottom - box.top];
  if (Math.min(width, height) > 0.995) return "a crop that is the whole image";
  return `the dashed box, ${share(width)} × ${share(height)} of the image`;
}

interface LightboxProps {
  pictures: Pictures;
  example: Example;
  neuron: Neuron;
  count: number;
  look: Look;
  /** Whether the image can be shown in its own resolution. */
  originals: boolean;
  /** Whether crops were embedded rather than whole images. */
  crops: boolean;
  /** Go to the next (1) or previous (-1) example. */
  step: (by: 1 | -1) => void;
  close: () => void;
}

const RESOLUTION = {
  none: "thumbnail: the images are not at hand",
  idle: "thumbnail",
  loading: "thumbnail, the whole image is loading",
  ready: "in its own resolution",
  error: "thumbnail: the image cannot be read",
};

function Term({ name, children }: { name: string; children: string }) {
  return (
    <li>
      <div class="slw-small slw-muted">{name}</div>
      <bdi>{children}</bdi>
    </li>
  );
}

export function Lightbox(props: LightboxProps) {
  const { pictures, example, neuron, count, look, originals, crops, step, close } = props;
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const wanted = wantsRelevance(look);
  const relevance = useResource(
    pictures.heatmaps,
    wanted ? heatmapKey(neuron, example.sample) : null,
  );
  const whole = useResource(pictures.originals, originals ? example.sample : null);
  const onKeyDown = ({ key }: KeyboardEvent) => {
    if (key === "ArrowRight") step(1);
    else if (key === "ArrowLeft") step(-1);
  };
  return (
    <dialog
      ref={dialog}
      class={wanted && look.sideBySide ? "slw-lightbox slw-lightbox-two" : "slw-lightbox"}
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
          look={look}
          original={originals}
          embedded={crops}
        />
        <div class="slw-lightbox-side">
          <h3 class="slw-title" dir="auto">{example.class_name || "Example"}</h3>
          <ul>
            <Term name="Rank">{`${example.rank + 1} of ${count}`}</Term>
            <Term name="Activation">{short(example.activation, 3)}</Term>
            <Term name="File">{example.uri}</Term>
            <Term name="Shown">{RESOLUTION[originals ? whole.state : "none"]}</Term>
            {wanted && relevance.state === "ready" && (
              <>
                <Term name="Relevance by">{relevance.value.method}</Term>
                {relevance.value.arrived !== null && (
                  <Term name="Arrived at the image">
                    {`${share(relevance.value.arrived)} of the relevance`}
                  </Term>
                )}
                <Term name="Embedded">{embeddedOf(relevance.value, crops)}</Term>
              </>
            )}
          </ul>
          {wanted && relevance.state === "ready" && relevance.value.box === null && (
            <p class="slw-error slw-small">{UNPLACED}.</p>
          )}
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
            {originals && whole.state === "error" && (
              <button
                type="button"
                class="slw-button"
                title={whole.error.message}
                onClick={() => pictures.originals.retry()}
              >
                <Icon name="retry" />
                Retry
              </button>
            )}
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
