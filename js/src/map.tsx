// The neuron map. Python side: semlens_widgets/widgets/map.py.
import { effect, useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChild } from "preact";
import { useEffect, useRef } from "preact/hooks";
import * as format from "./format";
import { detailsCache, HoverCard } from "./hover-card";
import { CloseIcon, FitIcon, LassoIcon, MinusIcon, MoveIcon, PlusIcon } from "./map-icons";
import { Legend } from "./legend";
import { MapState, type MapTraits } from "./map-state";
import { Stage } from "./map-stage";
import type { RenderContext } from "./model";
import { mount } from "./mount";
import { CANVAS_LIMIT, type Painter } from "./renderer";
import type { Rpc } from "./rpc";
import "./map.css";

export const render = (context: RenderContext<MapTraits>) =>
  mount(context, "slw-map", ({ rpc, theme, onCleanup }) => {
    const state = new MapState(context.model, rpc, theme);
    const cache = detailsCache();
    const forget = effect(() => {
      state.revision.value;
      cache.clear();
    });
    onCleanup(() => {
      forget();
      state.dispose();
      cache.clear();
    });
    return <NeuronMap state={state} rpc={rpc} cache={cache} />;
  });

interface Props {
  state: MapState;
  rpc: Rpc;
  cache: ReturnType<typeof detailsCache>;
}

const PATIENCE = 4000;
const HELP =
  "Arrow keys move, plus and minus zoom, 0 shows all, Enter picks the neuron nearest to the " +
  "pointer or the centre, brackets step through the neurons. Drag with Shift to select.";

function NeuronMap({ state, rpc, cache }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const stage = useRef<Stage | null>(null);
  const painter = useSignal<Painter["kind"] | null | "opening">("opening");
  const hint = useSignal(false);
  const empty = state.count.value === 0 || !state.placed.value;

  useEffect(() => {
    if (!host.current || empty) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const made = new Stage(host.current, state, {
      painter: (kind) => {
        painter.value = kind;
      },
      wheelIdle: () => {
        hint.value = true;
        clearTimeout(timer);
        timer = setTimeout(() => {
          hint.value = false;
        }, 1400);
      },
    });
    stage.current = made;
    return () => {
      clearTimeout(timer);
      made.dispose();
    };
  }, [empty]);

  return (
    <>
      <Toolbar state={state} zoom={(direction) => stage.current?.zoom(direction)} />
      {painter.value === "canvas2d" && (
        <p class="slw-notice slw-small">
          This browser offers no WebGL. The map is drawn without it and may be slower.
        </p>
      )}
      <div class="slw-map-frame" style={{ "--slw-map-height": `${state.height.value}px` }}>
        {empty
          ? <Empty state={state} />
          : (
            <div ref={host} class="slw-map-stage" data-tool={state.tool.value} tabIndex={0}
              role="application" aria-label={summary(state)} aria-description={HELP}
              data-renderer={painter.value} />
          )}
        {painter.value === null && (
          <State title="This browser offers no WebGL">
            Without it {CANVAS_LIMIT.toLocaleString("en")} points can be drawn; here are{" "}
            {state.count.value.toLocaleString("en")}. Switch hardware acceleration on, or use
            another browser.
          </State>
        )}
        {hint.value && <p class="slw-map-hint">Click the map, or hold Ctrl, to zoom with the wheel</p>}
        {!empty && <HoverCard state={state} rpc={rpc} cache={cache} />}
      </div>
      <Waiting state={state} />
      <Legend state={state} />
      <Status state={state} />
    </>
  );
}

/** Said when new colours do not come. */
function Waiting({ state }: { state: MapState }) {
  const late = useSignal(false);
  useSignalEffect(() => {
    late.value = false;
    if (!state.recoloring.value) return undefined;
    const timer = setTimeout(() => {
      late.value = true;
    }, PATIENCE);
    return () => clearTimeout(timer);
  });
  if (!late.value) return null;
  return (
    <p class="slw-notice slw-small" role="status">
      The kernel has not sent these colours. It may be busy or stopped.
      <button type="button" class="slw-button" onClick={state.keepColors}>
        Back to {state.legend.value?.title ?? "before"}
      </button>
    </p>
  );
}

