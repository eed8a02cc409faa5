// What the audit found of the chosen neuron, the pictures behind it, and what a person decides.
import { useState } from "preact/hooks";
import type { ReadonlySignal } from "@preact/signals";
import { Failure, isUnavailable, Toggle } from "../shared/controls";
import { TextField } from "../shared/text-field";
import { Picture, PLAIN } from "../neuron/picture";
import { RelevanceSaid } from "../neuron/relevance-said";
import type { Detail } from "../source/detail";
import type { AuditRow, ClassImages, ExamplesOfNeuron } from "../source/messages";
import type { Neuron } from "../source/model";
import { baseName, column, neuronName, sameNeuron, short, usePoles } from "../source/neuron";
import type { Pictures } from "../source/pictures";
import { Refused } from "../source/source";
import { nameOf, SAID, type Failed, type History, type Verb } from "./history";
import { between, HELP, Mark, percent, type Verdict } from "./verdicts";

const VERBS: readonly (readonly [Verb, string, string, string])[] = [
  ["accept", "Accept", "A", "The verdict is right"],
  ["reject", "Reject", "R", "The verdict is wrong: the neuron does not count"],
  ["ignore", "Ignore", "I", "The neuron shall not count"],
  ["", "Take back", "U", "No decision"],
];
/** As many of a neuron's examples are shown; the gallery has all. */
const EXAMPLES = 12;

/** How probable so good a fit is among random words. */
function chanceOf(probability: number | null): string {
  if (probability === null) return "–";
  return probability < 0.001 ? "< 0.001" : probability.toFixed(3);
}

interface FindingProps {
  row: AuditRow;
  neuron: Neuron;
  history: History;
}

