// The line below the map: the neuron looked at, and what is filtered, highlighted and selected.
import * as format from "./format";
import { CloseIcon } from "./map-icons";
import type { MapState } from "./map-state";

export function Status({ state, endSearch }: { state: MapState; endSearch: () => void }) {
  const row = state.activeRow.value;
  const label = row >= 0 ? state.labelOf(row) : "";
  const selected = state.selection.value.length;
  const hits = state.ranked.value.length;
  const [shown, count] = [state.shownCount.value, state.count.value];
  return (
    <div class="slw-map-status">
      <span class="slw-map-active" aria-live="polite">
        {row >= 0
          ? <><span class="slw-mono">{state.nameOf(row)}</span>{label && <strong>{label}</strong>}</>
          : (
            <span class="slw-muted">
              {shown < count && `${shown.toLocaleString("en")} of `}{format.count(count, "neuron")}
            </span>
          )}
      </span>
      <span class="slw-map-space" />
      <span class="slw-map-chips" aria-live="polite">
        {Object.keys(state.filter.value).map((name) => (
          <Chip key={name} text={filterText(state, name)} clear={() => state.unfilter(name)} />
        ))}
        {hits > 0 && (
          <Chip text={`${hits.toLocaleString("en")} highlighted`} clear={endSearch} />
        )}
        {selected > 0 && (
          <Chip text={`${selected.toLocaleString("en")} selected`} clear={state.clearSelection} />
        )}
      </span>
    </div>
  );
}

function filterText(state: MapState, name: string): string {
  const wanted = state.filter.value[name] ?? [];
  const isNumber = state.columns.value.find((column) => column.name === name)?.kind === "number";
  const title = state.titleOf(name);
  if (isNumber) return `${title} ${wanted.map((edge) => format.number(Number(edge))).join(" – ")}`;
  if (wanted.length > 2) return `${title}: ${wanted.length} shown`;
  return `${title}: ${wanted.map((one) => one || "none").join(", ")}`;
}

const Chip = ({ text, clear }: { text: string; clear: () => void }) => (
  <span class="slw-map-chip">
    <span>{text}</span>
    <button type="button" aria-label={`Clear: ${text}`} title="Clear" onClick={clear}>
      <CloseIcon />
    </button>
  </span>
);
