// What the colours mean, and how many neurons have each at the step shown.
import { css, withoutValue } from "../shared/colors";
import { count, number } from "../shared/format";
import type { State } from "./state";

export function Legend({ state }: { state: State }) {
  const colors = state.colors.value;
  if (!colors) return <div class="slw-evo-legend" aria-busy="true" />;
  const { legend, codes, palette } = colors;
  const from = state.step.value * state.neurons.value;
  const counts = new Array<number>(palette.length).fill(0);
  for (const code of codes.subarray(from, from + state.neurons.value)) counts[code]! += 1;
  const missing = counts.at(-1)!;
  const dead = state.deadAt(state.step.value);
  const unplaced = dead > 0 && (
    <li title="Fewer positive activations than examples: they have no meaning to be placed by">
      <span class="slw-muted">{count(dead, "dead neuron")} not on the map</span>
    </li>
  );
  const key = (name: string, code: number) => (
    <li key={code}>
      <span class="slw-map-swatch" style={{ background: css(palette[code]!) }} />
      <bdi class="slw-ellipsis">{name}</bdi>
      <span class="slw-muted">{counts[code]!.toLocaleString("en")}</span>
    </li>
  );
  const without = missing > 0 && key(withoutValue(legend), palette.length - 1);
  if (legend.kind === "category") {
    return (
      <ul class="slw-evo-legend slw-small" aria-label={`${legend.title}: colours`}>
        {legend.names?.map(key)}
        {without}
        {unplaced}
      </ul>
    );
  }
  const stops = palette.slice(0, -1).map((color) => css(color)).join();
  return (
    <ul class="slw-evo-legend slw-small" aria-label={`${legend.title}: colours`}>
      <li>
        <span class="slw-muted">{number(legend.min ?? 0)}</span>
        <span class="slw-evo-ramp" style={{ background: `linear-gradient(90deg, ${stops})` }} />
        <span class="slw-muted">{number(legend.max ?? 1)}</span>
      </li>
      {without}
      {unplaced}
    </ul>
  );
}
