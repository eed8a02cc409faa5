// The explorer: search, map and the views in one, linked in the browser.
import { batch, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Host, HostedContext, Selecting } from "../source/host";
import { CopyState } from "./copy-state";
import { createFinder, type Finder, type Search } from "../shared/finder";
import type { Hit } from "../source/messages";
import { byChance, Hits } from "./hits";
import { Icon } from "../shared/icons";
import { Measures } from "../neuron/measures";
import { mount, type Mounted } from "../shared/mount";
import { setTrait, traitSignal, type Model, type Neuron } from "../source/model";
import { neuronName, polesOf, sameNeuron, usePoles } from "../source/neuron";
import { Failure, Late } from "../shared/controls";
import { linkViews, type Links } from "../shared/links";
import { asError } from "../source/resources";
import { NO_ROSTER, readRoster, type Roster } from "./roster";
import type { Source } from "../source/source";
import { SearchBox } from "../shared/search-box";
import { createTrail, type Trail } from "./trail";
import type { Parts, View } from "./view-state";
import "../neuron/panel.css";
import "./explorer.css";

/** The traits of `widgets/explorer.py`; the children are references to their models. */
export interface ExplorerTraits extends Selecting {
  _layers: string[];
  _views: View[];
  query: string;
  query_layer: string | null;
  like: Neuron | null;
  tab: string;
}

interface ExplorerProps {
  model: Model<ExplorerTraits>;
  source: Source;
  host: Host | undefined;
  active: ReadonlySignal<Neuron | null>;
  finder: Finder;
  trail: Trail;
  tab: ReadonlySignal<string>;
  roster: ReadonlySignal<Roster>;
  /** The models of the children, once they are reached. */
  parts: ReadonlySignal<Parts | null>;
  /** Why the children could not be reached. */
  broken: Signal<Error | null>;
  links: Links;
}

function HostedWidget({ host, reference }: { host: Host; reference: string }) {
  const place = useRef<HTMLDivElement>(null);
  const [error, setError] = useState<Error | null>(null);
  const [attempt, setAttempt] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    const el = document.createElement("div");
    place.current!.replaceChildren(el);
    setError(null);
    host
      .getWidget(reference)
      .then((child) => child.render({ el, signal: controller.signal }))
      .catch((reason) => controller.signal.aborted || setError(asError(reason)));
    return () => controller.abort();
  }, [host, reference, attempt]);
  return (
    <>
      {error && <Failure error={error} retry={() => setAttempt(attempt + 1)} />}
      <div ref={place} class="slw-hosted" />
    </>
  );
}

function Toolbar({ enter, ...props }: ExplorerProps & { enter: () => boolean }) {
  const poles = usePoles();
  const { model, active, finder, trail } = props;
  const { previous, next } = trail;
  const go = (neuron: Neuron | null) => neuron && setTrait(model, "active", neuron);
  const step = (name: "back" | "forward", neuron: Neuron | null) => {
    const label = neuron ? `Go ${name} to ${neuronName(neuron, poles)}` : `Go ${name}`;
    return (
      <button
        type="button"
        class="slw-button slw-button-icon"
        disabled={neuron === null}
        title={label}
        aria-label={label}
        onClick={() => go(neuron)}
      >
        <Icon name={name} />
      </button>
    );
  };
  return (
    <div
      class="slw-toolbar"
      onKeyDown={({ key, target }) => {
        if (key === "Escape" && !(target instanceof HTMLSelectElement)) finder.clear();
      }}
    >
      <div class="slw-steps">
        {step("back", previous.value)}
        {step("forward", next.value)}
      </div>
      {props.source.can("search") ? (
        <>
          <SearchBox
            finder={finder}
            layers={model.get("_layers")}
            choose={({ layer, neuron }) => go({ layer, neuron })}
            enter={enter}
          />
          <button
            type="button"
            class="slw-button"
            disabled={active.value === null}
            title="Find the neurons that see what this one sees"
            aria-label="Similar neurons"
            onClick={() => active.value && finder.like(active.value)}
          >
            <Icon name="similar" />
            <span>Similar</span>
          </button>
        </>
      ) : <span class="slw-spring slw-small slw-muted">Neurons are searched in the notebook.</span>}
      <CopyState model={model} parts={props.parts.value} />
    </div>
  );
}

/** From this width on, in pixels, two panels stand beside the map. */
const WIDE = 1440;

