// Small parts that the panels share: switches, sliders, failures, the neuron's heading.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";
import type { Neuron } from "../source/model";
import { neuronName, short, type Facts } from "../source/neuron";
import { Refused, type Source } from "../source/source";

interface ToggleProps {
  icon: IconName;
  label: string;
  pressed: boolean;
  title?: string;
  onChange: (pressed: boolean) => void;
}

export function Toggle({ icon, label, pressed, title, onChange }: ToggleProps) {
  return (
    <button
      type="button"
      class="slw-button"
      aria-pressed={pressed}
      title={title}
      onClick={() => onChange(!pressed)}
    >
      <Icon name={icon} />
      {label}
    </button>
  );
}

interface SliderProps {
  label: string;
  value: number;
  low?: number;
  high?: number;
  step: number;
  text: string;
  title?: string;
  disabled?: boolean;
  onInput: (value: number) => void;
}

/** A slider, from 0 to 1 if nothing else is said. */
export function Slider(props: SliderProps) {
  const { label, value, low = 0, high = 1, step, text, title, disabled, onInput } = props;
  return (
    <label class="slw-slider" title={title}>
      <span class="slw-muted">{label}</span>
      <input
        type="range"
        min={low}
        max={high}
        step={step}
        value={value}
        disabled={disabled}
        style={{ "--slw-fill": `${((value - low) / (high - low)) * 100}%` }}
        aria-valuetext={text}
        onInput={(event) => onInput(event.currentTarget.valueAsNumber)}
      />
      <output class="slw-number">{text}</output>
    </label>
  );
}

interface SegmentsProps<V extends string> {
  label: string;
  options: readonly (readonly [V, string])[];
  value: V;
  onChange: (value: V) => void;
}

/** One of a few, side by side; arrow keys move as in any radio group. */
export function Segments<V extends string>({ label, options, value, onChange }: SegmentsProps<V>) {
  const name = useRef(`slw-${Math.random().toString(36).slice(2)}`).current;
  return (
    <fieldset class="slw-segments" aria-label={label}>
      {options.map(([option, text]) => (
        <label key={option}>
          <input
            type="radio"
            name={name}
            class="slw-hidden"
            checked={option === value}
            onChange={() => onChange(option)}
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

function titleOf(error: Error): string {
  const type = error instanceof Refused ? error.type : "";
  if (type === "Timeout" || type === "KernelGone") return "No answer from the kernel";
  if (isUnavailable(error)) return "Not available in this analysis";
  return "That did not work";
}

interface FailureProps {
  error: Error;
  retry: () => void;
  children?: ComponentChildren;
}

/** Whether what was asked for is beyond this analysis, rather than broken. */
export const isUnavailable = (error: Error): boolean =>
  error instanceof Refused && error.type === "LensUnavailable";

/** What went wrong, in the kernel's words, and a way to ask again. */
export function Failure({ error, retry, children }: FailureProps) {
  const tone = isUnavailable(error) ? "" : " slw-notice-error";
  return (
    <div class={`slw-notice${tone}`} role="alert">
      <span class="slw-notice-text">
        <strong>{titleOf(error)}.</strong> {error.message} {children}
      </span>
      {!(error instanceof Refused && !error.retryable) && (
        <button type="button" class="slw-button" onClick={retry}>
          <Icon name="retry" />
          Retry
        </button>
      )}
    </div>
  );
}

function Fact({ name, value, help }: { name: string; value: string; help: string }) {
  return (
    <li title={help}>
      <span class="slw-muted">{name}</span> <b>{value}</b>
    </li>
  );
}

/** Which neuron a panel shows, what it is called, and its measures. */
export function NeuronHeading({ facts, busy }: { facts: Facts; busy: boolean }) {
  const known = facts.label !== "";
  return (
    <header class="slw-heading" aria-busy={busy}>
      <div class="slw-heading-name">
        <h2 class={known ? "slw-title" : "slw-title slw-muted"} title={facts.label} dir="auto">
          {known ? facts.label : "Not labelled yet"}
        </h2>
        {known && facts.score !== null && (
          <span class="slw-muted" title="How well the label fits, by the scorer that gave it">
            {short(facts.score, 3)}
          </span>
        )}
        <span class="slw-mono slw-muted">{neuronName(facts)}</span>
        {facts.dead && (
          <span class="slw-tag" title="Fewer positive activations than examples">
            dead
          </span>
        )}
      </div>
      <ul class="slw-facts">
        <Fact
          name="clarity"
          value={short(facts.clarity)}
          help="Mean pairwise cosine among the example images: 1 is one clear concept"
        />
        <Fact
          name="polysemanticity"
          value={short(facts.polysemanticity)}
          help="How far apart the examples' two groups lie: 0 is one meaning"
        />
        <Fact name="mean" value={short(facts.mean)} help="Mean activation over all images" />
        <Fact name="max" value={short(facts.max)} help="Highest activation over all images" />
      </ul>
    </header>
  );
}

interface ChoiceProps<V extends string> {
  label: string;
  options: readonly (readonly [V, string])[];
  value: V;
  title?: string;
  onChange: (value: V) => void;
}

/** One of several, folded. */
export function Choice<V extends string>({ label, options, value, title, onChange }: ChoiceProps<V>) {
  return (
    <label class="slw-choice" title={title}>
      <span class="slw-muted">{label}</span>
      <select
        class="slw-select"
        aria-label={label}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value as V)}
      >
        {options.map(([option, text]) => (
          <option key={option} value={option}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

interface AwaitedProps {
  neuron: Neuron;
  source: Source;
  children: ComponentChildren;
}

/** Said when something has waited for the kernel for long. */
export function Late({ source }: { source: Source }) {
  const late = source.late.value;
  return (
    <p class={late ? "slw-notice" : "slw-hidden"} role="status">
      {late && "No answer from the kernel yet: it is busy, or it has stopped."}
    </p>
  );
}

/** A neuron that is being asked for: its name at once, and after a while why it takes so long. */
export function Awaited({ neuron, source, children }: AwaitedProps) {
  const name = neuronName(neuron);
  return (
    <div class="slw-panel">
      <header class="slw-heading" aria-busy="true">
        <div class="slw-heading-name">
          <span class="slw-awaited-title slw-skeleton" aria-hidden="true" />
          <span class="slw-mono slw-muted">{name}</span>
        </div>
      </header>
      <p class="slw-hidden" role="status">Loading {name}</p>
      <Late source={source} />
      {children}
    </div>
  );
}

/** Whether the element is, or was, near the screen: what is far away asks for nothing. */
export function useSeen(): [{ current: HTMLDivElement | null }, boolean] {
  const element = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(typeof IntersectionObserver === "undefined");
  useEffect(() => {
    if (seen || !element.current) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true),
      { rootMargin: "150px" },
    );
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [seen]);
  return [element, seen];
}
