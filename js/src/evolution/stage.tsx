// The map of one moment: neurons on a canvas, and over it the way of the one looked at.
import { useComputed, useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useMemo, useRef } from "preact/hooks";
import { Failure } from "../shared/controls";
import { neuronName, usePoles } from "../source/neuron";
import { Card } from "./card";
import { draw, radiusOf } from "./draw";
import { frameOf, momentAt, neuronAt, neuronBeyond, toPixels, type Frame, type Size } from "./places";
import type { State } from "./state";

const HELP =
  "Arrow keys go from neuron to neuron, Enter shows the one marked at every step, Space adds it to " +
  "the selection or takes it out, Escape leaves it.";
/** How near the pointer must come, in pixels. */
const REACH = 14;
const STEPS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};

/** The size of an element, followed. */
function useSize() {
  const element = useRef<HTMLDivElement>(null);
  const size = useSignal<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const measure = () => {
      if (!element.current) return; // taken away, and told of it late
      const { clientWidth: width, clientHeight: height } = element.current;
      const { width: w, height: h } = size.peek();
      if (w !== width || h !== height) size.value = { width, height };
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element.current!);
    measure();
    return () => observer.disconnect();
  }, []);
  return [element, size] as const;
}

export function Stage({ state }: { state: State }) {
  const [element, size] = useSize();
  const canvas = useRef<HTMLCanvasElement>(null);
  const { player, places, colors, theme } = state;
  const moment = useComputed(() => places.value && momentAt(places.value, player.position.value));
  const frame = useComputed(() => places.value && frameOf(places.value, size.value));
  // A glide is of one colour until half of the way.
  const codes = useComputed(() => {
    const from = Math.round(player.position.value) * state.neurons.value;
    return colors.value && colors.value.codes.subarray(from, from + state.neurons.value);
  });
  useSignalEffect(() => {
    const [now, at] = [moment.value, frame.value];
    if (!canvas.current || !now || !at || size.value.width === 0) return;
    draw(canvas.current, {
      ...size.value,
      moment: now,
      frame: at,
      codes: codes.value,
      palette: colors.value?.palette ?? [],
      text: theme.value.text,
      selection: state.selection.value,
    });
  });

  const under = ({ clientX, clientY }: MouseEvent): number => {
    const box = element.current!.getBoundingClientRect();
    const [now, at] = [moment.peek(), frame.peek()];
    return now && at ? neuronAt(now, at, clientX - box.x, clientY - box.y, REACH) : -1;
  };
  const point = (at: number) => (state.pointed.value = at);
  const onKeyDown = (event: KeyboardEvent) => {
    const [now, at] = [moment.peek(), frame.peek()];
    const [step, pointed] = [STEPS[event.key], state.pointed.peek()];
    if (step && now && at) {
      const from = pointed < 0 ? state.active.peek() : pointed;
      point(neuronBeyond(now, at, size.peek(), from, ...step));
    } else if (event.key === "Enter" && pointed >= 0) state.pick(pointed);
    else if (event.key === " " && pointed >= 0) state.toggle(pointed);
    else if (event.key === "Escape") point(-1);
    else return;
    event.preventDefault();
  };
  const failure = state.store.failure.value;
  return (
    <>
      {failure && <Failure error={failure} retry={state.store.retry} />}
      <div
        ref={element}
        class={`slw-evo-stage ${places.value ? "" : "slw-skeleton"}`}
        tabIndex={0}
        role="application"
        aria-label={`Map of the neurons at ${state.steps.value[state.step.value] ?? "no step"}`}
        aria-description={HELP}
        data-pointing={state.pointed.value >= 0}
        onPointerMove={(event) => point(under(event))}
        onPointerLeave={() => point(-1)}
        onBlur={() => point(-1)}
        onClick={(event) => {
          const at = under(event);
          if (at < 0) return;
          if (event.shiftKey) state.toggle(at);
          else state.pick(at);
        }}
        onKeyDown={onKeyDown}
      >
        <canvas ref={canvas} />
        <Marks state={state} frame={frame.value} />
        <Card state={state} size={size.value} place={placeOf(state.pointed.value)} />
      </div>
      <Said state={state} />
    </>
  );

  function placeOf(at: number): [number, number] | null {
    const [now, to] = [moment.value, frame.value];
    return at < 0 || !now || !to ? null : toPixels(to, now.x[at]!, now.y[at]!);
  }
}

/** The way of the neuron looked at through all steps, whose stops grow, and a ring around where it and the one pointed at are. */
function Marks({ state, frame }: { state: State; frame: Frame | null }) {
  const places = state.places.value;
  const position = state.player.position.value;
  const active = state.active.value;
  const way = useMemo(() => {
    if (!places || !frame || active < 0) return [];
    return state.steps.value
      .map((_, step) => step * places.neurons + active)
      .filter((at) => Number.isFinite(places.x[at]) && Number.isFinite(places.y[at]))
      .map((at) => toPixels(frame, places.x[at]!, places.y[at]!));
  }, [places, frame, active]);
  if (!places || !frame) return null;
  const ring = (at: number, kind: string) => {
    if (at < 0) return null;
    const { x, y, seen } = momentAt(places, position);
    if (seen[at] === 0) return null;
    const [cx, cy] = toPixels(frame, x[at]!, y[at]!);
    return <circle class={`slw-evo-${kind}`} cx={cx} cy={cy} r={radiusOf(places.neurons) + 4} />;
  };
  return (
    <svg class="slw-evo-marks" aria-hidden="true">
      {way.length > 1 && <polyline class="slw-evo-way" points={way.map((at) => at.join()).join(" ")} />}
      {way.map(([cx, cy], at) => (
        <circle key={at} class="slw-evo-stop" cx={cx} cy={cy} r={1.5 + (2.5 * at) / Math.max(1, way.length - 1)} />
      ))}
      {ring(active, "active")}
      {ring(state.pointed.value, "pointed")}
    </svg>
  );
}

/** The neuron pointed at, in words. */
function Said({ state }: { state: State }) {
  const poles = usePoles();
  const at = state.pointed.value;
  const name = at < 0 ? null : state.nameOf(at);
  const { length } = state.selection.value;
  return (
    <div class="slw-controls slw-controls-apart slw-small">
      <p class="slw-evo-said" role="status">
        {name ? (
          <>
            <span class="slw-mono">{neuronName(name, poles)}</span>{" "}
            <bdi>{state.labelOf(at, state.step.value) || "no label"}</bdi>
          </>
        ) : (
          <span class="slw-muted">Point at a neuron; click to follow it, with Shift to select it.</span>
        )}
      </p>
      {length > 0 && (
        <span class="slw-controls-row">
          {length.toLocaleString("en")} selected
          <button type="button" class="slw-button" onClick={state.unselect}>Clear</button>
        </span>
      )}
    </div>
  );
}
