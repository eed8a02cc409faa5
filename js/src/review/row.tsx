// One neuron in its row: examples, its label and whose it is, and other labels to choose.
import { useRef } from "preact/hooks";
import { PlainPicture } from "../neuron/plain-picture";
import { Icon, type IconName } from "../shared/icons";
import { TextField } from "../shared/text-field";
import type { Offer } from "../source/messages";
import { neuronName, numberName, usePoles } from "../source/neuron";
import { useResource, type Resource } from "../source/resources";
import type { Thumbnails } from "../source/thumbnails";
import type { Row } from "./labels";
import { offerKey, type Offers } from "./offers";

export interface Doing {
  accept(row: Row): void;
  reject(row: Row): void;
  choose(row: Row, label: string): void;
  /** Write another label in place; null: leave off. */
  edit(row: Row, text: string | null): void;
  keep(row: Row, text: string): void;
}

interface LineProps extends Doing {
  row: Row;
  /** Whether labels can be changed. */
  changes: boolean;
  /** The score, and how far ahead the label is, as written in the column. */
  score: string;
  ahead: string;
  aheadOf: string;
  selected: boolean;
  /** What is typed; null: nothing is edited. */
  editing: string | null;
  offers: Offers;
  thumbnails: Thumbnails;
}

const SIZES = [0, 1, 2];

/** What a row holds, in its cells. */
export function Line(props: LineProps) {
  const { row, score, ahead, aheadOf, selected, editing, offers, thumbnails } = props;
  const poles = usePoles();
  const offer = useResource(offers, offerKey(row));
  // While a new offer is on its way its pictures stay: they are the neuron's.
  const seen = useRef<Offer | null>(null);
  if (offer.state === "ready") seen.current = offer.value;
  const samples = seen.current?.samples;
  const name = neuronName(row, poles);
  return (
    <>
      <span role="gridcell" class="slw-review-check">
        <input
          type="checkbox"
          tabIndex={-1}
          checked={selected}
          aria-label={`Select ${name}`}
        />
      </span>
      <span role="gridcell" class="slw-review-name">
        <b class="slw-mono">{numberName(row, poles)}</b>
        <span class="slw-mono slw-small slw-muted slw-ellipsis" title={row.layer}><bdi>{row.layer}</bdi></span>
      </span>
      <span role="gridcell" class="slw-review-images">
        {samples?.length === 0 && <span class="slw-small slw-muted">no examples</span>}
        {offer.state !== "error" && SIZES.map((at) => samples === undefined
          ? <i key={at} class="slw-picture slw-skeleton" />
          : samples[at] !== undefined && (
            <PlainPicture key={at} pictures={thumbnails} sample={samples[at]} alt={`Example ${at + 1} of ${name}`} />
          ))}
      </span>
      <span role="gridcell" class="slw-review-label">
        {editing === null ? <Label {...props} /> : <Editor {...props} text={editing} />}
        <Choices {...props} offer={offer} />
      </span>
      <span role="gridcell" class="slw-number" title={scoreSaid(row)}>{score}</span>
      <span role="gridcell" class="slw-number" title={aheadOf}>{ahead}</span>
    </>
  );
}

const scoreSaid = ({ chance, score }: Row): string =>
  chance === null || score === null ? "How well the label fits"
    : `How well the label fits; one random word in twenty reaches ${chance.toFixed(3)}`;

