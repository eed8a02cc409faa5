// How the examples are shown: relevance, order, size.
import { COLORMAP_NAMES, rampGradient, type Colormap } from "./heatmap";
import type { GalleryTraits } from "./gallery";
import type { Grouping, Sorting } from "./arrange";
import { setTrait, setTraitSoon, type Model } from "./model";
import { Choice, Segments, Slider, Toggle } from "./parts";
import type { Look } from "./picture";

export type Size = "small" | "medium" | "large";

const SIZES = [["small", "S"], ["medium", "M"], ["large", "L"]] as const;
const SORTINGS = [["activation", "activation"], ["class", "class"], ["file", "file name"]] as const;
const GROUPINGS = [["", "nothing"], ["class", "class"], ["cluster", "meaning"]] as const;
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
      <div class="slw-controls" role="toolbar" aria-label="How the examples are shown">
        <Toggle
          icon="relevance"
          label="Relevance"
          title="Colour the pixels that made the neuron fire"
          pressed={overlay}
          onChange={(on) => setTrait(model, "overlay", on)}
        />
        <Toggle
          icon="outline"
          label="Outline"
          title="Draw a line around the relevant region"
          pressed={outline}
          onChange={(on) => setTrait(model, "outline", on)}
        />
        <Toggle
          icon="crop"
          label="Crop"
          title="Zoom each image into its relevant region"
          pressed={crop}
          onChange={(on) => setTrait(model, "crop", on)}
        />
        <span class="slw-spring" />
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
        <Segments label="Tile size" options={SIZES} value={size} onChange={onSize} />
      </div>
      {(wants || crop) && (
        <div class="slw-controls slw-controls-more" role="group" aria-label="Relevance">
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
              <i class="slw-legend" style={{ background: rampGradient(colormap) }} aria-hidden="true" />
              <Slider
                label="Opacity"
                value={opacity}
                step={0.05}
                text={percent(opacity)}
                onInput={(value) => setTraitSoon(model, "opacity", value)}
              />
            </>
          )}
          {wants && (
            <Slider
              label="Threshold"
              title="Leave out relevance below this share of its maximum; the outline follows it"
              value={threshold}
              step={0.05}
              text={percent(threshold)}
              onInput={(value) => setTraitSoon(model, "threshold", value)}
            />
          )}
        </div>
      )}
    </>
  );
}
