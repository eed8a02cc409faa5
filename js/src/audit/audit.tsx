// The audit: on which neurons a class rests, which of them it should not, and what people say.
import { computed, effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { useState } from "preact/hooks";
import { Failure, Late } from "../shared/controls";
import { hearMark, tellPointed } from "../shared/links";
import { mount, type Mounted } from "../shared/mount";
import { keepSteps } from "../shared/step-keys";
import { NeuronPanel, startPanel, type PanelTraits } from "../neuron/panel";
import { followAnswer, type Answer } from "../source/answer";
import { followNeuron, type Detail } from "../source/detail";
import type {
  AuditAsked, AuditRow, AuditRows, AuditSaid, ClassImages, Decisions, ExamplesOfNeuron,
} from "../source/messages";
import { setTrait, type Model, type Neuron, type RenderContext } from "../source/model";
import { polesOf, sameNeuron, useNumbers, type Named } from "../source/neuron";
import { createPictures, type Pictures } from "../source/pictures";
import type { Source } from "../source/source";
import { Evidence, Finding, NotKept } from "./finding";
import { Form } from "./form";
import { Heading } from "./heading";
import { createHistory, nameOf, verbOf, type History } from "./history";
import { Scatter } from "./scatter";
import type { Standing } from "./standing";
import { Table, type Sorting } from "./table";
import { Sums } from "./verdicts";
import "../neuron/panel.css";
import "./audit.css";

/** The traits of `widgets/audit.py`. */
export interface AuditTraits extends PanelTraits {
  layer: string | null;
  sort_by: Sorting;
  _audits: number;
  _selected: DataView;
  _decided: number;
}

interface AuditProps {
  model: Model<AuditTraits>;
  source: Source;
  active: ReadonlySignal<Neuron | null>;
  /** Which audit there is; 0: none. */
  audits: ReadonlySignal<number>;
  said: Answer<AuditSaid>;
  rows: Answer<AuditRows>;
  /** The rows of the active neuron's layer, where that is not the one shown. */
  others: Answer<AuditRows>;
  decisions: Answer<Decisions>;
  layer: ReadonlySignal<string | null>;
  sorting: ReadonlySignal<Sorting>;
  detail: Detail<ExamplesOfNeuron>;
  images: Detail<ClassImages>;
  pictures: Pictures;
  history: History;
  pointed: Signal<Neuron | null>;
  overlay: Signal<boolean>;
}

const EMPTY: AuditAsked = { target: "", valid: "", spurious: "" };

function AuditView(props: AuditProps) {
  const { source, audits, said } = props;
  const [asked, setAsked] = useState(EMPTY);
  const [asking, setAsking] = useState(false);
  const audit = said.last.value?.audit === audits.value ? said.last.value : null;
  const state = said.resource.value;
  if (audits.value === 0 && !source.can("make_audit")) {
    return <div class="slw-state">No audit travels with this page. Make one in the notebook.</div>;
  }
  if (asking || audits.value === 0) {
    return (
      <div class="slw-panel">
        <Late source={source} />
        <Form
          source={source}
          asked={asked}
          leave={audits.value === 0 ? undefined : () => setAsking(false)}
          done={(given) => {
            setAsked(given);
            setAsking(false);
          }}
        />
      </div>
    );
  }
  if (!audit) {
    return (
      <div class="slw-panel">
        <Late source={source} />
        {state.state === "error" ? <Failure error={state.error} retry={said.reload} /> : (
          <div class="slw-audit-awaited slw-skeleton" role="status" aria-label="Loading the audit" />
        )}
      </div>
    );
  }
  const again = () => {
    setAsked(askedOf(audit));
    setAsking(true);
  };
  return <Found {...props} audit={audit} again={source.can("make_audit") ? again : undefined} />;
}

/** What a person would have typed to get this audit. */
export const askedOf = ({ target, valid, spurious }: AuditSaid): AuditAsked => {
  const typed = (side: AuditSaid["valid"]) =>
    side.map(({ name, phrases }) => phrases.join() === name ? name : `${name}: ${phrases.join(", ")}`)
      .join("\n");
  return { target, valid: typed(valid), spurious: typed(spurious) };
};

interface FoundProps extends AuditProps {
  audit: AuditSaid;
  again: (() => void) | undefined;
}

function Found(props: FoundProps) {
  const { audit, again, model, source, rows, decisions, layer, sorting, active, history, pointed } = props;
  const name = layer.value ?? audit.at;
  const named = useNumbers(name);
  const of = audit.layers.find((one) => one.name === name) ?? audit.layers.at(-1)!;
  const found = rows.last.value;
  const shown = found?.audit === audit.audit && found.layer === of.name ? found.rows : null;
  const state = rows.resource.value;
  const lost = decisions.resource.value;
  const here = (neuron: number): Neuron => ({ layer: of.name, neuron });
  const inLayer = (neuron: Neuron | null) => neuron?.layer === of.name ? neuron.neuron : null;
  const standing: Standing = {
    pointed: inLayer(pointed.value),
    active: inLayer(active.value),
    decisionOf: (neuron) => history.kept.value.get(nameOf(here(neuron)))?.decision ?? "",
    point: (neuron) => {
      const now = neuron === null ? null : here(neuron);
      if (!sameNeuron(now, pointed.peek())) pointed.value = now;
    },
    choose: (neuron) => setTrait(model, "active", here(neuron)),
    decide: (event, neuron) => {
      const verb = verbOf(event);
      if (verb === undefined || neuron === undefined) return false;
      history.decide(here(neuron), verb);
      return true;
    },
  };
  const failed = history.failed.value;
  return (
    <div class="slw-panel slw-audit-panel">
      <div class="slw-audit-whole">
        <Heading
          audit={audit}
          history={history}
          layer={of.name}
          showLayer={(name) => setTrait(model, "layer", name)}
          rows={shown}
          decisionOf={standing.decisionOf}
          select={(bits) => setTrait(model, "_selected", bits)}
          again={again}
        />
        <Late source={source} />
        {lost.state === "error" && (
          <Failure error={lost.error} retry={decisions.reload}>What was decided is not shown.</Failure>
        )}
        {failed && !sameNeuron(failed.of, active.value) && <NotKept failed={failed} />}
        <Sums layer={of.name} verdicts={of.verdicts} />
        {state.state === "error" && <Failure error={state.error} retry={rows.reload} />}
        {shown ? (
          <>
            <Scatter {...standing} rows={shown} layer={of} />
            <Table
              {...standing}
              rows={shown}
              layer={of.name}
              sorting={sorting.value}
              sort={(by) => setTrait(model, "sort_by", by)}
            />
          </>
        ) : (
          state.state !== "error" && <div class="slw-audit-awaited slw-skeleton" />
        )}
        <About audit={audit} />
        <p class="slw-hidden" role="status">{history.spoken.value}</p>
        <p class="slw-hidden" aria-live="polite">{shown && spoken(shown, standing.pointed, named)}</p>
      </div>
      <div class="slw-audit-neuron">
        <Chosen {...props} shown={shown} layer={of.name} />
      </div>
    </div>
  );
}

function spoken(rows: AuditRow[], pointed: number | null, named: Named): string {
  const row = rows.find(({ neuron }) => neuron === pointed);
  if (!row) return "";
  return `neuron ${named(row.neuron)}, ${row.label || "not labelled"}, ${row.verdict}, ` +
    `${(row.share * 100).toFixed(1)} percent`;
}

/** What it was asked, and what it could not tell. */
function About({ audit }: { audit: AuditSaid }) {
  const { unchecked } = audit;
  return (
    <details class="slw-audit-about slw-small">
      <summary>
        Concepts, method{unchecked.length > 0 && `, and what was not checked (${unchecked.length})`}
      </summary>
      {(["valid", "spurious"] as const).map((side) => (
        <ul key={side} aria-label={`${side} concepts`}>
          {audit[side].map(({ name, phrases }) => (
            <li key={name}>
              <span class="slw-muted">{side}</span> <bdi>{name}</bdi>
              {phrases.join() !== name && <span class="slw-muted">: <bdi>{phrases.join(", ")}</bdi></span>}
            </li>
          ))}
        </ul>
      ))}
      <p>Relevance by {audit.method}.</p>
      {unchecked.length > 0 && (
        <ul aria-label="Not checked">{unchecked.map((one) => <li key={one}>{one}</li>)}</ul>
      )}
    </details>
  );
}

const WAITING = <div class="slw-audit-awaited slw-skeleton" />;

interface ChosenProps extends Omit<FoundProps, "layer"> {
  shown: AuditRow[] | null;
  layer: string;
}

/** The active neuron, in whichever layer it is. */
function Chosen(props: ChosenProps) {
  const { audit, source, active, detail, others, shown, layer, overlay } = props;
  const neuron = active.value;
  const other = others.last.value;
  const rows = neuron?.layer === layer ? shown
    : other && other.audit === audit.audit && other.layer === neuron?.layer ? other.rows : null;
  const row = rows?.find((one) => one.neuron === neuron?.neuron);
  const failed = neuron?.layer !== layer && others.resource.value;
  return (
    <NeuronPanel
      source={source}
      active={neuron}
      detail={detail}
      empty="Choose a neuron, in the plot or in the table, to see what it stands for."
      waiting={WAITING}
      style={{ "--slw-heat-opacity": 0.7 }}
    >
      {(examples, { here }) => here && neuron && (
        <>
          {failed && failed.state === "error" && (
            <Failure error={failed.error} retry={others.reload} />
          )}
          {row && <Finding row={row} neuron={neuron} history={props.history} />}
          <Evidence
            shown={examples}
            neuron={neuron}
            target={audit.target}
            audit={audit.audit}
            images={props.images}
            pictures={props.pictures}
            overlay={overlay}
            setOverlay={(on) => (overlay.value = on)}
          />
        </>
      )}
    </NeuronPanel>
  );
}

function start(model: Model<AuditTraits>, mounted: Mounted): AuditProps {
  const { source, root, onCleanup } = mounted;
  const audits = signal(model.get("_audits"));
  const panel = startPanel(model, mounted, "neuron");
  const { follow, active, visible, revision, detail } = panel;
  const [number, layer, sorting, decided] = [
    follow("_audits"), follow("layer"), follow("sort_by"), follow("_decided"),
  ] as const;
  const pictures = createPictures(source, panel.pictures);
  onCleanup(() => pictures.dispose());
  const asking = <M extends Parameters<typeof followAnswer>[0]["method"]>(
    method: M,
    params: Parameters<typeof followAnswer<M>>[0]["params"],
    version: ReadonlySignal<number>,
  ) => {
    const answer = followAnswer({ source, method, params, version, visible });
    onCleanup(answer.stop);
    return answer;
  };
  const never = signal(0);
  const whole = computed(() => audits.value > 0 ? { audit: audits.value } : null);
  const said = asking("audit", whole, never);
  const found = computed(() => said.last.value?.audit === audits.value ? said.last.value : null);
  const at = (name: (audit: AuditSaid) => string | undefined) => computed(() => {
    const wanted = found.value && name(found.value);
    return found.value && wanted ? { audit: found.value.audit, layer: wanted } : null;
  });
  const shownIn = (audit: AuditSaid) => layer.value ?? audit.at;
  const rows = asking("audit_rows", at(shownIn), revision);
  const otherIn = (audit: AuditSaid) => {
    const own = active.value?.layer;
    return own === shownIn(audit) ? undefined : own;
  };
  const others = asking("audit_rows", at(otherIn), revision);
  const decisions = asking("decisions", whole, decided);
  const images = followNeuron({
    source,
    active,
    method: "class_images",
    visible: computed(() => visible.value && audits.value > 0),
    revision: audits,
  });
  onCleanup(images.stop);

  const history = createHistory(source, audits, polesOf(model));
  // Steps of one audit are none of the next; that one's decisions come after.
  onCleanup(number.subscribe((now) => {
    if (now === audits.peek()) return;
    history.clear();
    audits.value = now;
  }));
  onCleanup(decisions.last.subscribe((last) => {
    if (last?.audit === audits.peek()) history.hear(last.decisions);
  }));
  onCleanup(keepSteps(root, history));

  // Whatever is chosen elsewhere is to be seen here.
  let before = active.peek();
  onCleanup(active.subscribe((now) => {
    if (now && !sameNeuron(now, before) && found.peek() && now.layer !== shownIn(found.peek()!)) {
      setTrait(model, "layer", now.layer);
    }
    before = now;
  }));
  const pointed = signal<Neuron | null>(null);
  let marking = false;
  onCleanup(effect(() => {
    const neuron = pointed.value;
    if (!marking) tellPointed(root, neuron);
  }));
  onCleanup(hearMark(root, (neuron) => {
    marking = true;
    pointed.value = neuron;
    marking = false;
  }));
  return {
    model, source, active, audits, said, rows, others, decisions, layer, sorting, detail, images,
    pictures, history, pointed, overlay: signal(true),
  };
}

export const render = (context: RenderContext<AuditTraits>) =>
  mount(context, "slw-audit", (mounted) => <AuditView {...start(context.model, mounted)} />);
