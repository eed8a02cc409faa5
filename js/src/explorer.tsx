// The explorer: search, map, gallery and contrast panel in one, linked in the browser.
import { signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { linkActive, type Host, type HostedContext, type Selecting } from "./children";
import { createFinder, type Finder } from "./finder";
import { Hits } from "./hits";
import { Icon } from "./icons";
import { mount, type Mounted } from "./mount";
import { setTrait, traitSignal, type Model, type Neuron } from "./model";
import { neuronName } from "./neuron";
import { Failure } from "./parts";
import { asError } from "./resources";
import { createTrail, type Trail } from "./trail";
import "./panels.css";
import "./explorer.css";

/** The traits of `widgets/explorer.py`; the children are references to their models. */
export interface ExplorerTraits extends Selecting {
  _layers: string[];
  _map: string;
  _gallery: string;
  _contrast: string;
}

interface ExplorerProps {
  model: Model<ExplorerTraits>;
  host: Host | undefined;
  active: ReadonlySignal<Neuron | null>;
  finder: Finder;
  trail: Trail;
  /** Why the children could not be reached. */
  broken: Signal<Error | null>;
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

function SearchBox({ model, finder }: ExplorerProps) {
  const { text, layer, pending } = finder;
  const layers = model.get("_layers");
  return (
    <form
      class="slw-search"
      role="search"
      aria-busy={pending.value}
      onSubmit={(event) => {
        event.preventDefault();
        finder.submit();
      }}
    >
      <Icon name="search" />
      <input
        class="slw-input"
        type="text"
        placeholder="Search neurons by concept"
        aria-label="Search neurons by concept"
        value={text.value}
        onInput={(event) => (text.value = event.currentTarget.value)}
        onKeyDown={({ key }) => key === "Escape" && finder.clear()}
      />
      {layers.length > 1 && (
        <select
          class="slw-select"
          aria-label="Search in layer"
          value={layer.value}
          onChange={(event) => (layer.value = event.currentTarget.value)}
        >
          <option value="">All layers</option>
          {layers.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </form>
  );
}

function Toolbar(props: ExplorerProps) {
  const { model, active, finder, trail } = props;
  const { previous, next } = trail;
  const go = (neuron: Neuron | null) => neuron && setTrait(model, "active", neuron);
  const step = (name: "back" | "forward", neuron: Neuron | null) => {
    const label = neuron ? `Go ${name} to ${neuronName(neuron)}` : `Go ${name}`;
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
    <div class="slw-toolbar">
      <div class="slw-steps">
        {step("back", previous.value)}
        {step("forward", next.value)}
      </div>
      <SearchBox {...props} />
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
    </div>
  );
}

const TABS = [["gallery", "Examples"], ["contrast", "Labels and contrast"]] as const;
type Tab = (typeof TABS)[number][0];

function Sides({ model, host }: { model: Model<ExplorerTraits>; host: Host }) {
  const [open, setOpen] = useState<Tab>("gallery");
  const [id] = useState(() => `slw-${Math.random().toString(36).slice(2)}`);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = open === "gallery" ? "contrast" : "gallery";
    setOpen(other);
    document.getElementById(`${id}-${other}`)?.focus();
  };
  return (
    <div class="slw-sides">
      <div class="slw-tabs" role="tablist" onKeyDown={onKeyDown}>
        {TABS.map(([tab, text]) => (
          <button
            key={tab}
            id={`${id}-${tab}`}
            type="button"
            role="tab"
            aria-selected={tab === open}
            aria-controls={`${id}-${tab}-panel`}
            tabIndex={tab === open ? 0 : -1}
            onClick={() => setOpen(tab)}
          >
            {text}
          </button>
        ))}
      </div>
      <div class="slw-tab-frame">
        {TABS.map(([tab]) => (
          <div
            key={tab}
            id={`${id}-${tab}-panel`}
            role="tabpanel"
            aria-labelledby={`${id}-${tab}`}
            class="slw-tab-panel"
            hidden={tab !== open}
          >
            <HostedWidget host={host} reference={model.get(`_${tab}`)} />
          </div>
        ))}
      </div>
    </div>
  );
}

export function Explorer(props: ExplorerProps) {
  const { model, host, active, finder, broken } = props;
  if (!host) {
    return (
      <div class="slw-state">
        This notebook front end cannot show widgets inside a widget. Use lens.map(),
        lens.gallery(…) and lens.contrast(…) instead.
      </div>
    );
  }
  const { error, found, pending } = finder;
  return (
    <div class="slw-explorer-frame">
      <Toolbar {...props} />
      {broken.value && (
        <p class="slw-notice slw-notice-error" role="alert">
          The panels are not linked: {broken.value.message}
        </p>
      )}
      {error.value && <Failure error={error.value} retry={finder.submit} />}
      {found.value && (
        <Hits
          found={found.value}
          busy={pending.value}
          active={active.value}
          choose={(neuron) => setTrait(model, "active", neuron)}
          clear={finder.clear}
        />
      )}
      <div class="slw-explorer-grid">
        <div class="slw-explorer-map">
          <HostedWidget host={host} reference={model.get("_map")} />
        </div>
        <Sides model={model} host={host} />
      </div>
    </div>
  );
}

interface MapTraits extends Selecting {
  highlight: DataView;
}

function start(context: HostedContext<ExplorerTraits>, { rpc, onCleanup }: Mounted): ExplorerProps {
  const { model, host } = context;
  const [active, stopActive] = traitSignal(model, "active");
  const broken = signal<Error | null>(null);
  const map = signal<Model<MapTraits> | null>(null);
  const finder = createFinder(rpc, (scores) => {
    if (map.value) setTrait(map.value, "highlight", scores ?? new DataView(new ArrayBuffer(0)));
  });
  const trail = createTrail();
  const stopTrail = active.subscribe((neuron) => trail.visit(neuron));

  let ended = false;
  let unlink = () => {};
  const references = [model.get("_map"), model.get("_gallery"), model.get("_contrast")];
  if (host) {
    Promise.all(references.map((reference) => host.getModel(reference)))
      .then((children) => {
        if (ended) return;
        map.value = children[0] as Model<MapTraits>;
        unlink = linkActive([model as Model<any>, ...children]);
      })
      .catch((reason) => (broken.value = asError(reason)));
  }
  onCleanup(() => {
    ended = true;
    unlink();
  });
  for (const stop of [stopActive, stopTrail, finder.stop]) onCleanup(stop);
  return { model, host, active, finder, trail, broken };
}

export const render = (context: HostedContext<ExplorerTraits>) =>
  mount(context, "slw-explorer", (mounted) => <Explorer {...start(context, mounted)} />);
