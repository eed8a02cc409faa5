// The card of the neuron under the pointer: its text at once, its thumbnails when they come.
import { project } from "./camera";
import { Measure, Thumbnails, useHovered, type DetailsCache } from "../neuron/hovered";
import { css } from "../shared/colors";
import { number } from "../shared/format";
import type { MapState } from "./state";
import { Refused, type Source } from "../source/source";

const WIDTH = 272;
const NARROW = 480;

interface Props {
  state: MapState;
  source: Source;
  cache: DetailsCache;
}

export function HoverCard(props: Props) {
  const { state, source, cache } = props;
  const lookup = useHovered({ row: state.hover, revision: state.revision, source, cache });
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
        <bdi class="slw-map-words">{label || (details?.rejected ? "No label fits" : "No label yet")}</bdi>
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
