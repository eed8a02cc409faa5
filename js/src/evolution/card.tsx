// The card of the neuron pointed at: what it is called at the step shown, and its examples there.
import { useComputed } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { detailsCache, Measure, Thumbnails, useHovered } from "../neuron/hovered";
import { css } from "../shared/colors";
import { number } from "../shared/format";
import { neuronName, usePoles } from "../source/neuron";
import { Refused } from "../source/source";
import type { Size } from "./places";
import type { State } from "./state";

const WIDTH = 272;
const NARROW = 480;

interface Props {
  state: State;
  size: Size;
  /** Where the neuron is, in pixels; null: nowhere. */
  place: [number, number] | null;
}

export function Card({ state, size, place }: Props) {
  const { source, revision } = state;
  const cache = useMemo(detailsCache, [revision.value]);
  useEffect(() => () => cache.clear(), [cache]);
  const poles = usePoles();
  const row = useComputed(() => {
    const at = state.pointed.value;
    return at < 0 ? -1 : state.step.value * state.neurons.value + at;
  });
  const lookup = useHovered({ row, revision, source, cache });
  const at = state.pointed.value;
  const name = at < 0 ? null : state.nameOf(at);
  if (!name || !place || !Number.isFinite(place[0])) return null;
  const details = lookup === "waiting" || lookup instanceof Refused ? null : lookup;
  const step = state.step.value;
  const label = state.labelOf(at, step);
  const score = state.valueOf("score", at, step);
  const colors = state.colors.value;
  const code = colors?.codes[row.value];
  const color = code === undefined ? undefined : colors?.palette[code];
  return (
    <div class="slw-map-card" style={styleAt(size, ...place)}>
      <div class="slw-map-card-head">
        {color && <span class="slw-map-swatch" style={{ background: css(color) }} />}
        <span class="slw-mono slw-muted">{neuronName(name, poles)}</span>
        <span class="slw-evo-card-step slw-muted slw-ellipsis"><bdi>{state.steps.value[step]}</bdi></span>
      </div>
      <div class={label ? "slw-title slw-map-label" : "slw-title slw-map-label slw-muted"}>
        <bdi class="slw-map-words">{label || "No label yet"}</bdi>
        {label !== "" && Number.isFinite(score) && (
          <span class="slw-map-score">{number(score)}</span>
        )}
      </div>
      {label && state.valueOf("unsure", at, step) === 1 && (
        <p class="slw-small slw-muted">No better than random words</p>
      )}
      <Thumbnails lookup={lookup} />
      <div class="slw-map-measures">
        {details?.measures.map((measure) => <Measure key={measure.title} {...measure} />)}
      </div>
    </div>
  );
}

/** Beside the point, on the side with more room; across where the map is narrow. */
function styleAt({ width, height }: Size, px: number, py: number): Record<string, string> {
  if (width < NARROW) {
    return { left: "8px", right: "8px", [py > height / 2 ? "top" : "bottom"]: "8px" };
  }
  const style: Record<string, string> = { width: `${WIDTH}px` };
  if (px < width / 2) style.left = `${Math.max(8, px + 18)}px`;
  else style.right = `${Math.max(8, width - px + 18)}px`;
  if (py < height / 2) style.top = `${Math.max(8, py - 24)}px`;
  else style.bottom = `${Math.max(8, height - py - 24)}px`;
  return style;
}
