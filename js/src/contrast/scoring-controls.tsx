// How labels are scored: scorer, gamma, centring, prompts.
import type { ContrastProps } from "./contrast";
import { setTraitSoon } from "../source/model";
import { Choice, Segments, Slider, Toggle } from "../shared/controls";
import { METHODS } from "./scoring";

const TEMPLATES = [["csp", "six of CSP"], ["plain", "label alone"]] as const;

export function Settings({ model, method, gamma, centred, templates }: ContrastProps) {
  const about = METHODS.find(([name]) => name === method.value);
  return (
    <div class="slw-controls slw-scoring" role="toolbar" aria-label="How labels are scored" title={about?.[2]}>
      <Segments
        label="Scorer"
        options={METHODS.map(([name, text]) => [name, text] as const)}
        value={method.value}
        onChange={(name) => setTraitSoon(model, "method", name)}
      />
      <div class="slw-controls">
        <Slider
          label="γ"
          title="How much of the contrastive example is taken out of each example (CSP)"
          value={gamma.value}
          step={0.05}
          text={gamma.value.toFixed(2)}
          disabled={method.value !== "csp"}
          onInput={(value) => setTraitSoon(model, "gamma", value)}
        />
        <Toggle
          icon="centre"
          label="Centred"
          title="Subtract each text's mean similarity over all images"
          pressed={centred.value}
          onChange={(on) => setTraitSoon(model, "centred", on)}
        />
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
