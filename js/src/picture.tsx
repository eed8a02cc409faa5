// One image with its relevance and crop: a tile of the gallery, a half of a pair, the large view.
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";
import { cropTransform, drawHeatmap, stage, type Heatmap } from "./heatmap";
import type { Neuron } from "./model";
import { isUnavailable, useSeen } from "./parts";
import { heatmapKey, type Pictures } from "./pictures";
import { useResource } from "./resources";

interface PictureProps {
  pictures: Pictures;
  sample: number;
  alt: string;
  /** Whose relevance to show; none where relevance is not asked for. */
  neuron?: Neuron | undefined;
  overlay?: boolean;
  crop?: boolean;
  /** Draw the box that a crop would show. */
  outline?: boolean;
}

const percent = (fraction: number): string => `${+(fraction * 100).toFixed(3)}%`;

function HeatCanvas({ heatmap }: { heatmap: Heatmap }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    if (canvas.current) drawHeatmap(canvas.current, heatmap);
  }, [heatmap]);
  return <canvas ref={canvas} class="slw-heat" aria-hidden="true" />;
}

function Outline({ heatmap: { box } }: { heatmap: Heatmap }) {
  const style = {
    left: percent(box.left),
    top: percent(box.top),
    width: percent(box.right - box.left),
    height: percent(box.bottom - box.top),
  };
  return <div class="slw-outline" style={style} aria-hidden="true" />;
}

export function Picture(props: PictureProps) {
  const { pictures, sample, alt, neuron, overlay = false, crop = false, outline = false } = props;
  const [frame, seen] = useSeen();
  const [aspect, setAspect] = useState(1);
  const thumbnail = useResource(pictures.thumbnails, seen ? sample : null);
  const wanted = seen && neuron && (overlay || crop || outline);
  const relevance = useResource(pictures.heatmaps, wanted ? heatmapKey(neuron, sample) : null);
  const heatmap = relevance.state === "ready" ? relevance.value : null;

  const place = stage(aspect);
  const zoom = crop && heatmap ? cropTransform(heatmap.box, aspect) : { scale: 1, x: 0, y: 0 };
  const style = {
    left: percent(place.left),
    top: percent(place.top),
    width: percent(place.width),
    height: percent(place.height),
    transform: `translate(${percent(zoom.x)}, ${percent(zoom.y)}) scale(${+zoom.scale.toFixed(4)})`,
  };
  const busy = thumbnail.state === "loading" || relevance.state === "loading";
  return (
    <div ref={frame} class="slw-picture" aria-busy={busy}>
      {thumbnail.state === "ready" ? (
        <div class="slw-picture-stage" style={style}>
          <img
            src={thumbnail.value}
            alt={alt}
            draggable={false}
            onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
              setAspect(naturalWidth / naturalHeight || 1)
            }
          />
          {overlay && heatmap && <HeatCanvas heatmap={heatmap} />}
          {outline && heatmap && !crop && <Outline heatmap={heatmap} />}
        </div>
      ) : thumbnail.state === "error" ? (
        <div class="slw-picture-missing" role="img" aria-label={`${alt}: ${thumbnail.error.message}`}>
          <Icon name="warning" />
          <span>{thumbnail.error.message}</span>
        </div>
      ) : (
        <div class="slw-picture-fill slw-skeleton" />
      )}
      {relevance.state === "loading" && <div class="slw-picture-wait slw-skeleton" />}
      {relevance.state === "error" && !isUnavailable(relevance.error) && (
        <span class="slw-picture-mark" title={relevance.error.message}>
          <Icon name="warning" />
        </span>
      )}
    </div>
  );
}