function useWide(): [{ current: HTMLDivElement | null }, boolean] {
  const element = useRef<HTMLDivElement>(null);
  const [wide, setWide] = useState(false);
  useEffect(() => {
    let frame = 0;
    const observer = new ResizeObserver(([entry]) => {
      cancelAnimationFrame(frame); // a new layout within the callback would be an error
      frame = requestAnimationFrame(() => setWide(entry!.contentRect.width >= WIDE));
    });
    observer.observe(element.current!);
    return () => {
      cancelAnimationFrame(frame);
      observer.disconnect();
    };
  }, []);
  return [element, wide];
}

interface SidesProps {
  model: Model<ExplorerTraits>;
  host: Host;
  tab: string;
  wide: boolean;
}

/** Where there is room, the first view stands beside the one that is open among the others. */
function Sides({ model, host, tab, wide }: SidesProps) {
  const [id] = useState(() => `slw-${Math.random().toString(36).slice(2)}`);
  const choose = (name: string) => setTrait(model, "tab", name);
  const views = model.get("_views").slice(1);
  const beside = wide ? views[0] : undefined;
  const tabs = beside ? views.slice(1) : views;
  const open = (tabs.find(({ name }) => name === tab) ?? tabs[0])?.name;
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const step = event.key === "ArrowLeft" ? tabs.length - 1 : 1;
    const at = tabs.findIndex(({ name }) => name === open);
    const other = tabs[(at + step) % tabs.length]!.name;
    choose(other);
    // In a shadow root the document knows no such name.
    const root = (event.currentTarget as Element).getRootNode() as Document | ShadowRoot;
    root.getElementById(`${id}-${other}`)?.focus();
  };
  return (
    <div class="slw-sides">
      <div class="slw-tabs">
        {beside && <b id={`${id}-${beside.name}`}>{beside.title}</b>}
        <div role="tablist" aria-label="Panels" onKeyDown={onKeyDown}>
          {tabs.map(({ name, title }) => (
            <button
              key={name}
              id={`${id}-${name}`}
              type="button"
              role="tab"
              aria-selected={name === open}
              aria-controls={`${id}-${name}-panel`}
              tabIndex={name === open ? 0 : -1}
              onClick={() => choose(name)}
            >
              {title}
            </button>
          ))}
        </div>
      </div>
      <div class="slw-tab-frame">
        {views.map((view) => (
          <div
            key={view.name}
            id={`${id}-${view.name}-panel`}
            class="slw-tab-panel"
            hidden={view !== beside && view.name !== open}
            role={view === beside ? "region" : "tabpanel"}
            aria-labelledby={`${id}-${view.name}`}
          >
            <HostedWidget host={host} reference={view.model} />
          </div>
        ))}
      </div>
    </div>
  );
}

export function Explorer(props: ExplorerProps) {
  const { model, host, active, finder, broken, roster, links } = props;
  const [frame, wide] = useWide();
  if (!host) {
    return (
      <div class="slw-state" ref={frame}>
        This notebook front end cannot show widgets inside a widget. Use lens.map(),
        lens.gallery(…) and lens.contrast(…) instead.
      </div>
    );
  }
  const { error, found, pending } = finder;
  const { measures, passes, labelOf, failure, selected } = roster.value;
  const choose = (neuron: Neuron) => setTrait(model, "active", neuron);
  const { count, hits } = selected.value;
  const most = count > hits.length ? `, the first ${hits.length} here` : "";
  const unselect = () => links.select(new DataView(new ArrayBuffer(0)));
  const endSearch = () => {
    finder.clear();
    // What had the focus is gone.
    frame.current?.querySelector<HTMLElement>(".slw-search input")?.focus({ preventScroll: true });
  };
  const enter = () => {
    const hit = frame.current?.querySelector<HTMLElement>(".slw-hits [tabindex='0']");
    hit?.focus();
    return !!hit;
  };
  const labels = { labelOf: (hit: Hit) => labelOf(hit) ?? hit.label };
  const { pointed, point } = links;
  const linked = { ...labels, passes, active: active.value, choose, pointed, point };
  const top = found.value?.hits ?? [];
  const doubtful = top.length > 0 && top.every(byChance);
  return (
    <div class={wide ? "slw-explorer-frame slw-explorer-wide" : "slw-explorer-frame"} ref={frame}>
      <Toolbar {...props} enter={enter} />
      {broken.value && (
        <p class="slw-notice slw-notice-error" role="alert">
          The panels are not linked: {broken.value.message}
        </p>
      )}
      <Late source={props.source} />
      {error.value && <Failure error={error.value} retry={finder.retry} />}
      {failure.value && (
        <Failure error={failure.value} retry={roster.value.retry}>
          The neurons' measures or labels are missing here.
        </Failure>
      )}
      {found.value && (
        <Hits
          found={found.value}
          note={top.length === 0 ? "no neurons"
            : doubtful ? "none above chance" : `top ${top.length}`}
          clearing="Clear the search"
          busy={pending.value}
          clear={endSearch}
          {...linked}
        />
      )}
      {hits.length > 0 && (
        <Hits
          found={{ of: "Selection", hits }}
          note={`${count.toLocaleString("en")} neurons${most}`}
          clearing="Clear the selection"
          busy={false}
          clear={unselect}
          {...linked}
        />
      )}
      <div class="slw-explorer-grid">
        <div class="slw-explorer-map">
          <HostedWidget host={host} reference={model.get("_views")[0]!.model} />
          {active.value && <Measures of={active.value} measures={measures(active.value)} />}
        </div>
        <Sides model={model} host={host} tab={props.tab.value} wide={wide} />
      </div>
    </div>
  );
}

