// One image with its relevance and crop: a tile of the gallery, the large view.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Icon } from "../shared/icons";
import { cropTransform } from "./crop";
import { drawHeatmap, type Colormap } from "./heatmap";
import { type Box, type Heatmap } from "../source/heatmap";
import type { Neuron } from "../source/model";
import { outlinePath, relevantBox } from "./outline";
import { isUnavailable, useSeen } from "../shared/controls";
import { heatmapKey, type Pictures } from "../source/pictures";
import { Layer, percent, placeOf } from "./plain-picture";
import { useResource } from "../source/resources";
import "./picture.css";

/** How relevance is shown. */
export interface Look {
  overlay: boolean;
  crop: boolean;
  outline: boolean;
  /** The plain image beside the one with relevance. */
  sideBySide: boolean;
  colormap: Colormap;
  /** Less relevance than this share of the maximum is not shown. */
  threshold: number;
}

export const PLAIN: Look = {
  overlay: false, crop: false, outline: false, sideBySide: false, colormap: "ember", threshold: 0,
};

export const wantsRelevance = ({ overlay, crop, outline }: Look): boolean =>
  overlay || crop || outline;

/** Where the outline runs and what a crop zooms into. */
export const levelOf = ({ threshold }: Look): number => threshold || 0.5;

/** Said where relevance is known but not which part of the image the model has seen. */
export const UNPLACED = "Where in this image the relevance lies is not known";

interface PictureProps {
  pictures: Pictures;
  sample: number;
  alt: string;
  /** Whose relevance to show; none where relevance is not asked for. */
  neuron?: Neuron | undefined;
  look?: Look;
  /** Show the image in its own resolution, once it is there. */
  original?: boolean;
  /** Show the region that crop embedding embeds. */
  embedded?: boolean;
}

/** The region that crop embedding embeds. */
function Embedded({ box: { left, top, right, bottom } }: { box: Box }) {
  const style = {
    left: percent(left), top: percent(top),
    width: percent(right - left), height: percent(bottom - top),
  };
  return <i class="slw-embedded" style={style} aria-hidden="true" />;
}

interface HeatProps {
  heatmap: Heatmap;
  look: Look;
}

function HeatCanvas({ heatmap, look: { colormap, threshold } }: HeatProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) drawHeatmap(canvas.current, heatmap, colormap, threshold);
  }, [heatmap, colormap, threshold]);
  return <canvas ref={canvas} class="slw-heat" aria-hidden="true" />;
}

function Outline({ heatmap, look }: HeatProps) {
  const level = levelOf(look);
  const path = useMemo(() => outlinePath(heatmap, level), [heatmap, level]);
  const { width, height } = heatmap;
  return (
    <svg
      class="slw-outline"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <path d={path} />
      <path d={path} />
    </svg>
  );
}

export function Picture(props: PictureProps) {
  const { pictures, sample, alt, neuron, look = PLAIN, original = false, embedded } = props;
  const [frame, seen] = useSeen();
  const [aspect, setAspect] = useState(1);
  const thumbnail = useResource(pictures.thumbnails, seen ? sample : null);
  const whole = useResource(pictures.originals, seen && original ? sample : null);
  const wanted = seen && neuron && wantsRelevance(look);
  const relevance = useResource(pictures.heatmaps, wanted ? heatmapKey(neuron, sample) : null);
  const arrived = relevance.state === "ready" ? relevance.value : null;
  // Over the picture only where it is known which part of it the model has seen.
  const heatmap = arrived?.box ? arrived : null;
  const unplaced = arrived !== null && arrived.box === null;
  const source = whole.state === "ready" ? whole : thumbnail;

  const { crop, overlay, outline } = look;
  const level = levelOf(look);
  const box = useMemo(
    () => (crop && heatmap ? relevantBox(heatmap, level) : null),
    [crop, heatmap, level],
  );
  const zoom = box ? cropTransform(box, aspect) : { scale: 1, x: 0, y: 0 };
  const shift = `translate(${percent(zoom.x)}, ${percent(zoom.y)}) scale(${+zoom.scale.toFixed(4)})`;
  const style = { ...placeOf(aspect), transform: shift };
  const busy = thumbnail.state === "loading" || relevance.state === "loading";
  const layer = (relevant: boolean) => (
    <Layer
      source={source}
      alt={alt}
      silent={relevant && look.sideBySide}
      style={style}
      onAspect={setAspect}
    >
      {/* At 100 % nothing is left to colour, and nothing to step back for. */}
      {relevant && overlay && heatmap && look.threshold < 1 && (
        <HeatCanvas heatmap={heatmap} look={look} />
      )}
      {relevant && outline && heatmap && <Outline heatmap={heatmap} look={look} />}
      {relevant && embedded && heatmap?.box && <Embedded box={heatmap.box} />}
    </Layer>
  );
  const wait = relevance.state === "loading" && <div class="slw-picture-wait slw-skeleton" />;
  const failed = relevance.state === "error" && !isUnavailable(relevance.error);
  const why = failed ? relevance.error.message : unplaced ? UNPLACED : "";
  const mark = why !== "" && (
    <span class="slw-picture-mark" title={why}>
      <Icon name="warning" />
      <span class="slw-hidden">{why}</span>
    </span>
  );
  const two = look.sideBySide && wantsRelevance(look) && neuron;
  return (
    <div ref={frame} class={two ? "slw-picture-two" : "slw-picture"} aria-busy={busy}>
      {two ? (
        <>
          <div class="slw-picture">{layer(false)}</div>
          <div class="slw-picture">
            {layer(true)}
            {wait}
            {mark}
          </div>
        </>
      ) : (
        <>
          {layer(true)}
          {wait}
          {mark}
        </>
      )}
    </div>
  );
}