function Label({ row, changes, accept, reject, edit }: LineProps) {
  const poles = usePoles();
  const act = (icon: IconName, does: string, run: () => void) => (
    <button
      type="button"
      tabIndex={-1}
      class="slw-button slw-button-small slw-button-plain"
      aria-label={does}
      title={does}
      onClick={run}
    >
      <Icon name={icon} />
    </button>
  );
  return (
    <span class="slw-review-line">
      <span class="slw-ellipsis slw-review-text" dir="auto" title={row.label} onDblClick={() => changes && edit(row, row.label)}>
        {wordsOf(row)}
      </span>
      <Whose row={row} />
      <span class="slw-spring" />
      {changes && <span class="slw-review-acts">
        {row.said && !(row.person && row.said === row.label) &&
          act("check", `Accept “${row.said}”, as the scorer says`, () => accept(row))}
        {!(row.person && row.label === "") && act("close", "Reject: no label fits", () => reject(row))}
        <button
          type="button"
          tabIndex={-1}
          class="slw-button slw-button-small"
          aria-label={`Edit the label of ${neuronName(row, poles)}`}
          onClick={() => edit(row, row.person || !row.unsure ? row.label : "")}
        >
          Edit
        </button>
      </span>}
    </span>
  );
}

function wordsOf({ label, person }: Row) {
  if (label !== "") return label;
  return <i class="slw-muted">{person ? "no label fits" : "not labelled"}</i>;
}

/** Where the label comes from, and what else is to be known of it. */
function Whose({ row }: { row: Row }) {
  const { person, source, said, label, unsure, dead, changed } = row;
  const other = person && said !== "" && said !== label ? `, instead of “${said}”` : "";
  return (
    <>
      {(person || source) && (
        <span class={person ? "slw-tag slw-review-person" : "slw-small slw-muted slw-ellipsis"}
          title={person ? `Given by a person${other}` : `By the scorer ${source}`}>
          {person ? "person" : source}
        </span>
      )}
      {changed && <span class="slw-review-dot" role="img" aria-label="changed here" title="Changed here" />}
      {unsure && label !== "" && label !== "unknown" && (
        <span class="slw-tag" title="It fits no better than chance">unsure</span>
      )}
      {dead && <span class="slw-tag" title="Fewer positive activations than examples">dead</span>}
    </>
  );
}

function Editor({ row, text, edit, keep }: LineProps & { text: string }) {
  const poles = usePoles();
  const focus = (element: HTMLElement | null) => {
    const input = element?.querySelector("input");
    if (input && !input.dataset.begun) {
      input.dataset.begun = "yes";
      input.focus({ preventScroll: true });
      input.select();
    }
  };
  return (
    <span class="slw-review-line" ref={focus}>
      <TextField
        label={`Label of ${neuronName(row, poles)}`}
        placeholder="label"
        value={text}
        onText={(typed) => edit(row, typed)}
        onKeyDown={(event) => {
          event.stopPropagation(); // what is typed is no command of the table
          if (event.key === "Enter" && text.trim() !== "") keep(row, text);
          if (event.key === "Escape") edit(row, null);
        }}
      />
      <button type="button" class="slw-button slw-button-small" disabled={text.trim() === ""} onClick={() => keep(row, text)}>
        Keep
      </button>
      <button type="button" class="slw-button slw-button-small" onClick={() => edit(row, null)}>
        Cancel
      </button>
    </span>
  );
}

/** Other labels, one click each; what does not fit in the line is left out of sight. */
function Choices({ row, changes, offer, choose }: LineProps & { offer: Resource<Offer> }) {
  if (offer.state === "error") {
    return <span class="slw-review-choices slw-small slw-error" title={offer.error.message}>{offer.error.message}</span>;
  }
  if (offer.state !== "ready") return <span class="slw-review-choices"><i class="slw-skeleton" /></span>;
  return (
    <span class="slw-review-choices">
      {offer.value.choices.map(({ label, score }, at) => {
        const said = (
          <>
            <bdi class="slw-ellipsis">{label}</bdi>
            {score !== null && <span class="slw-muted">{score.toFixed(2)}</span>}
          </>
        );
        return changes ? (
          <button
            key={label}
            type="button"
            tabIndex={-1}
            class="slw-button slw-button-small"
            title={`Label it “${label}” (key ${at + 1})`}
            onClick={() => choose(row, label)}
          >
            {said}
          </button>
        ) : <span key={label} class="slw-tag">{said}</span>;
      })}
    </span>
  );
}
