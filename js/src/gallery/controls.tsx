// How the examples are shown: relevance, order, size.
import { COLORMAP_NAMES, rampGradient, type Colormap } from "../neuron/heatmap";
import type { GalleryTraits } from "./gallery";
import type { Grouping, Sorting } from "./arrange";
import { setTrait, setTraitSoon, type Model } from "../source/model";
import { Choice, Segments, Slider, Toggle } from "../shared/controls";
import type { Look } from "../neuron/picture";

export type Size = "small" | "medium" | "large";

const SIZES = [["small", "S"], ["medium", "M"], ["large", "L"]] as const;
const SORTINGS = [["activation", "activation"], ["class", "class"], ["file", "file name"]] as const;
const GROUPINGS = [["", "nothing"], ["class", "class"], ["cluster", "meaning"]] as const;
/** The ways to show relevance, each with its trait. */
const SWITCHES = [
  ["overlay", "relevance", "Relevance", "Colour the pixels that made the neuron fire"],
  ["outline", "outline", "Outline", "Draw a line around the relevant region"],
  ["crop", "crop", "Crop", "Zoom each image into its relevant region"],
] as const;
const MAPS = COLORMAP_NAMES.map((name) => [name, name] as const);
const percent = (value: number) => `${Math.round(value * 100)} %`;

interface ControlsProps {
  model: Model<GalleryTraits>;
  look: Look;
  opacity: number;
  sorting: Sorting;
  grouping: Grouping;
  size: Size;
  onSize: (size: Size) => void;
}

export function Controls({ model, look, opacity, sorting, grouping, size, onSize }: ControlsProps) {
  const { overlay, crop, outline, sideBySide, colormap, threshold } = look;
  const wants = overlay || outline;
  return (
    <>
      <div
        class="slw-controls slw-controls-apart"
        role="toolbar"
        aria-label="How the examples are shown"
      >
        <div class="slw-controls-row">
          {SWITCHES.map(([trait, icon, label, title]) => (
            <Toggle
              key={trait}
              icon={icon}
              label={label}
              title={title}
              pressed={look[trait]}
              onChange={(on) => setTrait(model, trait, on)}
            />
          ))}
          <Segments label="Tile size" options={SIZES} value={size} onChange={onSize} />
        </div>
        <div class="slw-controls-row">
          <Choice
            label="Sort"
            options={SORTINGS}
            value={sorting}
            onChange={(name) => setTrait(model, "sort_by", name)}
          />
          <Choice
            label="Group"
            title="Meaning: the two clusters that polysemanticity compares"
            options={GROUPINGS}
            value={grouping ?? ""}
            onChange={(name) => setTrait(model, "group_by", name || null)}
          />
        </div>
      </div>
      {(wants || crop) && (
        <div class="slw-controls slw-controls-more" role="group" aria-label="Relevance">
          <div class="slw-controls-row">
            <Toggle
              icon="beside"
              label="Beside"
              title="Show the plain image beside the relevance"
              pressed={sideBySide}
              onChange={(on) => setTrait(model, "side_by_side", on)}
            />
            {overlay && (
              <>
                <Choice<Colormap>
                  label="Colours"
                  options={MAPS}
                  value={colormap}
                  onChange={(name) => setTrait(model, "colormap", name)}
                />
                <i
                  class="slw-legend"
                  style={{ background: rampGradient(colormap) }}
                  aria-hidden="true"
                />
              </>
            )}
          </div>
          {(wants || crop) && (
            <div class="slw-controls-row">
              {overlay && (
                <Slider
                  label="Opacity"
                  value={opacity}
                  step={0.05}
                  text={percent(opacity)}
                  onInput={(value) => setTraitSoon(model, "opacity", value)}
                />
              )}
              <Slider
                label="Threshold"
                title="Leave out relevance below this share of its maximum; outline and crop follow it (from 50 %, if it is 0)"
                value={threshold}
                step={0.05}
                text={percent(threshold)}
                onInput={(value) => setTraitSoon(model, "threshold", value)}
              />
            </div>
          )}
        </div>
      )}
    </>
  );
}
