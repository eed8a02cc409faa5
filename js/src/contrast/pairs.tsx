// Concept examples above look-alikes that leave the neuron quiet.
import { useState } from "preact/hooks";
import { Icon } from "../shared/icons";
import { baseName, column, type Shown } from "../source/neuron";
import type { Pair } from "../source/messages";
import { PlainPicture } from "../neuron/plain-picture";
import type { Thumbnails } from "../source/thumbnails";

const FOLDED = 12;

interface HalfProps {
  shown: Shown;
  role: string;
  share: number;
  activation: string;
  quiet?: boolean;
  pictures: Thumbnails;
}

function Half({ shown, role, share, activation, quiet = false, pictures }: HalfProps) {
  const name = shown.class_name || baseName(shown.uri);
  const words = `${role}: ${name}`;
  return (
    <figure>
      <PlainPicture pictures={pictures} sample={shown.sample} alt={words} />
      <figcaption class="slw-pair-caption slw-small">
        <span class="slw-ellipsis slw-muted" dir="auto">{name}</span>
        <span class="slw-number">{activation}</span>
      </figcaption>
      <div class={quiet ? "slw-bar slw-bar-quiet" : "slw-bar"} aria-hidden="true">
        <i style={{ width: `${share * 100}%` }} />
      </div>
    </figure>
  );
}

/** A bar from the middle: to the right what speaks for the label, to the left what speaks against. */
function Part({ value, most, text }: { value: number; most: number; text: string }) {
  const width = most > 0 ? (Math.abs(value) / most) * 50 : 0;
  return (
    <div class="slw-part slw-small">
      <span class="slw-part-track" aria-hidden="true">
        <i
          class={value < 0 ? "slw-part-against" : ""}
          style={{ left: `${value < 0 ? 50 - width : 50}%`, width: `${width}%` }}
        />
      </span>
      <span class="slw-number">{value > 0 ? `+${text}` : text}</span>
    </div>
  );
}

/** Where a contrast is from, and how much of an edited one is new. */
function Origin({ pair: { origin, changed } }: { pair: Pair }) {
  const share = changed === null ? "" : ` ${Math.round(changed * 100)} %`;
  const said = {
    "data set": "An image of the data set",
    edited: `The example, changed${changed === null ? "" : `: ${share} of its pixels are other ones`}`,
    made: "A picture that was made",
  }[origin];
  return <span class="slw-pair-origin slw-small" title={said}>{origin}{share}</span>;
}

const about = ({ uri, contrast }: Pair): string =>
  contrast ? `${uri}\nagainst ${contrast.uri}` : uri;

interface PairsProps {
  pairs: Pair[];
  pictures: Thumbnails;
  busy: boolean;
  excluded: ReadonlySet<number>;
  /** Leave a pair out, or take it in again; none where the score does not rest on pairs. */
  toggle: ((rank: number) => void) | undefined;
  takeAll: () => void;
  /** By rank, what each pair adds to the label in focus. */
  parts: number[] | null;
}

export function Pairs(props: PairsProps) {
  const { pairs, pictures, busy, excluded, toggle, takeAll, parts } = props;
  const [all, setAll] = useState(false);
  if (pairs.length === 0) return <div class="slw-state">No image activates this neuron.</div>;
  const top = Math.max(...pairs.map(({ activation }) => activation ?? 0), 0);
  const share = (value: number | null) =>
    top > 0 ? Math.min(1, Math.max(0, (value ?? 0) / top)) : 0;
  const most = parts ? Math.max(...parts.map(Math.abs), 0) : 0;
  const shown = all ? pairs : pairs.slice(0, FOLDED);
  const activation = column(pairs.map((pair) => pair.activation));
  const similarity = column(pairs.map((pair) => pair.similarity));
  const added = column(parts ?? [], 3);
  return (
    <section
      class="slw-pairs"
      aria-label="Examples and their contrasts"
      aria-busy={busy}
      tabIndex={toggle ? undefined : 0} // keys scroll also to pairs that hold no button
    >
      <div class="slw-pairs-head">
        <p class="slw-small slw-muted">
          Above, what activates the neuron; below, a look-alike that leaves it quiet, and where that
          is from; between them, their similarity.{toggle && " A click leaves a pair out of the scores."}
        </p>
        {excluded.size > 0 && (
          <button type="button" class="slw-button slw-button-small" onClick={takeAll}>
            <Icon name="retry" />
            {`Take in ${excluded.size} again`}
          </button>
        )}
      </div>
      <ol>
        {shown.map((pair) => {
          const { rank, contrast } = pair;
          const out = excluded.has(rank);
          const part = parts?.[rank];
          return (
            <li
              class={out ? "slw-pair slw-pair-out" : "slw-pair"}
              key={rank}
              title={toggle
                ? `${about(pair)}\n${out ? "Click to take it in again" : "Click to leave it out"}`
                : about(pair)}
              onClick={toggle && (() => toggle(rank))}
            >
              {toggle && (
                <button
                  type="button"
                  class="slw-pair-toggle"
                  aria-pressed={out}
                  aria-label={`Leave out pair ${rank + 1}`}
                  onClick={(event) => {
                    event.stopPropagation(); // the whole pair takes clicks too
                    toggle(rank);
                  }}
                >
                  <span>{rank + 1}</span>
                  <Icon name={out ? "plus" : "close"} />
                </button>
              )}
              <Half
                shown={pair}
                role={`Example ${rank + 1}`}
                share={share(pair.activation)}
                activation={activation(pair.activation)}
                pictures={pictures}
              />
              <div class="slw-pair-link slw-small" title="Cosine similarity of the two images">
                <span class="slw-hidden">Similarity </span>
                {contrast ? `≈ ${similarity(pair.similarity)}` : "–"}
              </div>
              {contrast ? (
                <div class="slw-pair-below">
                  <Half
                    shown={contrast}
                    role="Contrast"
                    share={share(contrast.activation)}
                    activation={activation(contrast.activation)}
                    quiet
                    pictures={pictures}
                  />
                  <Origin pair={pair} />
                </div>
              ) : (
                <figure>
                  <div class="slw-picture slw-pair-none">
                    <span class="slw-picture-missing">No contrast found</span>
                  </div>
                </figure>
              )}
              {out ? (
                <div class="slw-part slw-small slw-muted">left out</div>
              ) : (
                part !== undefined && <Part value={part} most={most} text={added(part)} />
              )}
            </li>
          );
        })}
      </ol>
      {pairs.length > FOLDED && (
        <button type="button" class="slw-button" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${pairs.length} pairs`}
        </button>
      )}
    </section>
  );
}
