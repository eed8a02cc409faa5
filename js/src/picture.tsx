// One image with its relevance and crop: a tile of the gallery, a half of a pair, the large view.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import { cropTransform, drawHeatmap, stage, type Colormap, type Heatmap } from "./heatmap";
import type { Neuron } from "./model";
import { outlinePath } from "./outline";
import { isUnavailable, useSeen } from "./parts";
import { heatmapKey, type Pictures } from "./pictures";
import { useResource } from "./resources";

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

interface PictureProps {
  pictures: Pictures;
  sample: number;
  alt: string;
  /** Whose relevance to show; none where relevance is not asked for. */
  neuron?: Neuron | undefined;
  look?: Look;
  /** Show the image in its own resolution, once it is there. */
  original?: boolean;
}

const percent = (fraction: number): string => `${+(fraction * 100).toFixed(3)}%`;

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

function Outline({ heatmap, look: { threshold } }: HeatProps) {
  const path = useMemo(() => outlinePath(heatmap, threshold || 0.5), [heatmap, threshold]);
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
  const { pictures, sample, alt, neuron, look = PLAIN, original = false } = props;
  const [frame, seen] = useSeen();
  const [aspect, setAspect] = useState(1);
  const thumbnail = useResource(pictures.thumbnails, seen ? sample : null);
  const whole = useResource(pictures.originals, seen && original ? sample : null);
  const wanted = seen && neuron && wantsRelevance(look);
  const relevance = useResource(pictures.heatmaps, wanted ? heatmapKey(neuron, sample) : null);
  const heatmap = relevance.state === "ready" ? relevance.value : null;
  const source = whole.state === "ready" ? whole : thumbnail;

  const place = stage(aspect);
  const { crop, overlay, outline } = look;
  const zoom = crop && heatmap ? cropTransform(heatmap.box, aspect) : { scale: 1, x: 0, y: 0 };
  const style = {
    left: percent(place.left),
    top: percent(place.top),
    width: percent(place.width),
    height: percent(place.height),
    transform: `translate(${percent(zoom.x)}, ${percent(zoom.y)}) scale(${+zoom.scale.toFixed(4)})`,
  };
  const busy = thumbnail.state === "loading" || relevance.state === "loading";
  const layer = (relevant: boolean) =>
    source.state === "ready" ? (
      <div class="slw-picture-stage" style={style}>
        <img
          src={source.value}
          alt={relevant && look.sideBySide ? "" : alt}
          draggable={false}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
            setAspect(naturalWidth / naturalHeight || 1)
          }
        />
        {relevant && overlay && heatmap && <HeatCanvas heatmap={heatmap} look={look} />}
        {relevant && outline && heatmap && <Outline heatmap={heatmap} look={look} />}
      </div>
    ) : source.state === "error" ? (
      <div class="slw-picture-missing" role="img" aria-label={`${alt}: ${source.error.message}`}>
        <Icon name="warning" />
        <span>{source.error.message}</span>
      </div>
    ) : (
      <div class="slw-picture-fill slw-skeleton" />
    );
  const wait = relevance.state === "loading" && <div class="slw-picture-wait slw-skeleton" />;
  const mark = relevance.state === "error" && !isUnavailable(relevance.error) && (
    <span class="slw-picture-mark" title={relevance.error.message}>
      <Icon name="warning" />
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
