// One image in its square: alone as a half of a pair, or under what the gallery draws over it.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { stage } from "./crop";
import { Icon } from "../shared/icons";
import { useSeen } from "../shared/controls";
import { useResource, type Resource } from "../source/resources";
import type { Thumbnails } from "../source/thumbnails";

export const percent = (fraction: number): string => `${+(fraction * 100).toFixed(3)}%`;

/** Where an image of this aspect ratio lies in its square. */
export function placeOf(aspect: number) {
  const { left, top, width, height } = stage(aspect);
  return { left: percent(left), top: percent(top), width: percent(width), height: percent(height) };
}

interface LayerProps {
  source: Resource<string>;
  alt: string;
  /** The same image beside it is named already. */
  silent?: boolean;
  style: Record<string, string>;
  onAspect: (aspect: number) => void;
  /** Drawn over the image. */
  children?: ComponentChildren;
}

/** The image, why there is none, or that it is on its way. */
export function Layer({ source, alt, silent = false, style, onAspect, children }: LayerProps) {
  if (source.state === "ready") {
    return (
      <div class="slw-picture-stage" style={style}>
        <img
          src={source.value}
          alt={silent ? "" : alt}
          draggable={false}
          onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
            onAspect(naturalWidth / naturalHeight || 1)
          }
        />
        {children}
      </div>
    );
  }
  if (source.state !== "error") return <div class="slw-picture-fill slw-skeleton" />;
  return (
    <div class="slw-picture-missing" role="img" aria-label={`${alt}: ${source.error.message}`}>
      <Icon name="warning" />
      <span>{source.error.message}</span>
    </div>
  );
}

interface PlainPictureProps {
  pictures: Thumbnails;
  sample: number;
  alt: string;
}

export function PlainPicture({ pictures, sample, alt }: PlainPictureProps) {
  const [frame, seen] = useSeen();
  const [aspect, setAspect] = useState(1);
  const source = useResource(pictures.thumbnails, seen ? sample : null);
  return (
    <div ref={frame} class="slw-picture" aria-busy={source.state === "loading"}>
      <Layer source={source} alt={alt} style={placeOf(aspect)} onAspect={setAspect} />
    </div>
  );
}
