// Figures before and after a change, beside what random neurons would have done.
import type { EffectFigure } from "../source/messages";
import { percent } from "../neuron/plain-picture";

const NONE = "–";
const write = (value: number | null) => (value === null ? NONE : value.toFixed(3));

/** Whether a change is beyond what 95 % of random changes do, and for better or worse. */
export function judged({ up, before, after, low, high }: EffectFigure): "better" | "worse" | "chance" {
  if (before === null || after === null || low === null || high === null) return "chance";
  if (after >= low && after <= high) return "chance";
  return after > before === up ? "better" : "worse";
}

const SAID = {
  better: "better, beyond what random neurons do",
  worse: "worse, beyond what random neurons do",
  chance: "no more than random neurons do",
};

function Figure({ figure }: { figure: EffectFigure }) {
  const { name, images, before, after, control, low, high } = figure;
  const verdict = judged(figure);
  return (
    <li class="slw-effect" data-verdict={verdict}>
      <span class="slw-effect-name">
        {name} <span class="slw-muted slw-small">{images.toLocaleString("en")} images</span>
      </span>
      <span class="slw-effect-numbers">
        <span><span class="slw-muted">before</span> {write(before)}</span>
        <span>
          <span class="slw-muted">after</span> <strong>{write(after)}</strong>
        </span>
        <span>
          <span class="slw-muted">random</span> {write(control)}{" "}
          <span class="slw-muted">[{write(low)}, {write(high)}]</span>
        </span>
      </span>
      <span class="slw-effect-track" aria-hidden="true">
        <i class="slw-effect-before" style={{ width: percent(before ?? 0) }} />
        <i class="slw-effect-after" style={{ width: percent(after ?? 0) }} />
        {low !== null && high !== null && (
          <i
            class="slw-effect-chance"
            style={{ left: percent(low), width: percent(high - low) }}
          />
        )}
        {control !== null && <i class="slw-effect-control" style={{ left: percent(control) }} />}
      </span>
      <span class="slw-effect-verdict slw-small">{SAID[verdict]}</span>
    </li>
  );
}

export function Figures({ figures, busy }: { figures: EffectFigure[]; busy: boolean }) {
  return (
    <ul class="slw-effects" aria-label="What the model gets right" aria-busy={busy}>
      {figures.map((figure) => <Figure key={figure.name} figure={figure} />)}
    </ul>
  );
}
