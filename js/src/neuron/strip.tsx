// How active the neuron is over all images, and where the examples lie.
import type { ReadonlySignal } from "@preact/signals";
import type { Histogram } from "../source/messages";
import { column, type Shown } from "../source/neuron";
import "./strip.css";

interface StripProps {
  histogram: Histogram;
  examples: Shown[];
  /** The image under the pointer. */
  pointed: ReadonlySignal<number | null>;
}

export function Strip({ histogram: { counts, low, high }, examples, pointed }: StripProps) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const extent = high - low;
  if (total === 0 || !(extent > 0)) return null;
  // Square roots, so that the few images that matter can be seen beside the many that do not.
  const most = Math.sqrt(Math.max(...counts));
  const place = (value: number) => Math.min(100, Math.max(0, ((value - low) / extent) * 100));
  const known = examples.filter(({ activation }) => activation !== null);
  const least = Math.min(...known.map(({ activation }) => activation!));
  const write = column([low, high]);
  const words = `Activation over ${total.toLocaleString("en")} images, from ${write(low)} to ` +
    `${write(high)}; the ${known.length} examples lie from ${write(least)}.`;
  return (
    <figure class="slw-strip" role="img" aria-label={words} title={words}>
      <div class="slw-strip-plot" aria-hidden="true">
        {counts.map((count, bin) => (
          <i key={bin} style={{ height: count ? `max(1px, ${(Math.sqrt(count) / most) * 100}%)` : 0 }} />
        ))}
      </div>
      <div class="slw-strip-marks" aria-hidden="true">
        {known.map(({ sample, activation }) => (
          <i
            key={sample}
            class={sample === pointed.value ? "slw-strip-here" : ""}
            style={{ left: `${place(activation!)}%` }}
          />
        ))}
      </div>
      <figcaption class="slw-small slw-muted" aria-hidden="true">
        <span>{write(low)}</span>
        <span>
          activation over {total.toLocaleString("en")} images
          <span class="slw-strip-more">, examples marked</span>
        </span>
        <span>{write(high)}</span>
      </figcaption>
    </figure>
  );
}
