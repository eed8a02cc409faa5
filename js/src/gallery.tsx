// The concept gallery: the images that activate a neuron most, with relevance and crops.
import type { ReadonlySignal } from "@preact/signals";
import { useState } from "preact/hooks";
import { followNeuron, followVisibility, type Detail } from "./detail";
import { rampGradient } from "./heatmap";
import { Lightbox } from "./lightbox";
import { mount, type Mounted } from "./mount";
import { setTrait, traitSignal, type Model, type Neuron, type RenderContext } from "./model";
import { baseName, short, type Example, type Facts } from "./neuron";
import { Failure, NeuronHeading, Segments, Slider, Toggle } from "./parts";
import { Picture } from "./picture";
import { createPictures, type Pictures } from "./pictures";
import "./panels.css";
import "./gallery.css";

/** The traits of `widgets/gallery.py`. */
export interface GalleryTraits {
  active: Neuron | null;
  overlay: boolean;
  crop: boolean;
  opacity: number;
  _revision: number;
}

export interface GalleryDetail {
  facts: Facts;
  examples: Example[];
}

type Size = "small" | "medium" | "large";
const SIZES = [["small", "S"], ["medium", "M"], ["large", "L"]] as const;

interface GalleryProps {
  model: Model<GalleryTraits>;
  detail: Detail<GalleryDetail>;
  pictures: Pictures;
  active: ReadonlySignal<Neuron | null>;
  overlay: ReadonlySignal<boolean>;
  crop: ReadonlySignal<boolean>;
  opacity: ReadonlySignal<number>;
}

/** What one tile shows, in words. */
export function describe(example: Example): string {
  const name = example.class_name ? `${example.class_name}, ` : "";
  return `Example ${example.rank + 1}: ${name}${baseName(example.uri)}`;
}

function Tile(props: GalleryProps & { example: Example; top: number; neuron: Neuron; open: () => void }) {
  const { example, top, neuron, open, pictures, overlay, crop } = props;
  const share = top > 0 ? Math.min(1, Math.max(0, (example.activation ?? 0) / top)) : 0;
  const words = describe(example);
  return (
    <li class="slw-tile">
      <button
        type="button"
        title={`${words}\nactivation ${short(example.activation, 3)}\n${example.uri}`}
        aria-label={`${words}, activation ${short(example.activation)}. Open the large view.`}
        onClick={open}
      >
        <Picture
          pictures={pictures}
          sample={example.sample}
          alt={words}
          neuron={neuron}
          overlay={overlay.value}
          crop={crop.value}
        />
      </button>
      <div class="slw-bar" aria-hidden="true">
        <i style={{ width: `${share * 100}%` }} />
      </div>
      <div class="slw-tile-caption slw-small">
        <span class="slw-ellipsis slw-muted">{example.class_name || baseName(example.uri)}</span>
        <span class="slw-number">{short(example.activation)}</span>
      </div>
    </li>
  );
}

function Controls(props: GalleryProps & { size: Size; onSize: (size: Size) => void }) {
  const { model, overlay, crop, opacity, size, onSize } = props;
  return (
    <div class="slw-controls" role="toolbar" aria-label="How the examples are shown">
      <Toggle
        icon="relevance"
        label="Relevance"
        title="Colour the pixels that made the neuron fire"
        pressed={overlay.value}
        onChange={(on) => setTrait(model, "overlay", on)}
      />
      <Toggle
        icon="crop"
        label="Crop"
        title="Zoom each image into its relevant region"
        pressed={crop.value}
        onChange={(on) => setTrait(model, "crop", on)}
      />
      {overlay.value && (
        <>
          <Slider
            label="Opacity"
            value={opacity.value}
            step={0.05}
            text={`${Math.round(opacity.value * 100)} %`}
            onInput={(value) => setTrait(model, "opacity", value)}
          />
          <span class="slw-legend slw-small slw-muted" aria-hidden="true">
            low <i style={{ background: rampGradient }} /> high
          </span>
        </>
      )}
      <span class="slw-spring" />
      <Segments label="Tile size" options={SIZES} value={size} onChange={onSize} />
    </div>
  );
}

