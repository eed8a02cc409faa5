// The legend: a category can be looked at alone; a number has its ramp.
import { css, type Legend as LegendData } from "./colors";
import { number } from "./format";
import type { MapState } from "./map-state";

export function Legend({ state }: { state: MapState }) {
  const legend = state.legend.value;
  if (!legend) return null;
  return (
    <div class="slw-map-legend" aria-busy={state.recoloring.value}>
      {legend.kind === "category"
        ? <Categories state={state} legend={legend} />
        : <Ramp state={state} legend={legend} />}
    </div>
  );
}

function Missing({ state, legend }: { state: MapState; legend: LegendData }) {
  if (legend.missing === 0) return null;
  return (
    <span class="slw-map-key slw-muted">
      <Swatch color={css(state.palette.value.at(-1)!)} />
      {legend.name === "label" ? "no label" : "no value"}
      <span class="slw-map-count">{legend.missing.toLocaleString("en")}</span>
    </span>
  );
}

const Swatch = ({ color }: { color: string }) => (
  <span class="slw-map-swatch" style={{ background: color }} />
);

function Categories({ state, legend }: { state: MapState; legend: LegendData }) {
  const toggle = (code: number) => {
    state.isolated.value = state.isolated.value === code ? null : code;
  };
  return (
    <ul class="slw-map-keys" aria-label={`${legend.title}: show one alone`}>
      {(legend.names ?? []).map((name, code) => (
        <li key={name}>
          <button type="button" class="slw-map-key" aria-pressed={state.isolated.value === code}
            onClick={() => toggle(code)}>
            <Swatch color={css(state.palette.value[code]!)} />
            <span class="slw-map-key-name">{name}</span>
            <span class="slw-map-count">{(legend.counts?.[code] ?? 0).toLocaleString("en")}</span>
          </button>
        </li>
      ))}
      <li><Missing state={state} legend={legend} /></li>
    </ul>
  );
}

function Ramp({ state, legend }: { state: MapState; legend: LegendData }) {
  const stops = state.palette.value.slice(0, -1).map((color) => css(color));
  const [low, high] = [number(legend.min ?? 0), number(legend.max ?? 1)];
  return (
    <>
      <span class="slw-map-ramp" role="img" aria-label={`${legend.title} from ${low} to ${high}`}>
        <span class="slw-map-count">{low}</span>
        <span class="slw-map-gradient" style={{ background: `linear-gradient(90deg, ${stops})` }} />
        <span class="slw-map-count">{high}</span>
      </span>
      <Missing state={state} legend={legend} />
    </>
  );
}