/** Verdict, fits and shares; and the buttons that decide. */
export function Finding({ row, neuron, history }: FindingProps) {
  const fits = [
    ["valid", row.valid, row.valid_concept, row.valid_phrase, row.valid_null],
    ["spurious", row.spurious, row.spurious_concept, row.spurious_phrase, row.spurious_null],
  ] as const;
  const write = column([row.valid, row.spurious]);
  return (
    <section class="slw-finding" aria-label="Verdict">
      <p class="slw-finding-verdict">
        <Mark verdict={row.verdict} />
        <b>{row.verdict}</b>
        <span class="slw-muted">{HELP[row.verdict as Verdict]}.</span>
      </p>
      <table class="slw-fits">
        <thead>
          <tr>
            <th scope="col">Side</th>
            <th scope="col">Best phrase</th>
            <th scope="col" class="slw-number">Fit</th>
            <th scope="col" class="slw-number" title="How probable so good a fit is among random words">
              By chance
            </th>
          </tr>
        </thead>
        <tbody>
          {fits.map(([side, fit, concept, phrase, chance]) => (
            <tr key={side}>
              <th scope="row">{side}</th>
              <td>
                <b dir="auto">{phrase || "–"}</b>
                {concept !== phrase && <span class="slw-muted" dir="auto"> of {concept}</span>}
              </td>
              <td class="slw-number">{write(fit)}</td>
              <td class="slw-number">{chanceOf(chance)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <ul class="slw-facts">
        <li title="Mean over the class's images of its share of the layer's positive relevance">
          <span class="slw-muted">share</span> <b>{percent(row.share)}</b>{" "}
          <span class="slw-muted">({between(row.low, row.high)})</span>
        </li>
        <li title="Its part in how far the spurious concept raises the class on other classes' images">
          <span class="slw-muted">reliance</span> <b>{short(row.reliance, 3)}</b>
        </li>
      </ul>
      <Deciding key={nameOf(neuron)} neuron={neuron} history={history} />
    </section>
  );
}

function Deciding({ neuron, history }: { neuron: Neuron; history: History }) {
  const kept = history.kept.value.get(nameOf(neuron));
  const before = kept?.note ?? "";
  const [draft, setDraft] = useState({ before, text: before });
  // What was typed gives way once another note is kept, also from elsewhere.
  const note = draft.before === before ? draft.text : before;
  const failed = history.failed.value;
  return (
    <div class="slw-deciding" role="group" aria-label="Decision">
      <div class="slw-controls">
        {VERBS.map(([verb, name, key, help]) => (
          <button
            key={name}
            type="button"
            class="slw-button"
            title={`${help} (key ${key})`}
            aria-keyshortcuts={key}
            aria-pressed={verb === "" ? undefined : kept?.decision === verb}
            disabled={verb === "" && !kept}
            onClick={() => history.decide(neuron, verb, verb === "" ? "" : note)}
          >
            {name}
          </button>
        ))}
        <TextField
          label="Note"
          placeholder={kept ? "Why? Enter keeps it" : "Why?"}
          value={note}
          onText={(text) => setDraft({ before, text })}
          onKeyDown={({ key }) => {
            if (key === "Enter" && kept) history.decide(neuron, kept.decision as Verb, note.trim());
          }}
        />
      </div>
      {kept && (
        <p class="slw-small slw-muted">
          {SAID[kept.decision]} on {kept.decided.slice(0, 10)}{kept.note && ": "}
          <bdi>{kept.note}</bdi>
        </p>
      )}
      {failed && sameNeuron(failed.of, neuron) && <NotKept failed={failed} />}
    </div>
  );
}

/** Why a decision is not kept. */
export function NotKept({ failed: { error, of, again } }: { failed: Failed }) {
  const poles = usePoles();
  const late = error instanceof Refused && error.type === "Timeout";
  return (
    <Failure error={error} retry={again}>
      {late && "If it is only busy, it keeps the decision when it is free. "}
      <span class="slw-mono">({neuronName(of, poles)})</span>
    </Failure>
  );
}

interface EvidenceProps {
  shown: ExamplesOfNeuron;
  neuron: Neuron;
  target: string;
  /** The audit's number: images of another are none of this one's. */
  audit: number;
  images: Detail<ClassImages>;
  pictures: Pictures;
  overlay: ReadonlySignal<boolean>;
  setOverlay: (on: boolean) => void;
}

/** The neuron on the class's images, and its examples. */
export function Evidence(props: EvidenceProps) {
  const { shown, neuron, target, audit, images, pictures, overlay, setOverlay } = props;
  const last = images.last.value;
  const here = last && last.audit === audit && sameNeuron(last, neuron) ? last.images : null;
  const resource = images.resource.value;
  const failure = pictures.thumbnails.failure.value;
  const heatFailure = pictures.heatmaps.failure.value;
  const write = column(shown.examples.map(({ activation }) => activation));
  const picture = (sample: number, alt: string) => (
    <Picture
      pictures={pictures}
      sample={sample}
      alt={alt}
      neuron={neuron}
      look={{ ...PLAIN, overlay: overlay.value }}
    />
  );
  return (
    <section class="slw-audit-evidence" aria-label="Pictures">
      <div class="slw-controls slw-controls-apart">
        <h3>On images of <bdi>{target}</bdi></h3>
        <Toggle
          icon="relevance"
          label="Relevance"
          title="Colour the pixels that made the neuron fire"
          pressed={overlay.value}
          onChange={setOverlay}
        />
      </div>
      {failure && <Failure error={failure} retry={() => pictures.thumbnails.retry()} />}
      {heatFailure && overlay.value && (
        <Failure error={heatFailure} retry={() => pictures.heatmaps.retry()}>
          {isUnavailable(heatFailure) && "Relevance that is stored is shown."}
        </Failure>
      )}
      {resource.state === "error" && <Failure error={resource.error} retry={images.reload} />}
      {here ? (
        here.length === 0 ? (
          <p class="slw-muted">It speaks for the class on none of its images.</p>
        ) : (
          <ol class="slw-audit-tiles" aria-label="Images of the class on which it carries most">
            {here.map(({ sample, share, uri }) => (
              <li key={sample} title={uri}>
                {picture(sample, `${target}, ${baseName(uri)}`)}
                <span class="slw-small slw-number">{percent(share)}</span>
              </li>
            ))}
          </ol>
        )
      ) : (
        resource.state !== "error" && <div class="slw-audit-waiting slw-skeleton" />
      )}
      {overlay.value && <RelevanceSaid pictures={pictures} neuron={neuron} />}
      <h3>What activates it most</h3>
      <ol class="slw-audit-tiles" aria-label="Images that activate the neuron most">
        {shown.examples.slice(0, EXAMPLES).map(({ sample, activation, class_name, uri }) => (
          <li key={sample} title={uri}>
            {picture(sample, class_name || baseName(uri))}
            <span class="slw-small slw-audit-caption">
              <span class="slw-ellipsis slw-muted" dir="auto">{class_name || baseName(uri)}</span>
              <span class="slw-number">{write(activation)}</span>
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}
