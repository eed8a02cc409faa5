// One concept example among others, and how the relevance on them was computed.
import type { Signal } from "@preact/signals";
import type { Neuron } from "../source/model";
import { baseName, type Example } from "../source/neuron";
import type { Pictures } from "../source/pictures";
import { Picture, type Look } from "./picture";

/** What one tile shows, in words. */
export function describe(example: Example): string {
  const name = example.class_name ? `${example.class_name}, ` : "";
  return `Example ${example.rank + 1}: ${name}${baseName(example.uri)}`;
}

interface TileProps {
  example: Example;
  /** The highest activation of the neuron. */
  top: number;
  write: (activation: number | null) => string;
  neuron: Neuron;
  focus: { tabIndex: number; "data-place": number };
  open: () => void;
  pictures: Pictures;
  look: Look;
  /** The image under the pointer. */
  pointed: Signal<number | null>;
}

export function Tile(props: TileProps) {
  const { example, top, write, neuron, focus, open, pictures, look, pointed } = props;
  const share = top > 0 ? Math.min(1, Math.max(0, (example.activation ?? 0) / top)) : 0;
  const words = describe(example);
  const point = (sample: number | null) => () => (pointed.value = sample);
  return (
    <li class="slw-tile">
      <button
        type="button"
        {...focus}
        title={`${words}\nactivation ${write(example.activation)}\n${example.uri}`}
        aria-label={`${words}, activation ${write(example.activation)}. Open the large view.`}
        onClick={open}
        onPointerEnter={point(example.sample)}
        onPointerLeave={point(null)}
        onFocus={point(example.sample)}
        onBlur={point(null)}
      >
        <Picture
          pictures={pictures}
          sample={example.sample}
          alt={words}
          neuron={neuron}
          look={look}
        />
      </button>
      <div class="slw-bar" aria-hidden="true">
        <i style={{ width: `${share * 100}%` }} />
      </div>
      <div class="slw-tile-caption slw-small">
        <span class="slw-ellipsis slw-muted" dir="auto">{example.class_name || baseName(example.uri)}</span>
        <span class="slw-number">{write(example.activation)}</span>
      </div>
    </li>
  );
}
