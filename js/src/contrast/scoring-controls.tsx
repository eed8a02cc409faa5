// How labels are scored: the scorer, the controls that it says it has, the prompts.
import type { ContrastProps } from "./contrast";
import { setTraitSoon } from "../source/model";
import { Choice, Segments, Slider, Toggle } from "../shared/controls";
import type { Control } from "./scoring";

const TEMPLATES = [["plain", "label alone"], ["csp", "six of CSP"]] as const;

export function Settings({ model, by, scorer, settings, templates }: ContrastProps) {
  const change = (name: string, value: boolean | number) =>
    setTraitSoon(model, "settings", { ...settings.value, [name]: value });
  const control = ({ name, label, title, low, high, step, default: initial }: Control) => {
    const value = settings.value[name] ?? initial;
    return typeof value === "boolean" ? (
      <Toggle
        key={name} icon="centre" label={label} title={title} pressed={value}
        onChange={(on) => change(name, on)}
      />
    ) : (
      <Slider
        key={name} label={label} title={title} value={value} low={low} high={high} step={step}
        text={value.toFixed(2)} onInput={(number) => change(name, number)}
      />
    );
  };
  return (
    <div class="slw-controls slw-scoring" role="toolbar" aria-label="How labels are scored" title={by.value.about}>
      <Segments
        label="Scorer"
        options={model.get("_scorers").map(({ name, title }) => [name, title] as const)}
        value={scorer.value}
        onChange={(name) => setTraitSoon(model, "scorer", name)}
      />
      <div class="slw-controls">
        {by.value.controls.map(control)}
        <Choice
          label="Prompts"
          title="The sentences around each label, whose embeddings are averaged"
          options={TEMPLATES}
          value={templates.value}
          onChange={(name) => setTraitSoon(model, "templates", name)}
        />
      </div>
    </div>
  );
}
