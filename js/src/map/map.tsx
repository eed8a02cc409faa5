// The neuron map. Python side: semlens_widgets/widgets/map.py.
import { effect, untracked, useSignal, useSignalEffect } from "@preact/signals";
import type { ComponentChild } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { LABELS } from "../source/columns";
import { createFinder, type Finder } from "../shared/finder";
import * as format from "../shared/format";
import { HoverCard } from "./hover-card";
import { detailsCache } from "../neuron/hovered";
import { Legend } from "./legend";
import { HELP } from "./keys";
import { picture, save } from "./picture";
import { Stage } from "./stage";
import { MapState } from "./state";
import { Status } from "./status";
import { Toolbar } from "./toolbar";
import type { MapTraits } from "./traits";
import type { RenderContext } from "../source/model";
import { mount } from "../shared/mount";
import { Failure } from "../shared/controls";
import { hearMark, tellPointed } from "../shared/links";
import { CANVAS_LIMIT, type Painter } from "./paint/painter";
import { polesOf } from "../source/neuron";
import type { Source } from "../source/source";
import { SearchBox } from "../shared/search-box";
import { composes } from "../shared/text-field";
import "./map.css";

export const render = (context: RenderContext<MapTraits>) =>
  mount(context, "slw-map", ({ root, source, theme, onCleanup }) => {
    const state = new MapState(context.model, source, theme);
    const finder = createFinder(source, state.setHighlight, polesOf(context.model));
    const cache = detailsCache();
    const forget = effect(() => {
      state.revision.value;
      cache.clear();
    });
    // In the explorer, lists mark their neurons here, and follow what is pointed at.
    const stopMark = hearMark(root, (neuron) => (state.mark.value = neuron));
    const stopTelling = effect(() => {
      const neuron = state.neuronOf(state.hover.value);
      untracked(() => tellPointed(root, neuron));
    });
    onCleanup(() => {
      stopMark();
      stopTelling();
      forget();
      finder.stop();
      state.dispose();
      cache.clear();
    });
    return <NeuronMap state={state} source={source} finder={finder} cache={cache} />;
  }, context.model.get("_data")?.x !== undefined);

interface Props {
  state: MapState;
  source: Source;
  finder: Finder;
  cache: ReturnType<typeof detailsCache>;
}

const PATIENCE = 4000;

function NeuronMap({ state, source, finder, cache }: Props) {
  const host = useRef<HTMLDivElement>(null);
  const stage = useRef<Stage | null>(null);
  const painter = useSignal<Painter["kind"] | null | "opening">("opening");
  const hint = useSignal(false);
  const loading = !state.ready.value && !state.store.failure.value;
  // The stage opens while the neurons are on their way, so that they are drawn as they come.
  const empty = !loading && (!state.ready.value || state.count.value === 0 || !state.placed.value);

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
      stage.current = null;
    };
  }, [empty]);

  const saveAsPng = () => {
    if (!stage.current || !host.current) return;
    const family = getComputedStyle(host.current).fontFamily || "sans-serif";
    void save(picture(state, stage.current, family), "neuron-map.png");
  };
  const endSearch = () => {
    finder.clear();
    state.setHighlight(null); // Python highlights, too
  };
  /** From the search to what it found: brackets go through it on the map. */
  const enterHits = () => {
    if (state.ranked.value.length === 0) return false;
    host.current?.focus();
    return true;
  };
  return (
    <>
      {state.searchBox.value && source.can("search") && <Search state={state} finder={finder} enter={enterHits} />}
      <Toolbar state={state} zoom={(direction) => stage.current?.zoom(direction)} save={saveAsPng} />
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
        {loading && (
          <div class="slw-state slw-map-state slw-map-loading" role="status">
            Loading {format.count(state.count.value, "neuron")} …
          </div>
        )}
        {!empty && painter.value === null && (
          <State title="This browser offers no WebGL">
            Without it {CANVAS_LIMIT.toLocaleString("en")} points can be drawn; here are{" "}
            {state.count.value.toLocaleString("en")}. Switch hardware acceleration on, or use
            another browser.
          </State>
        )}
        {hint.value && <p class="slw-map-hint">Click the map, or hold Ctrl, to zoom with the wheel</p>}
        {!empty && state.count.value > 0 && state.shownCount.value === 0 && (
          <p class="slw-map-hint slw-map-none">
            No neuron passes the filter
            <button type="button" class="slw-button" onClick={state.unfilterAll}>Show all</button>
          </p>
        )}
        {!empty && <HoverCard state={state} source={source} cache={cache} />}
      </div>
      <p class="slw-hidden" role="status">{state.spoken.value}</p>
      <Missing state={state} />
      <Waiting state={state} />
      {state.said.value && <p class="slw-notice slw-small" role="status">{state.said.value}</p>}
      <Legend state={state} />
      <Status state={state} endSearch={endSearch} />
    </>
  );
}

/** Words, and the neurons that fit them best stand out. */
function Search({ state, finder, enter }: { state: MapState; finder: Finder; enter: () => boolean }) {
  const error = finder.error.value;
  return (
    <div class="slw-map-search"
      onKeyDown={(event) => {
        const leaves = event.key === "Escape" && !(event.target instanceof HTMLSelectElement);
        if (leaves && !composes(event)) finder.clear();
      }}>
      <SearchBox finder={finder} layers={state.layers.value} choose={state.choose} enter={enter} />
      {error && <Failure error={error} retry={finder.retry} />}
    </div>
  );
}

/** What of the table has not come, once there is something to see, and why. */
function Missing({ state }: { state: MapState }) {
  const { failures, failure, retry } = state.store;
  if (!state.ready.value || !failure.value) return null;
  const names = [...failures.value.keys()].map((name) =>
    name === LABELS ? "the labels" : name === "unsure" ? "what random words score"
    : name === "neuron" ? "the neurons’ numbers" : state.titleOf(name));
  const waits = state.recoloring.value && failures.value.has(state.colorBy.value);
  return (
    <Failure error={failure.value} retry={retry}>
      Not there yet: {names.join(", ")}.
      {waits && state.legend.value && (
        <button type="button" class="slw-button" onClick={state.keepColors}>
          Back to {state.legend.value.title}
        </button>
      )}
    </Failure>
  );
}

/** Said when new colours do not come, and nobody says why. */
function Waiting({ state }: { state: MapState }) {
  const late = useSignal(false);
  useSignalEffect(() => {
    late.value = false;
    if (!state.recoloring.value || !state.ready.value || state.store.failure.value) return undefined;
    const timer = setTimeout(() => {
      late.value = true;
    }, PATIENCE);
    return () => clearTimeout(timer);
  });
  if (!late.value) return null;
  return (
    <p class="slw-notice slw-small" role="status">
      The kernel has not sent these colours. It may be busy or stopped.
      {state.legend.value && (
        <button type="button" class="slw-button" onClick={state.keepColors}>
          Back to {state.legend.value.title}
        </button>
      )}
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

function Empty({ state }: { state: MapState }) {
  const failure = state.store.failure.value;
  if (failure) {
    return (
      <State title="The neurons have not come">
        {failure.message}{" "}
        <button type="button" class="slw-button" onClick={state.store.retry}>Retry</button>
      </State>
    );
  }
  return state.count.value === 0
    ? <State title="No neurons yet">Run <code>lens.run()</code>, then show the map again.</State>
    : <State title="No layout yet">
        The neurons have no place on the map. Run <code>lens.run()</code> to the end.
      </State>;
}
