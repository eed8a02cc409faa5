// How labels are scored: the scorer, the controls that it says it has, the prompts.
import { useRef } from "preact/hooks";
import type { ContrastProps } from "./contrast";
import { setTraitSoon } from "../source/model";
import { Choice, Segments, Slider, Toggle } from "../shared/controls";
import type { Control } from "./scoring";

const TEMPLATES = [["plain", "label alone"], ["csp", "six of CSP"], ["clip", "seven of CLIP"]] as const;
const OWN = "own";

export function Settings({ model, by, second, scorer, settings, templates }: ContrastProps) {
  // Sentences that the kernel gave stay to choose while others are tried.
  const own = useRef<string[] | null>(null);
  const sentences = templates.value;
  if (typeof sentences !== "string") own.current = sentences;
  const scorers = model.get("_scorers");
  const beside = second.value?.by;
  const controls = [...by.value.controls, ...(beside?.controls ?? [])];
  // A setting that both have is one.
  const each = controls.filter(({ name }, at) =>
    controls.findIndex((other) => other.name === name) === at);
  const change = (name: string, value: boolean | number | string) =>
    setTraitSoon(model, "settings", { ...settings.value, [name]: value });
  const control = ({ name, label, title, low, high, step, options, default: initial }: Control) => {
    const value = settings.value[name] ?? initial;
    return typeof value === "boolean" ? (
      <Toggle
        key={name} icon="centre" label={label} title={title} pressed={value}
        onChange={(on) => change(name, on)}
      />
    ) : typeof value === "string" ? (
      <Choice
        key={name} label={label} title={title} value={value}
        options={options!.map((option) => [option, option])} onChange={(word) => change(name, word)}
      />
    ) : (
      <Slider
        key={name} label={label} title={title} value={value} low={low!} high={high!} step={step!}
        text={value.toFixed(step! < 1 ? 2 : 0)} onInput={(number) => change(name, number)}
      />
    );
  };
  return (
    <div class="slw-controls slw-scoring" role="toolbar" aria-label="How labels are scored" title={by.value.about}>
      <Segments
        label="Scorer"
        options={scorers.map(({ name, title }) => [name, title] as const)}
        value={scorer.value}
        onChange={(name) => setTraitSoon(model, "scorer", name)}
      />
      <div class="slw-controls">
        {each.map(control)}
        <Choice
          label="Prompts"
          title={own.current?.join("\n") ?? "The sentences around each label, whose embeddings are averaged"}
          options={own.current ? [...TEMPLATES, [OWN, `${own.current.length} of your own`]] : TEMPLATES}
          value={typeof sentences === "string" ? sentences : OWN}
          onChange={(name) => setTraitSoon(model, "templates", name === OWN ? own.current! : name)}
        />
        <Choice
          label="Beside"
          title="A second scorer, whose bars stand below those of the first"
          options={[["", "none"], ...scorers.filter(({ name }) => name !== scorer.value)
            .map(({ name, title }) => [name, title] as const)]}
          value={beside?.name ?? ""}
          onChange={(name) => setTraitSoon(model, "second", name)}
        />
      </div>
      {by.value.note && <p class="slw-small slw-muted slw-said">{by.value.note}</p>}
    </div>
  );
}
