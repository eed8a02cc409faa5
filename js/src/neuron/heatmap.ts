// Relevance drawn in the browser: colours and overlay pixels.
import type { Heatmap } from "../source/heatmap";

type Stops = readonly (readonly [number, number, number])[];

/** With rising lightness: they read on any picture and without colour vision. */
const COLORMAPS = {
  ember: [[72, 16, 130], [126, 26, 140], [178, 42, 110], [231, 84, 62], [252, 156, 32], [253, 246, 165]],
  viridis: [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]],
  ice: [[20, 30, 90], [24, 84, 168], [40, 142, 214], [110, 198, 240], [220, 246, 255]],
  grey: [[20, 20, 20], [255, 255, 255]],
} as const satisfies Record<string, Stops>;

export type Colormap = keyof typeof COLORMAPS;
export const COLORMAP_NAMES = Object.keys(COLORMAPS) as Colormap[];

function buildTable(stops: Stops): Uint8ClampedArray {
  const table = new Uint8ClampedArray(256 * 4);
  for (let value = 0; value < 256; value++) {
    const place = (value / 255) * (stops.length - 1);
    const index = Math.min(Math.floor(place), stops.length - 2);
    const [from, to] = [stops[index]!, stops[index + 1]!];
    for (let channel = 0; channel < 3; channel++) {
      const [a, b] = [from[channel]!, to[channel]!];
      table[value * 4 + channel] = a + (b - a) * (place - index);
    }
    // The opacity follows the relevance, so that the picture stays visible where there is little.
    table[value * 4 + 3] = 255 * (value / 255) ** 0.85;
  }
  return table;
}

const tables = new Map<Colormap, Uint8ClampedArray>();

/**
 * One RGBA pixel per value: the colour by the ramp, the opacity by the relevance; nothing where
 * it is below the threshold, a fraction of the maximum.
 */
export function overlayPixels(
  values: Uint8Array,
  colormap: Colormap = "ember",
  threshold = 0,
): Uint8ClampedArray<ArrayBuffer> {
  let table = tables.get(colormap);
  if (!table) tables.set(colormap, (table = buildTable(COLORMAPS[colormap])));
  const pixels = new Uint8ClampedArray(values.length * 4);
  values.forEach((value, index) => {
    if (value >= threshold * 255) pixels.set(table.subarray(value * 4, value * 4 + 4), index * 4);
  });
  return pixels;
}

/** The ramp as a CSS gradient, for legends. */
export const rampGradient = (colormap: Colormap): string =>
  `linear-gradient(to right, ${COLORMAPS[colormap].map((c) => `rgb(${c.join(" ")})`).join(", ")})`;

export function drawHeatmap(
  canvas: HTMLCanvasElement,
  heatmap: Heatmap,
  colormap: Colormap = "ember",
  threshold = 0,
): void {
  canvas.width = heatmap.width;
  canvas.height = heatmap.height;
  const pixels = overlayPixels(heatmap.values, colormap, threshold);
  canvas.getContext("2d")?.putImageData(new ImageData(pixels, heatmap.width, heatmap.height), 0, 0);
}
