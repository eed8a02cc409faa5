// What a card says of the neuron under the pointer: its text at once, its thumbnails when they come.
import { useSignalEffect, type ReadonlySignal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { number } from "../shared/format";
import { LruCache } from "../source/lru";
import type { Hovered } from "../source/messages";
import { Refused, type Source } from "../source/source";
import "./hovered.css";

export interface Details extends Hovered {
  urls: string[];
}

export type Lookup = Details | "waiting" | Refused;

const DWELL = 80;
const PLACES = 4;

export const detailsCache = () =>
  new LruCache<number, Details>(256, ({ urls }) => urls.forEach((url) => URL.revokeObjectURL(url)));

export type DetailsCache = LruCache<number, Details>;

interface Hovering {
  /** The row of the table that is pointed at; -1: none. */
  row: ReadonlySignal<number>;
  /** Counts up when the kernel knows something new. */
  revision: ReadonlySignal<number>;
  source: Source;
  cache: DetailsCache;
}

export function useHovered({ row: pointed, revision, source, cache }: Hovering): Lookup {
  const [found, setFound] = useState<{ row: number; lookup: Lookup }>();
  useSignalEffect(() => {
    const row = pointed.value;
    revision.value; // after new labels or measures the neuron is asked for again
    if (row < 0) return;
    const known = cache.get(row);
    setFound({ row, lookup: known ?? "waiting" });
    if (known) return;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        const { result, buffers } = await source.ask(
          "hover", { row }, { signal: abort.signal, key: "hover" },
        );
        const urls = buffers.map((bytes) =>
          URL.createObjectURL(new Blob([bytes as DataView<ArrayBuffer>], { type: "image/jpeg" })),
        );
        const details = { ...result, urls };
        cache.set(row, details);
        if (!abort.signal.aborted) setFound({ row, lookup: details });
      } catch (error) {
        if (error instanceof Refused) setFound({ row, lookup: error });
      }
    }, DWELL);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  });
  // Never the pictures of one neuron under the name of the next.
  return found?.row === pointed.value ? found.lookup : "waiting";
}

export const Measure = ({ title, value }: { title: string; value: number }) => (
  <span>
    <span class="slw-muted">{title}</span> {number(value)}
  </span>
);

export function Thumbnails({ lookup }: { lookup: Lookup }) {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    setSlow(false);
    if (lookup !== "waiting") return undefined;
    const timer = setTimeout(() => setSlow(true), 1500);
    return () => clearTimeout(timer);
  }, [lookup]);
  if (lookup instanceof Refused) return <p class="slw-small slw-error">{lookup.message}</p>;
  if (slow) return <p class="slw-small slw-muted">Waiting for the kernel to send the examples …</p>;
  if (lookup !== "waiting" && lookup.urls.length === 0) {
    return <p class="slw-small slw-muted">No image activates this neuron.</p>;
  }
  return (
    <div class="slw-map-thumbs">
      {lookup === "waiting"
        ? Array.from({ length: PLACES }, (_, i) => <span key={i} class="slw-skeleton" />)
        : lookup.urls.map((url, i) => (
            <img key={url} src={url} alt={`Example ${i + 1}${named(lookup.examples[i])}`} />
          ))}
    </div>
  );
}

const named = (name: string | undefined) => (name ? `: ${name}` : "");
