// The legend, which is also the filter: a click on a category shows it alone, more clicks show more
// of them; a number has its ramp, with a handle at either end.
import { css, type Legend as LegendData } from "./colors";
import { number } from "./format";
import type { MapState } from "./map-state";

export function Legend({ state }: { state: MapState }) {
  const legend = state.legend.value;
  if (!legend) return <div class="slw-map-legend" aria-busy={true} />;
  return (
    <div class="slw-map-legend" aria-busy={state.recoloring.value}>
      {legend.kind === "category"
        ? <Categories state={state} legend={legend} />
        : <Ramp key={legend.name} state={state} legend={legend} />}
    </div>
  );
}

const Swatch = ({ color }: { color: string }) => (
  <span class="slw-map-swatch" style={{ background: color }} />
);

interface Part {
  state: MapState;
  legend: LegendData;
}

function Categories({ state, legend }: Part) {
  const shown = state.filter.value[legend.name];
  const entries = (legend.names ?? []).map((name, code) => ({
    name,
    text: name,
    count: legend.counts?.[code] ?? 0,
    color: state.palette.value[code]!,
  }));
  if (legend.missing > 0) {
    const text = legend.name === "label" ? "no label" : "no value";
    entries.push({ name: "", text, count: legend.missing, color: state.palette.value.at(-1)! });
  }
  return (
    <ul class="slw-map-keys" aria-label={`${legend.title}: choose what is shown`}>
      {entries.map(({ name, text, count, color }) => {
        const chosen = shown?.includes(name) ?? false;
        return (
          <li key={name}>
            <button type="button" class="slw-map-key" aria-pressed={chosen}
              data-off={shown && !chosen ? "" : undefined}
              title={chosen ? `${text}: show no longer` : shown ? `Show ${text} too` : `Show ${text} alone`}
              onClick={() => state.toggle(legend.name, name)}>
              <Swatch color={css(color)} />
              <span class="slw-map-key-name">{text}</span>
              <span class="slw-map-count">{count.toLocaleString("en")}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

const STEPS = 200;

function Ramp({ state, legend }: Part) {
  const { name, title, min = 0, max = 1 } = legend;
  const stops = state.palette.value.slice(0, -1).map((color) => css(color));
  const chosen = state.filter.value[name] as readonly [number, number] | undefined;
  const [low, high] = chosen ?? [min, max];
  const span = max > min ? max - min : 1;
  const at = (value: number) => Math.round(((value - min) / span) * STEPS);
  const [from, to] = [Math.max(0, at(low)), Math.min(STEPS, at(high))];
  const move = (next: [number, number]) => {
    if (next[0] <= 0 && next[1] >= STEPS) state.unfilter(name);
    else state.within(name, min + (next[0] / STEPS) * span, min + (next[1] / STEPS) * span);
  };
  const handle = (which: 0 | 1) => (
    <input type="range" min={0} max={STEPS} value={which ? to : from}
      aria-label={`${title}: ${which ? "highest" : "lowest"} shown`}
      aria-valuetext={number(which ? high : low)}
      onInput={({ currentTarget }) => {
        const value = Number(currentTarget.value);
        const next: [number, number] = which
          ? [from, Math.max(value, from + 1)]
          : [Math.min(value, to - 1), to];
        currentTarget.value = String(next[which]);
        move(next);
      }} />
  );
  return (
    <>
      <div class="slw-map-ramp" role="group" aria-label={`${title}: choose what is shown`}>
        <span class="slw-map-count">{number(low)}</span>
        <span class="slw-map-range" style={{ "--from": `${from / 2}%`, "--to": `${100 - to / 2}%` }}>
          <span class="slw-map-gradient" style={{ background: `linear-gradient(90deg, ${stops})` }} />
          {max > min && <>{handle(0)}{handle(1)}</>}
        </span>
        <span class="slw-map-count">{number(high)}</span>
      </div>
      {legend.missing > 0 && (
        <span class="slw-map-key slw-muted">
          <Swatch color={css(state.palette.value.at(-1)!)} />
          no value
          <span class="slw-map-count">{legend.missing.toLocaleString("en")}</span>
        </span>
      )}
    </>
  );
}