const summary = (state: MapState) =>
  `Map of ${format.count(state.count.value, "neuron")} ` +
  `from ${format.count(state.layers.value.length, "layer")}`;

function State({ title, children }: { title: string; children: ComponentChild }) {
  return (
    <div class="slw-state slw-map-state">
      <strong class="slw-title">{title}</strong>
      <p>{children}</p>
    </div>
  );
}

const Empty = ({ state }: { state: MapState }) =>
  state.count.value === 0
    ? <State title="No neurons yet">Run <code>lens.run()</code>, then show the map again.</State>
    : <State title="No layout yet">
        The neurons have no place on the map. Run <code>lens.run()</code> to the end.
      </State>;

function Toolbar({ state, zoom }: { state: MapState; zoom: (direction: 1 | -1) => void }) {
  return (
    <div class="slw-map-toolbar" role="toolbar" aria-label="Map">
      <label class="slw-map-colorby">
        <span class="slw-muted">Colour by</span>
        <select class="slw-select" value={state.colorBy.value}
          onChange={(event) => state.setColorBy(event.currentTarget.value)}>
          {state.columns.value.map(({ name, title, empty }) => (
            <option key={name} value={name} disabled={empty}>
              {empty ? `${title} (none yet)` : title}
            </option>
          ))}
        </select>
      </label>
      <span class="slw-map-space" />
      <Group label="Tool">
        <Tool label="Move (drag)" pressed={state.tool.value === "pan"}
          onClick={() => (state.tool.value = "pan")}><MoveIcon /></Tool>
        <Tool label="Lasso (or drag with Shift)" pressed={state.tool.value === "lasso"}
          onClick={() => (state.tool.value = "lasso")}><LassoIcon /></Tool>
      </Group>
      <Group label="Zoom">
        <Tool label="Zoom out (−)" onClick={() => zoom(-1)}><MinusIcon /></Tool>
        <Tool label="Zoom in (+)" onClick={() => zoom(1)}><PlusIcon /></Tool>
        <Tool label="Fit" onClick={state.fit}><FitIcon /></Tool>
      </Group>
    </div>
  );
}

const Group = ({ label, children }: { label: string; children: ComponentChild }) => (
  <div class="slw-map-group" role="group" aria-label={label}>{children}</div>
);

interface ToolProps {
  label: string;
  pressed?: boolean;
  onClick: () => void;
  children: ComponentChild;
}

const Tool = ({ label, pressed, onClick, children }: ToolProps) => (
  <button type="button" class="slw-button slw-button-icon" title={label} aria-label={label}
    {...(pressed === undefined ? {} : { "aria-pressed": pressed })} onClick={onClick}>
    {children}
  </button>
);

function Status({ state }: { state: MapState }) {
  const row = state.activeRow.value;
  const label = row >= 0 ? state.labelOf(row) : "";
  const selected = state.selection.value.length;
  const hits = state.ranked.value.length;
  return (
    <div class="slw-map-status">
      <span class="slw-map-active" aria-live="polite">
        {row >= 0
          ? <><span class="slw-mono">{state.nameOf(row)}</span>{label && <strong>{label}</strong>}</>
          : <span class="slw-muted">{format.count(state.count.value, "neuron")}</span>}
      </span>
      <span class="slw-map-space" />
      <span class="slw-map-chips" aria-live="polite">
        {hits > 0 && (
          <Chip text={`${hits.toLocaleString("en")} highlighted`} clear={state.clearHighlight} />
        )}
        {selected > 0 && (
          <Chip text={`${selected.toLocaleString("en")} selected`} clear={state.clearSelection} />
        )}
      </span>
    </div>
  );
}

const Chip = ({ text, clear }: { text: string; clear: () => void }) => (
  <span class="slw-map-chip">
    {text}
    <button type="button" aria-label={`Clear: ${text}`} title="Clear" onClick={clear}>
      <CloseIcon />
    </button>
  </span>
);
