// Small parts that the views share: switches, sliders, failures.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";
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
  if (type === "NotRecorded") return "Not in this page";
  if (isUnavailable(error)) return "Not available in this analysis";
  return "That did not work";
}

interface FailureProps {
  error: Error;
  retry: () => void;
  children?: ComponentChildren;
}

/** Whether what was asked for is beyond this analysis or this page, rather than broken. */
export const isUnavailable = (error: Error): boolean =>
  error instanceof Refused && ["LensUnavailable", "NotRecorded"].includes(error.type);

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

/** Said when something has waited for the kernel for long. */
export function Late({ source }: { source: Source }) {
  const late = source.late.value;
  return (
    <p class={late ? "slw-notice" : "slw-hidden"} role="status">
      {late && "No answer from the kernel yet: it is busy, or it has stopped."}
    </p>
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
