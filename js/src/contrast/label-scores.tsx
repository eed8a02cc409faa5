// The scores of labels for the neuron in the heading, and making one of them its label.
import { useEffect, useState } from "preact/hooks";
import { Bars } from "./bars";
import { AddCandidate } from "./candidates";
import type { ContrastProps } from "./contrast";
import { SeveralConcepts } from "./explained";
import { LabelAll } from "./label-all";
import { setTraitSoon } from "../source/model";
import { neuronName, usePoles, type Facts } from "../source/neuron";
import { Failure } from "../shared/controls";
import { asError } from "../source/resources";
import { Refused } from "../source/source";
import { Settings } from "./scoring-controls";

interface LabelsProps extends ContrastProps {
  facts: Facts;
  /** Whether the scores are those of the neuron in the heading. */
  settled: boolean;
  focused: string | null;
}

interface Refusal {
  error: Error;
  of: string;
  label: string;
  again: () => void;
}

const isLate = (error: Error): boolean => error instanceof Refused && error.type === "Timeout";

/** What is said of a list goes after this long, in milliseconds. */
const SAID = 8000;

export function Labels(props: LabelsProps) {
  const poles = usePoles();
  const { model, source, scoring, message, facts, settled, pointed, pinned, focused, by } = props;
  const [accepting, setAccepting] = useState<string | null>(null);
  const [refused, setRefused] = useState<Refusal | null>(null);
  const { layer, neuron } = facts;
  const accepted = props.accepted.value;
  useEffect(() => {
    // A kernel that was only busy has set it after all.
    const late = refused && accepted && refused.label === accepted.label;
    if (late && refused.of === neuronName(accepted, poles)) setRefused(null);
  }, [accepted, refused]);
  const said = message.value;
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => (message.value = ""), SAID);
    return () => clearTimeout(timer);
  }, [said]);

  const accept = async (label: string, score: number | null) => {
    setAccepting(label);
    setRefused(null);
    try {
      // That the label is another one, the kernel tells every view.
      await source.act("accept", { layer, neuron, label, score });
    } catch (error) {
      const of = neuronName({ layer, neuron }, poles);
      setRefused({ error: asError(error), of, label, again: () => void accept(label, score) });
    }
    setAccepting(null);
  };
  const remove = (candidate: string) => {
    const rest = scoring.listed.value.filter((other) => other !== candidate);
    message.value = "";
    setTraitSoon(model, "candidates", rest);
  };
  const { pending, error, listed } = scoring;
  // What was suggested for another neuron says nothing here, not even without numbers.
  const own = settled || props.candidates.value.length > 0;
  const bars = own ? scoring.bars.value : [];
  const shown = settled ? bars : bars.map(([name]): [string, null] => [name, null]);
  if (!source.can("scores")) {
    return <p class="slw-small slw-muted">Labels are scored in the notebook.</p>;
  }
  return (
    <section
      class="slw-labels"
      aria-label="Labels"
      onPointerDown={() => (props.hand.value += 1)}
      onKeyDown={() => (props.hand.value += 1)}
      onInput={() => (props.hand.value += 1)}
    >
      <Settings {...props} />
      {error.value && <Failure error={error.value} retry={scoring.retry} />}
      {refused && (
        <Failure error={refused.error} retry={refused.again}>
          {isLate(refused.error) && "If it is only busy, it sets the label when it is free. "}
          <span class="slw-mono">({refused.of}: <bdi>{refused.label}</bdi>)</span>
        </Failure>
      )}
      {shown.length > 0 ? (
        <Bars
          bars={shown}
          pending={pending.value}
          by={by.value}
          chance={settled ? scoring.chance.value : null}
          trust={settled ? props.trust.value : null}
          second={settled ? props.second.value : null}
          refused={settled ? props.refused.value : ""}
          current={facts.label}
          waiting={!settled}
          accepting={accepting}
          accept={source.can("accept") ? (label, score) => void accept(label, score) : undefined}
          listed={listed.value}
          remove={remove}
          focused={settled ? focused : null}
          point={(candidate) => (pointed.value = candidate)}
          pinned={pinned.value}
          pin={(candidate) => (pinned.value = candidate)}
        />
      ) : pending.value || !settled ? (
        !error.value && <div class="slw-bars-waiting slw-skeleton" />
      ) : (
        !error.value && <p class="slw-muted">No candidates yet. Add labels to compare.</p>
      )}
      <AddCandidate {...props} />
      {source.can("explain") && <SeveralConcepts {...props} />}
      {source.can("label_all") && (
        <LabelAll {...props} unlabelled={settled && facts.label === "" && !facts.rejected} />
      )}
      <p class="slw-small slw-message" role="status">{said}</p>
      <p class="slw-hidden" aria-live="polite">
        {settled && !pending.value && shown[0] && `Best label: ${shown[0][0]}`}
      </p>
    </section>
  );
}
