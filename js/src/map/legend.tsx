// The legend, which is also the filter: a click on a category shows it alone, more clicks show more
// of them; a number has its ramp, with a handle at either end.
import { css, withoutValue } from "../shared/colors";
import type { Legend as LegendData } from "../source/messages";
import type { Rgb } from "../shared/theme";
import { number } from "../shared/format";
import type { MapState } from "./state";

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
  const counts = state.colorCounts.value;
  const entries = (legend.names ?? []).map((name, code) => ({
    name,
    text: name,
    count: counts[code] ?? 0,
    color: state.palette.value[code]!,
  }));
  if (legend.missing > 0) {
    const text = withoutValue(legend);
    entries.push({ name: "", text, count: counts.at(-1)!, color: state.palette.value.at(-1)! });
  }
  return (
    <>
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
                <span class="slw-map-key-name"><bdi>{text}</bdi></span>
                <span class="slw-map-count">{count.toLocaleString("en")}</span>
              </button>
            </li>
          );
        })}
      </ul>
      <Unsure state={state} color={state.palette.value[0]!} />
    </>
  );
}

/** What a faint point means. */
function Unsure({ state, color }: { state: MapState; color: Rgb }) {
  const count = state.unsureCount.value;
  if (count === 0) return null;
  return (
    <span class="slw-map-key slw-map-unsure slw-muted"
      title="Faint: the label fits the neuron no better than 95 % of random words do">
      <Swatch color={css(color, 0.32)} />
      <span class="slw-map-key-name">faint: no better than random words</span>
      <span class="slw-map-count">{count.toLocaleString("en")}</span>
    </span>
  );
}

const STEPS = 200;

function Ramp({ state, legend }: Part) {
  const { name, title, min = 0, max = 1 } = legend;
  const stops = state.palette.value.slice(0, -1).map((color) => css(color));
  const chosen = state.filter.value[name] as readonly (number | null)[] | undefined;
  const [low, high] = [chosen?.[0] ?? min, chosen?.[1] ?? max];
  const span = max > min ? max - min : 1;
  const at = (value: number) => Math.round(((value - min) / span) * STEPS);
  const within = (step: number) => Math.min(STEPS, Math.max(0, step));
  const [from, to] = [within(at(low)), within(at(high))];
  const value = (step: number) => min + (step / STEPS) * span;
  /** A handle at its end leaves that end open, and the other bound as it is. */
  const move = (which: 0 | 1, step: number) => {
    const bounds: [number | null, number | null] = [chosen?.[0] ?? null, chosen?.[1] ?? null];
    bounds[which] = step === (which ? STEPS : 0) ? null : value(step);
    if (bounds[0] === null && bounds[1] === null) state.unfilter(name);
    else state.within(name, ...bounds);
  };
  const handle = (which: 0 | 1) => (
    <input type="range" min={0} max={STEPS} value={which ? to : from}
      aria-label={`${title}: ${which ? "highest" : "lowest"} shown`}
      aria-valuetext={number(which ? high : low)}
      onInput={({ currentTarget }) => {
        const step = Number(currentTarget.value);
        const next = which ? Math.max(step, from + 1) : Math.min(step, to - 1);
        currentTarget.value = String(next);
        move(which, next);
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
        {max > min && <span class="slw-map-count">{number(high)}</span>}
      </div>
      {legend.missing > 0 && (
        <span class="slw-map-key slw-muted">
          <Swatch color={css(state.palette.value.at(-1)!)} />
          no value
          <span class="slw-map-count">{state.colorCounts.value.at(-1)!.toLocaleString("en")}</span>
        </span>
      )}
      <Unsure state={state} color={state.palette.value[32]!} />
    </>
  );
}
