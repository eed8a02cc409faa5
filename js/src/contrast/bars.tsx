// Label scores as sorted bars; the best one is set off, with its lead over the runner-up.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { count, isolated } from "../shared/format";
import { Icon } from "../shared/icons";
import { column } from "../source/neuron";
import type { Trust } from "./intervals";
import type { Chance, Score, Scorer } from "./scoring";
import type { Second } from "./second";

interface BarsProps {
  bars: Score[];
  pending: boolean;
  by: Scorer;
  chance: Chance | null;
  /** How far to trust the scores; null while it is not known. */
  trust: Trust | null;
  /** Why that is not to be had. */
  refused: string;
  /** What another scorer says of the same labels. */
  second: Second | null;
  /** The neuron's label. */
  current: string;
  /** Whether nothing can be accepted now, because what is shown is not yet the neuron's. */
  waiting: boolean;
  accepting: string | null;
  /** Make it the label; nothing where that cannot be done. */
  accept: ((candidate: string, score: number | null) => void) | undefined;
  /** What can be removed: a neuron's own label stands here also where it is no candidate. */
  listed: readonly string[];
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

/** Where bars of a scorer start; null: at the worst score. */
const startOf = (by: Scorer): number | null => (by.competes ? null : by.chance ?? 0);

/** Where a scale that holds every score begins and ends. */
function scaleEnds(scores: (number | null)[], start: number | null): [number, number] {
  const known = scores.filter((score) => score !== null);
  const ends = start === null && known.length > 0 ? known : [start ?? 0, ...known];
  return [Math.min(...ends), Math.max(...ends)];
}

/**
 * Places on a scale that holds every score, in percent, and the score where bars start: what
 * nothing scores, or null for the worst score where that is all that scores mean: those of
 * CLIP-Dissect are logarithms, all below zero.
 */
export function barScale(scores: (number | null)[], start: number | null = 0): (score: number) => number {
  const [low, high] = scaleEnds(scores, start);
  const extent = high - low || 1;
  return (score) => ((score - low) / extent) * 100;
}

const sameLabel = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();

/** A second scorer's bars, on a scale of their own. */
interface SecondScale {
  of: Second;
  place: (score: number) => number;
  zero: number;
  ends: [number, number];
  write: (score: number | null) => string;
}

function secondScale(of: Second, bars: Score[]): SecondScale {
  const scores = bars.map(([name]) => of.scores.get(name) ?? null);
  const start = startOf(of.by);
  const all = [...scores, ...(of.chance ?? [])];
  const place = barScale(all, start);
  return {
    of, place, zero: start === null ? 0 : place(start), ends: scaleEnds(all, start),
    write: column(scores, 3),
  };
}

const span = (from: number, to: number) => ({
  left: `${Math.min(from, to)}%`,
  width: `${Math.abs(to - from)}%`,
});

/** The same label by the second scorer. */
function SecondBar({ candidate, scale }: { candidate: string; scale: SecondScale }) {
  const { of, place, zero, write } = scale;
  const score = of.scores.get(candidate) ?? null;
  return (
    <>
      <span class="slw-score-track slw-score-track-second" aria-hidden="true">
        {score !== null && <i class="slw-score-bar" style={span(zero, place(score))} />}
        {zero > 0 && <i class="slw-score-zero" style={{ left: `${zero}%` }} />}
        {of.chance && <i class="slw-score-chance" style={{ left: `${place(of.chance[1])}%` }} />}
      </span>
      <span class="slw-score-number-second">
        <span class="slw-hidden">, by {of.by.title} </span>
        {write(score)}
      </span>
    </>
  );
}

interface BarProps extends Omit<BarsProps, "bars" | "pending" | "second"> {
  score: Score;
  second: SecondScale | null;
  runnerUp: number | null;
  best: boolean;
  /** Where bars start. */
  zero: number;
  place: (score: number) => number;
  write: (score: number | null) => string;
  /** One stop for the tab key in all rows: the place of this row's, if it is here. */
  stop: number | null;
}

function Bar({ score: [candidate, score], runnerUp, best, zero, place, write, ...props }: BarProps) {
  const { current, waiting, accepting, accept, remove, focused, point, pinned, pin, chance } = props;
  const ends = score === null ? undefined : props.trust?.ends.get(candidate);
  const bar = props.trust?.bars.get(candidate) ?? null;
  const interval = ends && `${write(ends[0])} to ${write(ends[1])}`;
  const end = score === null ? zero : place(score);
  const lead = best && score !== null && runnerUp !== null ? score - runnerUp : null;
  const isLabel = sameLabel(candidate, current);
  const byChance = score !== null && chance !== null && score <= chance[1];
  const blocked = waiting || accepting !== null || isLabel;
  const name = isolated(candidate);
  const tab = (at: number) => ({ "data-at": at, tabIndex: props.stop === at ? 0 : -1 });
  const states = [best && "slw-score-best", candidate === focused && "slw-score-focused",
    byChance && "slw-score-by-chance"];
  return (
    <li
      class={["slw-score", ...states].filter(Boolean).join(" ")}
      data-candidate={candidate}
      onPointerEnter={() => point(candidate)}
      onFocusIn={() => point(candidate)}
    >
      <button
        type="button"
        {...tab(0)}
        class="slw-score-name slw-ellipsis"
        dir="auto"
        title={`${name}\nClick to keep its explanation`}
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
        {chance && (
          <>
            <i class="slw-score-median" style={{ left: `${place(chance[0])}%` }} />
            <i class="slw-score-chance" style={{ left: `${place(chance[1])}%` }} />
          </>
        )}
        {bar !== null && <i class="slw-score-bound" style={{ left: `${place(bar)}%` }} />}
        {ends && <i class="slw-score-interval" style={span(place(ends[0]), place(ends[1]))} />}
      </span>
      <span
        class="slw-number"
        title={[interval && `90 % interval: ${interval}`, byChance && "One random word in twenty scores more"]
          .filter(Boolean).join("\n") || undefined}
      >
        {write(score)}
      </span>
      {interval && <span class="slw-hidden">, 90 % interval {interval}</span>}
      {byChance && <span class="slw-hidden">, no more than a random word may score</span>}
      {props.second && <SecondBar candidate={candidate} scale={props.second} />}
      <span class="slw-score-acts">
        {/* One button in both states, so that the focus stays where it was. */}
        {(accept || isLabel) && <button
          type="button"
          {...tab(1)}
          class={isLabel ? "slw-score-label" : "slw-button slw-button-small"}
          aria-disabled={blocked}
          title={isLabel ? "The neuron carries this label" : `Use “${name}” as the neuron's label`}
          aria-label={isLabel ? `${name} is the neuron's label` : `Use ${name} as label`}
          onClick={() => blocked || accept?.(candidate, score)}
        >
          {isLabel && <Icon name="check" />}
          {isLabel ? "label" : accepting === candidate ? "…" : "Use"}
        </button>}
        {props.listed.includes(candidate) && (
          <button
            type="button"
            {...tab(2)}
            class="slw-button slw-button-small slw-button-plain"
            title="Remove"
            aria-label={`Remove ${name}`}
            onClick={() => remove(candidate)}
          >
            <Icon name="close" />
          </button>
        )}
      </span>
      {lead !== null && (
        <span class="slw-score-gap slw-small slw-muted">+{write(lead)} over the runner-up</span>
      )}
    </li>
  );
}

/** Which bars are whose, in what, and from where to where. */
function Scales({ by, ends, write, second }: {
  by: Scorer; ends: [number, number]; write: (score: number) => string; second: SecondScale;
}) {
  const said = (one: Scorer, [low, high]: [number, number], text: (score: number) => string) =>
    `${one.title}${one.unit && `: ${one.unit}`}, bars from ${text(low)} to ${text(high)}`;
  const { of, ends: theirs, write: writeTheirs } = second;
  return (
    <ul class="slw-score-scales slw-small slw-muted" aria-label="Scorers">
      <li><i aria-hidden="true" />{said(by, ends, write)}</li>
      <li aria-busy={of.waiting}>
        <i class="slw-score-swatch-second" aria-hidden="true" />
        {of.refused ? `${of.by.title}: ${of.refused}`
          : of.scores.size === 0 ? `${of.by.title}: scoring …`
          : said(of.by, theirs, writeTheirs)}
      </li>
    </ul>
  );
}

/** What the marks and the bars mean, where that is not plain. */
function Legend({ chance, by, trust, refused }: Pick<BarsProps, "chance" | "by" | "trust" | "refused">) {
  if (!chance && !trust && !refused && !by.competes && !by.chance) return null;
  return (
    <p class="slw-score-legend slw-small slw-muted">
      {by.competes &&
        `Bars start at the worst: ${by.title} compares the labels in this list; with other labels all its scores change. `}
      {by.chance ? `Bars start at ${by.chance}, what nothing scores. ` : ""}
      {chance && (
        <>
          <span><i class="slw-score-median" aria-hidden="true" /> a random word's median,</span>{" "}
          <span><i class="slw-score-chance" aria-hidden="true" /> what 95 % of them stay below.</span>{" "}
        </>
      )}
      {trust && (
        <>
          <span>
            <i class="slw-score-interval" aria-hidden="true" /> where 90 % of such scores would lie
            with all images like these.
          </span>{" "}
        </>
      )}
      {trust && trust.bars.size > 0 && (
        <span>
          <i class="slw-score-bound" aria-hidden="true" /> what it takes to be more than
          the luckiest of {count(trust.among, "label")} for one neuron in twenty that means nothing.
        </span>
      )}
      {refused && `No intervals: ${refused}`}
    </p>
  );
}

export function Bars({ bars, pending, ...props }: BarsProps) {
  const { by, chance } = props;
  const [open, setOpen] = useState(false);
  const list = useRef<HTMLOListElement>(null);
  const [current, setCurrent] = useState({ candidate: "", at: 0 });
  /** Where the focus goes when the row that had it is gone. */
  const lost = useRef<{ row: number; at: number } | null>(null);
  const shown = open ? bars : bars.slice(0, FOLDED);
  const scores = bars.map(([, score]) => score);
  const known = scores.some((score) => score !== null);
  const marks = known ? chance : null;
  const start = startOf(by);
  const trust = known ? props.trust : null;
  const ends = bars.flatMap(([name]) => trust?.ends.get(name) ?? []);
  const bounds = bars.flatMap(([name]) => trust?.bars.get(name) ?? []);
  const all = [...scores, ...(marks ?? []), ...ends, ...bounds];
  const place = barScale(all, start);
  const second = known && props.second ? secondScale(props.second, bars) : null;
  const bound = trust?.bars.get(bars[0]?.[0] ?? "");
  const unknown = trust && bound !== undefined && (scores[0] ?? -Infinity) <= bound;
  const zero = start === null ? 0 : place(start);
  const write = column(scores, 3);

  const go = (row: number, at: number) => {
    const rows = [...list.current!.children];
    const to = rows[Math.min(rows.length - 1, Math.max(0, row))];
    const buttons = [...(to?.querySelectorAll<HTMLElement>("[data-at]") ?? [])];
    buttons[Math.min(buttons.length - 1, Math.max(0, at))]?.focus();
  };
  useLayoutEffect(() => {
    if (!lost.current) return;
    go(lost.current.row, lost.current.at);
    lost.current = null;
  }, [bars.length]);

  const onKeyDown = (event: KeyboardEvent) => {
    const from = (event.target as Element).closest<HTMLElement>("[data-at]");
    if (!from || event.ctrlKey || event.metaKey || event.altKey) return;
    const row = [...list.current!.children].indexOf(from.closest("li")!);
    const at = Number(from.dataset.at);
    const steps: Record<string, [number, number]> = {
      ArrowUp: [row - 1, at], ArrowDown: [row + 1, at], ArrowLeft: [row, at - 1],
      ArrowRight: [row, at + 1], Home: [0, at], End: [shown.length - 1, at],
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    go(...step);
  };
  const onFocusIn = ({ target }: FocusEvent) => {
    const button = (target as Element).closest<HTMLElement>("[data-at]");
    const candidate = button?.closest<HTMLElement>("li")?.dataset.candidate;
    if (candidate !== undefined) setCurrent({ candidate, at: Number(button!.dataset.at) });
  };
  const leave = ({ currentTarget, relatedTarget }: FocusEvent) => {
    if (!(currentTarget as Element).contains(relatedTarget as Element | null)) props.point(null);
  };
  const stopRow = Math.max(0, shown.findIndex(([name]) => name === current.candidate));
  return (
    <div class="slw-bars" onPointerLeave={() => props.point(null)} onFocusOut={leave}>
      {second && <Scales by={by} ends={scaleEnds(all, start)} write={write} second={second} />}
      <ol
        ref={list}
        aria-label="Label scores, best first; arrow keys move through them"
        aria-busy={pending}
        onKeyDown={onKeyDown}
        onFocusIn={onFocusIn}
      >
        {shown.map((score, index) => {
          const removable = props.listed.includes(score[0]);
          return (
            <Bar
              {...props}
              key={score[0]}
              chance={marks}
              trust={trust}
              second={second}
              score={score}
              runnerUp={bars[1]?.[1] ?? null}
              best={index === 0 && score[1] !== null}
              zero={zero}
              place={place}
              write={write}
              stop={index === stopRow ? Math.min(current.at, removable ? 2 : 1) : null}
              remove={(candidate) => {
                lost.current = { row: index, at: 2 };
                props.remove(candidate);
              }}
            />
          );
        })}
      </ol>
      {unknown && (
        <p class="slw-score-unknown slw-small" role="status">
          <strong>Unknown</strong> by these labels: even the best reaches no more than the luckiest
          of {count(trust.among, "label")} does by chance.
        </p>
      )}
      {known && <Legend chance={marks} by={by} trust={trust} refused={props.refused} />}
      {bars.length > FOLDED && (
        <button type="button" class="slw-button" onClick={() => setOpen(!open)}>
          {open ? "Show fewer" : `Show all ${bars.length}`}
        </button>
      )}
    </div>
  );
}
