// The line below the map: the neuron looked at, and what is filtered, highlighted and selected.
import * as format from "../shared/format";
import { CloseIcon } from "./icons";
import type { MapState } from "./state";

export function Status({ state, endSearch }: { state: MapState; endSearch: () => void }) {
  const row = state.activeRow.value;
  const label = row >= 0 ? state.labelOf(row) : "";
  const selected = state.selection.value.length;
  const hits = state.ranked.value.length;
  const doubted = state.ranked.value.filter(state.isChance).length;
  const [shown, count] = [state.shownCount.value, state.count.value];
  return (
    <div class="slw-map-status">
      <span class="slw-map-active" aria-live="polite">
        {row >= 0 && (
          <>
            <span class="slw-mono">{state.nameOf(row)}</span>
            {label && <strong title={label}><bdi>{label}</bdi></strong>}
            {state.isUnsure(row) && <span class="slw-muted">no better than random words</span>}
            {!state.hasPlace(row)
              ? <span class="slw-muted">has no place on the map</span>
              : !state.isShown(row) && <span class="slw-muted">is filtered out</span>}
          </>
        )}
      </span>
      <span class="slw-map-shown slw-muted" role="status">
        {shown < count && `${shown.toLocaleString("en")} of `}{format.count(count, "neuron")}
      </span>
      <span class="slw-map-space" />
      <span class="slw-map-chips" aria-live="polite">
        {Object.keys(state.filter.value).map((name) => (
          <Chip key={name} text={filterText(state, name)} clear={() => state.unfilter(name)} />
        ))}
        {hits > 0 && (
          <Chip text={highlighted(hits, doubted)} clear={endSearch} />
        )}
        {selected > 0 && (
          <Chip text={`${selected.toLocaleString("en")} selected`} clear={state.clearSelection} />
        )}
      </span>
    </div>
  );
}

/** How many stand out, and how many of them by chance only. */
function highlighted(hits: number, doubted: number): string {
  const text = `${hits.toLocaleString("en")} highlighted`;
  if (doubted === 0) return text;
  return `${text}, ${doubted === hits ? "all" : doubted.toLocaleString("en")} by chance`;
}

export function filterText(state: MapState, name: string): string {
  const wanted = state.filter.value[name] ?? [];
  const isNumber = state.columns.value.find((column) => column.name === name)?.kind === "number";
  const title = state.titleOf(name);
  if (isNumber) {
    const [low = null, high = null] = wanted;
    if (high === null) return low === null ? title : `${title} ≥ ${format.number(Number(low))}`;
    if (low === null) return `${title} ≤ ${format.number(Number(high))}`;
    return `${title} ${format.number(Number(low))} – ${format.number(Number(high))}`;
  }
  if (wanted.length > 2) return `${title}: ${wanted.length} shown`;
  return `${title}: ${wanted.map((one) => (one ? format.isolated(String(one)) : "none")).join(", ")}`;
}

const Chip = ({ text, clear }: { text: string; clear: () => void }) => (
  <span class="slw-map-chip">
    <span title={text}>{text}</span>
    <button type="button" aria-label={`Clear: ${text}`} title="Clear" onClick={clear}>
      <CloseIcon />
    </button>
  </span>
);