function Waiting() {
  return (
    <ol class="slw-tiles" aria-label="Loading the examples">
      {Array.from({ length: 12 }, (_, index) => (
        <li class="slw-tile" key={index}>
          <div class="slw-picture slw-skeleton" />
        </li>
      ))}
    </ol>
  );
}

export function Gallery(props: GalleryProps) {
  const { detail, active, pictures, opacity } = props;
  const [size, setSize] = useState<Size>("medium");
  const [large, setLarge] = useState<number | null>(null);
  const { resource, last } = detail;
  if (active.value === null) {
    return <div class="slw-state">Choose a neuron to see the images that activate it most.</div>;
  }
  const failed = resource.value.state === "error" ? resource.value.error : null;
  const shown = last.value;
  if (!shown) return failed ? <Failure error={failed} retry={detail.reload} /> : <Waiting />;

  const busy = resource.value.state === "loading";
  const { facts, examples } = shown;
  const neuron = { layer: facts.layer, neuron: facts.neuron };
  const top = Math.max(...examples.map(({ activation }) => activation ?? 0), 0);
  const heatFailure = pictures.heatmaps.failure.value;
  const pictureFailure = pictures.thumbnails.failure.value;
  const open = large === null ? undefined : examples[large];
  return (
    <div class={`slw-panel slw-size-${size}`} style={{ "--slw-heat-opacity": opacity.value }}>
      <NeuronHeading facts={facts} busy={busy} />
      <Controls {...props} size={size} onSize={setSize} />
      {failed && <Failure error={failed} retry={detail.reload} />}
      {pictureFailure && (
        <Failure error={pictureFailure} retry={() => pictures.thumbnails.retry()} />
      )}
      {heatFailure && (props.overlay.value || props.crop.value) && (
        <Failure error={heatFailure} retry={() => pictures.heatmaps.retry()} />
      )}
      {examples.length === 0 ? (
        <div class="slw-state">No image activates this neuron.</div>
      ) : (
        <ol class="slw-tiles" aria-busy={busy} aria-label="Images that activate the neuron most">
          {examples.map((example, index) => (
            <Tile
              {...props}
              key={example.sample}
              example={example}
              top={top}
              neuron={neuron}
              open={() => setLarge(index)}
            />
          ))}
        </ol>
      )}
      <p class="slw-hidden" aria-live="polite">
        {busy ? "Loading" : `${examples.length} examples of ${facts.label || "this neuron"}`}
      </p>
      {open && (
        <Lightbox
          {...props}
          example={open}
          neuron={neuron}
          count={examples.length}
          step={(by) => setLarge((large! + by + examples.length) % examples.length)}
          close={() => setLarge(null)}
        />
      )}
    </div>
  );
}

function start({ model, rpc, root, onCleanup }: Mounted & { model: Model<GalleryTraits> }) {
  const follow = <K extends keyof GalleryTraits>(key: K) => {
    const [mirror, stop] = traitSignal(model, key);
    onCleanup(stop);
    return mirror;
  };
  const active = follow("active");
  const [visible, stopVisible] = followVisibility(root);
  const source = { rpc, method: "neuron", active, visible, revision: follow("_revision") };
  const detail = followNeuron<GalleryDetail>(source);
  const pictures = createPictures(rpc);
  onCleanup(stopVisible);
  onCleanup(detail.stop);
  onCleanup(() => pictures.dispose());
  return {
    model, detail, pictures, active,
    overlay: follow("overlay"), crop: follow("crop"), opacity: follow("opacity"),
  };
}

export const render = (context: RenderContext<GalleryTraits>) =>
  mount(context, "slw-gallery", (mounted) => (
    <Gallery {...start({ ...mounted, model: context.model })} />
  ));