interface MapTraits extends Selecting {
  highlight: DataView;
}

function start(
  context: HostedContext<ExplorerTraits>,
  { root, source, onCleanup }: Mounted,
): ExplorerProps {
  const { model, host } = context;
  const [active, stopActive] = traitSignal(model, "active");
  const broken = signal<Error | null>(null);
  const map = signal<Model<MapTraits> | null>(null);
  const parts = signal<Parts | null>(null);
  const roster = signal(NO_ROSTER);
  const [tab, stopTab] = traitSignal(model, "tab");
  let lit: DataView | null = null;
  const highlight = (scores: DataView | null) => {
    lit = scores;
    if (map.value) setTrait(map.value, "highlight", scores ?? new DataView(new ArrayBuffer(0)));
  };
  const tell = ({ text, layer, like }: Search) => {
    const now = searchOf(model);
    if (now.text === text && now.layer === layer && sameNeuron(now.like, like)) return;
    model.set("query", text);
    model.set("query_layer", layer || null);
    model.set("like", like);
    model.save_changes(); // one event in Python
  };
  let telling = false;
  const finder = createFinder(source, highlight, polesOf(model), (search) => {
    telling = true;
    tell(search);
    telling = false;
  });
  // Python may search too; what it changes comes trait by trait.
  const hear = () => {
    if (!telling) queueMicrotask(() => ended || finder.restore(searchOf(model)));
  };
  for (const name of ["query", "query_layer", "like"]) {
    model.on(`change:${name}`, hear);
    onCleanup(() => model.off(`change:${name}`, hear));
  }
  const links = linkViews(root);
  const trail = createTrail();
  const stopTrail = active.subscribe((neuron) => trail.visit(neuron));

  let ended = false;
  const views = model.get("_views");
  if (host) {
    Promise.all(views.map(({ model: reference }) => host.getModel(reference)))
      .then((children) => {
        if (ended) return;
        batch(() => {
          map.value = children[0] as Model<MapTraits>;
          parts.value = views.map((view, at) => ({ view, model: children[at]! }));
          roster.value = readRoster(children[0]!);
        });
        if (lit) highlight(lit);
        links.join([model, ...children]);
      })
      .catch((reason) => (broken.value = asError(reason)));
  }
  onCleanup(() => {
    ended = true;
    links.stop();
    roster.value.stop();
  });
  if (model.get("query") || model.get("like")) hear(); // what the saved view has searched
  for (const stop of [stopActive, stopTab, stopTrail, finder.stop]) onCleanup(stop);
  return { model, source, host, active, finder, trail, tab, roster, parts, broken, links };
}

const searchOf = (model: Model<ExplorerTraits>): Search => ({
  text: model.get("query") ?? "",
  layer: model.get("query_layer") ?? "",
  like: model.get("like") ?? null,
});

export const render = (context: HostedContext<ExplorerTraits>) =>
  mount(context, "slw-explorer", (mounted) => <Explorer {...start(context, mounted)} />);
