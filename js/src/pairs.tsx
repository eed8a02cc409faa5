// Concept examples above look-alikes that activate the neuron less than average.
import { useState } from "preact/hooks";
import { baseName, short, type Example, type Shown } from "./neuron";
import { Picture } from "./picture";
import type { Pictures } from "./pictures";

export interface Pair extends Example {
  contrast: Shown | null;
  /** Cosine of the two images, as the foundation model sees them. */
  similarity: number | null;
}

const FOLDED = 12;

interface HalfProps {
  shown: Shown;
  role: string;
  share: number;
  quiet?: boolean;
  pictures: Pictures;
}

function Half({ shown, role, share, quiet = false, pictures }: HalfProps) {
  const name = shown.class_name || baseName(shown.uri);
  const words = `${role}: ${name}`;
  return (
    <figure title={`${words}\nactivation ${short(shown.activation, 3)}\n${shown.uri}`}>
      <Picture pictures={pictures} sample={shown.sample} alt={words} />
      <figcaption class="slw-pair-caption slw-small">
        <span class="slw-ellipsis slw-muted">{name}</span>
        <span class="slw-number">{short(shown.activation)}</span>
      </figcaption>
      <div class={quiet ? "slw-bar slw-bar-quiet" : "slw-bar"} aria-hidden="true">
        <i style={{ width: `${share * 100}%` }} />
      </div>
    </figure>
  );
}

interface PairsProps {
  pairs: Pair[];
  pictures: Pictures;
  busy: boolean;
}

export function Pairs({ pairs, pictures, busy }: PairsProps) {
  const [all, setAll] = useState(false);
  if (pairs.length === 0) return <div class="slw-state">No image activates this neuron.</div>;
  const top = Math.max(...pairs.map(({ activation }) => activation ?? 0), 0);
  const share = (value: number | null) =>
    top > 0 ? Math.min(1, Math.max(0, (value ?? 0) / top)) : 0;
  const shown = all ? pairs : pairs.slice(0, FOLDED);
  return (
    <section class="slw-pairs" aria-label="Examples and their contrasts" aria-busy={busy}>
      <p class="slw-small slw-muted">
        Above, what activates the neuron; below, its closest look-alike under the neuron's mean
        activation; between them, their similarity.
      </p>
      <ol>
        {shown.map((pair) => (
          <li class="slw-pair" key={`${pair.sample} ${pair.contrast?.sample}`}>
            <Half
              shown={pair}
              role={`Example ${pair.rank + 1}`}
              share={share(pair.activation)}
              pictures={pictures}
            />
            <div class="slw-pair-link slw-small" title="Cosine similarity of the two images">
              <span class="slw-hidden">Similarity </span>
              {pair.contrast ? `≈ ${short(pair.similarity)}` : "–"}
            </div>
            {pair.contrast ? (
              <Half
                shown={pair.contrast}
                role="Contrast"
                share={share(pair.contrast.activation)}
                quiet
                pictures={pictures}
              />
            ) : (
              <div class="slw-picture slw-pair-none">
                <span class="slw-picture-missing">No image under the mean</span>
              </div>
            )}
          </li>
        ))}
      </ol>
      {pairs.length > FOLDED && (
        <button type="button" class="slw-button" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${pairs.length} pairs`}
        </button>
      )}
    </section>
  );
}
