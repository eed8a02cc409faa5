// The card of the neuron under the pointer: its text at once, its thumbnails when they come.
import { useSignalEffect } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { project } from "./camera";
import { css } from "./colors";
import { number } from "../shared/format";
import type { MapState } from "./state";
import type { Hovered } from "../source/messages";
import { Refused, type Source } from "../source/source";
import { LruCache } from "../source/lru";

interface Details extends Hovered {
  urls: string[];
}

type Lookup = Details | "waiting" | Refused;

const DWELL = 80;
const PLACES = 4;
const WIDTH = 272;
const NARROW = 480;

export const detailsCache = () =>
  new LruCache<number, Details>(256, ({ urls }) => urls.forEach((url) => URL.revokeObjectURL(url)));

interface Props {
  state: MapState;
  source: Source;
  cache: LruCache<number, Details>;
}

function useDetails({ state, source, cache }: Props): Lookup {
  const [found, setFound] = useState<{ row: number; lookup: Lookup }>();
  useSignalEffect(() => {
    const row = state.hover.value;
    state.revision.value; // after new labels or measures the neuron is asked for again
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
  return found?.row === state.hover.value ? found.lookup : "waiting";
}

export function HoverCard(props: Props) {
  const { state } = props;
  const lookup = useDetails(props);
  const row = state.hover.value;
  if (row < 0 || row >= state.count.value) return null;
  const details = lookup === "waiting" || lookup instanceof Refused ? null : lookup;
  const label = details?.label || state.labelOf(row);
  const rank = state.rankOf(row);
  const legend = state.legend.value;
  const value = state.valueOf(row);
  const shown = details?.measures.some((measure) => measure.title === legend?.title);
  return (
    <div class="slw-map-card" style={place(state, row)}>
      <div class="slw-map-card-head">
        <span class="slw-map-swatch" style={{ background: css(state.colorOf(row)) }} />
        <span class="slw-mono slw-muted">{state.nameOf(row)}</span>
        {rank > 0 && (
          <span class="slw-map-rank">
            #{rank} · {number(state.scoreOf(row))}{state.isChance(row) && " · by chance"}
          </span>
        )}
      </div>
      <div class={label ? "slw-title slw-map-label" : "slw-title slw-map-label slw-muted"}>
        <bdi class="slw-map-words">{label || details?.rejected ? "No label fits" : "No label yet"}</bdi>
        {details?.score != null && label !== "" && (
          <span class="slw-map-score">{number(details.score)}</span>
        )}
      </div>
      {label && (details?.unsure ?? state.isUnsure(row)) && (
        <p class="slw-small slw-muted">No better than random words</p>
      )}
      <Thumbnails lookup={lookup} />
      <div class="slw-map-measures">
        {legend?.kind === "number" && !shown && legend.name !== "score" && (
          <Measure title={legend.title} value={value} />
        )}
        {details?.measures.map((measure) => <Measure key={measure.title} {...measure} />)}
      </div>
    </div>
  );
}

const Measure = ({ title, value }: { title: string; value: number }) => (
  <span>
    <span class="slw-muted">{title}</span> {number(value)}
  </span>
);

function Thumbnails({ lookup }: { lookup: Lookup }) {
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

/** Beside the point, on the side with more room; across where the map is narrow. */
function place(state: MapState, row: number): Record<string, string> {
  const { camera, size, x, y } = state;
  const { width, height } = size.value;
  const [px, py] = state.hasPlace(row)
    ? project(camera.value, size.value, x.value[row]!, y.value[row]!)
    : [0, height];
  if (width < NARROW) {
    return { left: "8px", right: "8px", [py > height / 2 ? "top" : "bottom"]: "8px" };
  }
  const style: Record<string, string> = { width: `${WIDTH}px` };
  if (px + 18 + WIDTH <= width || px < width / 2) style.left = `${Math.max(8, px + 18)}px`;
  else style.right = `${Math.max(8, width - px + 18)}px`;
  if (py < height / 2) style.top = `${Math.max(8, py - 24)}px`;
  else style.bottom = `${Math.max(8, height - py - 24)}px`;
  return style;
}
