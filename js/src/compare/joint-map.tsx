// The joint map: the neurons of both layers in one plot, or one beside the other.
import { useMemo, useRef } from "preact/hooks";
import { Segments } from "../shared/controls";
import { setTrait } from "../source/model";
import { short, useNumbers } from "../source/neuron";
import { Sign } from "./head";
import { other, sideOf, type Which } from "./rows";
import { dots, frameOf, placed, spotAt, spotBeyond, type Frame, type Spot } from "./spots";
import type { Known, State } from "./state";

const MODES = [["overlay", "Overlay"], ["split", "Split"]] as const;
const HELP = "Arrow keys go from neuron to neuron, Enter shows the images of the one marked.";
/** How near the pointer must come, in pixels. */
const REACH = 14;
const STEPS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

interface PlotProps {
  state: State;
  known: Known;
  which: readonly Which[];
  frame: Frame;
}

/** The neurons of a side: those that the list is about strong, the others faint. */
function Dots({ state, known, side }: { state: State; known: Known; side: Which }) {
  const places = known.sides[side];
  const listed = state.listed.value;
  const about = listed && (sideOf(state.show.value) === side ? listed : new Set<number>());
  const [strong, faint] = useMemo(() => {
    const all = Array.from(places.x.keys());
    if (!about) return [dots(places, all), ""];
    return [dots(places, about), dots(places, all.filter((at) => !about.has(at)))];
  }, [places, listed, about === null]);
  return (
    <g class={`slw-dots slw-dots-${side}`}>
      <path class="slw-dots-faint" d={faint} />
      <path d={strong} />
    </g>
  );
}

/** A neuron that stands out, where it lies on this plot. */
function Mark({ known, side, at, kind }: { known: Known; side: Which; at: number | null; kind: string }) {
  if (at === null || !placed(known.sides[side], at)) return null;
  const path = dots(known.sides[side], [at]);
  return (
    <g class={`slw-dots slw-dots-${side} slw-mark slw-mark-${kind}`}>
      <path class="slw-mark-rim" d={path} />
      <path d={path} />
    </g>
  );
}

function Plot({ state, known, which, frame }: PlotProps) {
  const svg = useRef<SVGSVGElement>(null);
  const places = useMemo(
    () => new Map(which.map((side) => [side, known.sides[side]] as const)),
    [known, which],
  );
  const at = ({ clientX, clientY }: MouseEvent): Spot | null => {
    const matrix = svg.current!.getScreenCTM();
    if (!matrix) return null;
    const { x, y } = new DOMPoint(clientX, clientY).matrixTransform(matrix.inverse());
    return spotAt(places, x, y, REACH / matrix.a);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    const from = state.pointed.peek() ?? state.active.peek();
    if (step) state.pointed.value = spotBeyond(places, from, ...step);
    else if (event.key === "Enter" && state.pointed.peek()) state.pick(state.pointed.peek()!);
    else if (event.key === "Escape") state.pointed.value = null;
    else return;
    event.preventDefault();
  };
  const pair = state.pair.value?.neurons;
  const pointed = state.pointed.value;
  const names = which.map((side) => known.sides[side].layer).join(" and ");
  const joined = pair && which.length === 2 && pair.a !== null && pair.b !== null &&
    placed(known.sides.a, pair.a) && placed(known.sides.b, pair.b);
  const { a, b } = known.sides;
  return (
    <svg
      ref={svg}
      class="slw-joint-plot"
      viewBox={frame.join(" ")}
      tabIndex={0}
      role="application"
      aria-label={`Map of the neurons of ${names}`}
      aria-description={HELP}
      onPointerMove={(event) => (state.pointed.value = at(event))}
      onPointerLeave={() => (state.pointed.value = null)}
      onBlur={() => (state.pointed.value = null)}
      onClick={(event) => {
        const spot = at(event);
        if (spot) state.pick(spot);
      }}
      onKeyDown={onKeyDown}
      data-pointing={pointed !== null}
    >
      {which.map((side) => <Dots key={side} state={state} known={known} side={side} />)}
      {joined && (
        <path
          class="slw-joint-line"
          d={`M${a.x[pair.a!]} ${-a.y[pair.a!]!}L${b.x[pair.b!]} ${-b.y[pair.b!]!}`}
        />
      )}
      {pair && which.map((side) => (
        <Mark key={side} known={known} side={side} at={pair[side]} kind="active" />
      ))}
      {pointed && which.includes(pointed.side) && (
        <Mark known={known} side={pointed.side} at={pointed.neuron} kind="pointed" />
      )}
    </svg>
  );
}

/** The neuron pointed at, else the one looked at, in words. */
function Said({ state, known }: { state: State; known: Known }) {
  const spot = state.pointed.value ?? state.active.value;
  const named = useNumbers(spot ? known.sides[spot.side].layer : "");
  if (!spot) return <p class="slw-small slw-muted">Point at a neuron; click to see its images.</p>;
  const own = known.sides[spot.side];
  const match = state.rows[spot.side].value?.find((row) => row.own === spot.neuron);
  const to = known.sides[other(spot.side)];
  return (
    <p class="slw-small slw-joint-said" role="status">
      <Sign side={spot.side} />
      <span class="slw-mono">{own.layer} / {named(spot.neuron)}</span>{" "}
      <bdi>{own.labels[spot.neuron] || "no label"}</bdi>
      {match && match.match >= 0 && (
        <span class="slw-muted">
          {" "}≈ {short(match.similarity, 3)} {to.name} / {match.match}{" "}
          <bdi>{to.labels[match.match]}</bdi>
        </span>
      )}
    </p>
  );
}

const BOTH: readonly Which[] = ["a", "b"];
const ALONE: readonly (readonly Which[])[] = [["a"], ["b"]];

export function JointMap({ state }: { state: State }) {
  const known = state.known.value;
  const mode = state.mode.value;
  const frame = useMemo(() => known && frameOf([known.sides.a, known.sides.b]), [known]);
  return (
    <section class="slw-joint" aria-label="Joint map">
      <div class="slw-controls slw-controls-apart">
        <Segments
          label="How both are drawn"
          options={MODES}
          value={mode}
          onChange={(one) => setTrait(state.model, "mode", one)}
        />
        {known && (
          <ul class="slw-joint-legend slw-small">
            {BOTH.map((side) => (
              <li key={side}><Sign side={side} /> <bdi>{known.sides[side].layer}</bdi></li>
            ))}
          </ul>
        )}
      </div>
      {!known || !frame ? (
        <div class="slw-joint-plots"><div class="slw-joint-plot slw-skeleton" /></div>
      ) : (
        <>
          <div class={`slw-joint-plots slw-joint-${mode}`}>
            {mode === "overlay"
              ? <Plot state={state} known={known} which={BOTH} frame={frame} />
              : ALONE.map((which) => (
                  <Plot key={which[0]} state={state} known={known} which={which} frame={frame} />
                ))}
          </div>
          <Said state={state} known={known} />
        </>
      )}
    </section>
  );
}
