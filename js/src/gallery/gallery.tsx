// The concept gallery: the images that activate a neuron most, with relevance and crops.
import { computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { arrange, type Grouping, type Sorting } from "./arrange";
import { followNeuron, type Detail } from "../source/detail";
import { Controls, type Size } from "./controls";
import type { Colormap } from "../neuron/heatmap";
import { Lightbox } from "../neuron/lightbox";
import { mount, type Mounted } from "../shared/mount";
import type { Model, Neuron, RenderContext } from "../source/model";
import { column, neuronName, usePoles } from "../source/neuron";
import { NeuronPanel, startPanel, type PanelTraits } from "../neuron/panel";
import { Failure } from "../shared/controls";
import { wantsRelevance, type Look } from "../neuron/picture";
import { createPictures, type Pictures } from "../source/pictures";
import type { ExamplesOfNeuron } from "../source/messages";
import type { Source } from "../source/source";
import { RelevanceSaid } from "../neuron/relevance-said";
import { Strip } from "../neuron/strip";
import { Tile } from "../neuron/tile";
import { Tiles } from "../neuron/tiles";
import "../neuron/panel.css";
import "../neuron/sliders.css";
import "./gallery.css";

/** The traits of `widgets/gallery.py`. */
export interface GalleryTraits extends PanelTraits {
  overlay: boolean;
  crop: boolean;
  outline: boolean;
  side_by_side: boolean;
  opacity: number;
  threshold: number;
  colormap: Colormap;
  sort_by: Sorting;
  group_by: Grouping;
  _originals: boolean;
  /** Whether crops were embedded rather than whole images. */
  _crops: boolean;
}

interface GalleryProps {
  model: Model<GalleryTraits>;
  source: Source;
  detail: Detail<ExamplesOfNeuron>;
  /** Which of two meanings each example belongs to, by rank; asked for when wanted. */
  clusters: Detail<number[]>;
  pictures: Pictures;
  active: ReadonlySignal<Neuron | null>;
  look: ReadonlySignal<Look>;
  opacity: ReadonlySignal<number>;
  sorting: ReadonlySignal<Sorting>;
  grouping: ReadonlySignal<Grouping>;
  originals: ReadonlySignal<boolean>;
  crops: ReadonlySignal<boolean>;
  /** The image under the pointer. */
  pointed: Signal<number | null>;
}

const WAITING = (
  <ol class="slw-tiles" aria-label="Loading the examples">
    {Array.from({ length: 12 }, (_, index) => (
      <li class="slw-tile" key={index}>
        <div class="slw-picture slw-skeleton" />
      </li>
    ))}
  </ol>
);

export function Gallery(props: GalleryProps) {
  const [size, setSize] = useState<Size>("medium");
  return (
    <NeuronPanel
      source={props.source}
      active={props.active.value}
      detail={props.detail}
      empty="Choose a neuron to see the images that activate it most."
      waiting={WAITING}
      class={`slw-size-${size}`}
      style={{ "--slw-heat-opacity": props.opacity.value }}
    >
      {(shown, { busy }) => (
        <Examples {...props} shown={shown} busy={busy} size={size} onSize={setSize} />
      )}
    </NeuronPanel>
  );
}

interface ExamplesProps extends GalleryProps {
  shown: ExamplesOfNeuron;
  busy: boolean;
  size: Size;
  onSize: (size: Size) => void;
}

function Examples(props: ExamplesProps) {
  const poles = usePoles();
  const { clusters, pictures, opacity, look, sorting, grouping, shown, busy, size, onSize } = props;
  const [large, setLarge] = useState<{ of: string; sample: number } | null>(null);
  const { facts, examples, histogram } = shown;
  const neuron = { layer: facts.layer, neuron: facts.neuron };
  const top = Math.max(...examples.map(({ activation }) => activation ?? 0), 0);
  const write = column(examples.map(({ activation }) => activation));
  const wanted = grouping.value === "cluster";
  const found = clusters.resource.value;
  const meanings = found.state === "ready" ? found.value : null;
  const groups = arrange(examples, sorting.value, grouping.value, meanings);
  const order = groups.flatMap((group) => group.examples);
  const heatFailure = pictures.heatmaps.failure.value;
  const pictureFailure = pictures.thumbnails.failure.value;
  const name = neuronName(neuron, poles);
  const at = large?.of === name ? order.findIndex(({ sample }) => sample === large.sample) : -1;
  const open = order[at];
  const walk = (by: number) =>
    setLarge({ of: name, sample: order[(at + by + order.length) % order.length]!.sample });
  return (
    <>
      <Strip histogram={histogram} examples={examples} pointed={props.pointed} />
      <Controls
        model={props.model}
        look={look.value}
        opacity={opacity.value}
        sorting={sorting.value}
        grouping={grouping.value}
        size={size}
        onSize={onSize}
      />
      {wanted && found.state === "error" && (
        <Failure error={found.error} retry={clusters.reload} />
      )}
      {pictureFailure && (
        <Failure error={pictureFailure} retry={() => pictures.thumbnails.retry()} />
      )}
      {heatFailure && wantsRelevance(look.value) && (
        <Failure error={heatFailure} retry={() => pictures.heatmaps.retry()} />
      )}
      {wantsRelevance(look.value) && <RelevanceSaid pictures={pictures} neuron={neuron} />}
      {examples.length === 0 ? (
        <div class="slw-state">No image activates this neuron.</div>
      ) : (
        <Tiles
          key={name}
          groups={groups}
          busy={busy || (wanted && found.state === "loading")}
          label="Images that activate the neuron most"
          tile={(example, focus) => (
            <Tile
              key={example.sample}
              example={example}
              top={top}
              write={write}
              neuron={neuron}
              focus={focus}
              pictures={pictures}
              look={look.value}
              pointed={props.pointed}
              open={() => setLarge({ of: name, sample: example.sample })}
            />
          )}
        />
      )}
      <p class="slw-hidden" aria-live="polite">
        {busy ? "Loading" : `${examples.length} examples of ${facts.label || "this neuron"}`}
      </p>
      {open && (
        <Lightbox
          pictures={pictures}
          look={look.value}
          originals={props.originals.value}
          crops={props.crops.value}
          example={open}
          neuron={neuron}
          count={examples.length}
          step={walk}
          close={() => setLarge(null)}
        />
      )}
    </>
  );
}

function start(model: Model<GalleryTraits>, mounted: Mounted): GalleryProps {
  const { source } = mounted;
  const panel = startPanel(model, mounted, "neuron");
  const { follow, active, visible, detail } = panel;
  const pictures = createPictures(source, panel.pictures);
  mounted.onCleanup(() => pictures.dispose());
  const grouping = follow("group_by");
  const clusters = followNeuron({
    source,
    active,
    method: "clusters",
    visible: computed(() => visible.value && grouping.value === "cluster"),
    revision: signal(0),
  });
  mounted.onCleanup(clusters.stop);
  const [overlay, crop, outline] = [follow("overlay"), follow("crop"), follow("outline")];
  const [sideBySide, colormap] = [follow("side_by_side"), follow("colormap")];
  const [threshold, whole] = [follow("threshold"), follow("_originals")];
  const originals = computed(() => whole.value && source.can("original"));
  const look = computed<Look>(() => ({
    overlay: overlay.value,
    crop: crop.value,
    outline: outline.value,
    sideBySide: sideBySide.value,
    colormap: colormap.value,
    threshold: threshold.value,
  }));
  return {
    model, source, detail, clusters, pictures, active, look, grouping,
    opacity: follow("opacity"), sorting: follow("sort_by"), originals,
    crops: follow("_crops"),
    pointed: signal<number | null>(null),
  };
}

export const render = (context: RenderContext<GalleryTraits>) =>
  mount(context, "slw-gallery", (mounted) => (
    <Gallery {...start(context.model, mounted)} />
  ));
