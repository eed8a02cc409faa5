// Label scores as sorted bars; the best one is set off, with its lead over the runner-up.
import { useState } from "preact/hooks";
import { Icon } from "./icons";
import { column } from "./neuron";
import type { Score } from "./scoring";

interface BarsProps {
  bars: Score[];
  pending: boolean;
  /** The neuron's label. */
  current: string;
  accepting: string | null;
  accept: (candidate: string, score: number | null) => void;
  remove: (candidate: string) => void;
  /** Whose pairs are explained. */
  focused: string | null;
  /** Explain this one while it is pointed at; null: no longer. */
  point: (candidate: string | null) => void;
  /** Explained while none is pointed at. */
  pinned: string | null;
  pin: (candidate: string | null) => void;
}

const FOLDED = 12;

/** Places on a scale that holds zero and every score, in percent. */
export function barScale(scores: (number | null)[]): (score: number) => number {
  const known = scores.filter((score) => score !== null);
  const [low, high] = [Math.min(0, ...known), Math.max(0, ...known)];
  const extent = high - low || 1;
  return (score) => ((score - low) / extent) * 100;
}

interface BarProps extends Omit<BarsProps, "bars" | "pending"> {
  score: Score;
  runnerUp: number | null;
  best: boolean;
  place: (score: number) => number;
  write: (score: number | null) => string;
}

function Bar({ score: [candidate, score], runnerUp, best, place, write, ...props }: BarProps) {
  const { current, accepting, accept, remove, focused, point, pinned, pin } = props;
  const [zero, end] = [place(0), place(score ?? 0)];
  const span = (from: number, to: number) => ({
    left: `${Math.min(from, to)}%`,
    width: `${Math.abs(to - from)}%`,
  });
  const lead = best && score !== null && runnerUp !== null ? score - runnerUp : null;
  const isLabel = candidate === current;
  return (
    <li
      class={`slw-score${best ? " slw-score-best" : ""}${candidate === focused ? " slw-score-focused" : ""}`}
      onPointerEnter={() => point(candidate)}
      onFocusIn={() => point(candidate)}
    >
      <button
        type="button"
        class="slw-score-name slw-ellipsis"
        title={`${candidate}\nClick to keep its explanation`}
        aria-pressed={candidate === pinned}
        onClick={() => pin(candidate === pinned ? null : candidate)}
      >
        {candidate}
      </button>
      <span class="slw-score-track" aria-hidden="true">
        <i class="slw-score-bar" style={span(zero, end)} />
        {lead !== null && lead > 0 && (
          <i class="slw-score-lead" style={span(Math.max(place(runnerUp!), zero), end)} />
        )}
        {zero > 0 && <i class="slw-score-zero" style={{ left: `${zero}%` }} />}
      </span>
      <span class="slw-number">{write(score)}</span>
      <span class="slw-score-acts">
        {isLabel ? (
          <span class="slw-score-label" title="The neuron carries this label">
            <Icon name="check" />
            label
          </span>
        ) : (
          <button
            type="button"
            class="slw-button slw-button-small"
            disabled={accepting !== null}
            title={`Use “${candidate}” as the neuron's label`}
            aria-label={`Use ${candidate} as label`}
            onClick={() => accept(candidate, score)}
          >
            {accepting === candidate ? "…" : "Use"}
          </button>
        )}
        <button
          type="button"
          class="slw-button slw-button-small slw-button-plain"
          title="Remove"
          aria-label={`Remove ${candidate}`}
          onClick={() => remove(candidate)}
        >
          <Icon name="close" />
        </button>
      </span>
      {lead !== null && (
        <span class="slw-score-gap slw-small slw-muted">+{write(lead)} over the runner-up</span>
      )}
    </li>
  );
}

export function Bars({ bars, pending, ...props }: BarsProps) {
  const [all, setAll] = useState(false);
  const shown = all ? bars : bars.slice(0, FOLDED);
  const scores = bars.map(([, score]) => score);
  const place = barScale(scores);
  const write = column(scores, 3);
  const leave = ({ currentTarget, relatedTarget }: FocusEvent) => {
    if (!(currentTarget as Element).contains(relatedTarget as Element | null)) props.point(null);
  };
  return (
    <div class="slw-bars" onPointerLeave={() => props.point(null)} onFocusOut={leave}>
      <ol aria-label="Label scores, best first" aria-busy={pending}>
        {shown.map((score, index) => (
          <Bar
            {...props}
            key={score[0]}
            score={score}
            runnerUp={bars[1]?.[1] ?? null}
            best={index === 0 && score[1] !== null}
            place={place}
            write={write}
          />
        ))}
      </ol>
      {bars.length > FOLDED && (
        <button type="button" class="slw-button" onClick={() => setAll(!all)}>
          {all ? "Show fewer" : `Show all ${bars.length}`}
        </button>
      )}
    </div>
  );
}
