// How values become colours: a palette that colour-blind people can tell apart, and a ramp.
import type { Rgb } from "./theme";
import type { Legend } from "../source/messages";

/** What it is called to have no value. */
export const withoutValue = ({ name }: Legend): string => (name === "label" ? "no label" : "no value");

const hex = (color: string): Rgb => {
  const value = Number.parseInt(color.slice(1), 16);
  return [(value >> 16) / 255, ((value >> 8) & 255) / 255, (value & 255) / 255];
};

// After Okabe and Ito, the yellow deepened on white and the blue lightened on black.
const CATEGORIES = {
  light: ["#0072b2", "#e08a00", "#009e73", "#c0559a", "#3ba3e0", "#c94a00", "#8a7a00", "#6f5fbf"],
  dark: ["#4f9fe0", "#f0a830", "#2fc09a", "#dd8fbf", "#7fd0f7", "#f0743a", "#e8dc5a", "#a79bf0"],
} as const;
const MISSING = { light: "#c3c6cb", dark: "#555960" } as const;
const OTHER = { light: "#8a8f98", dark: "#8b9099" } as const;

const VIRIDIS = ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779",
  "#6ece58", "#b5de2b", "#fde725"].map(hex);
const STEPS = 64;

function viridis(at: number): Rgb {
  const position = Math.min(1, Math.max(0, at)) * (VIRIDIS.length - 1);
  const low = Math.min(VIRIDIS.length - 2, Math.floor(position));
  const [a, b] = [VIRIDIS[low]!, VIRIDIS[low + 1]!];
  const t = position - low;
  return [a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t, a[2] + (b[2] - a[2]) * t];
}

// The end that would sink into the background is left out.
const ramp = (steps: number, dark: boolean): Rgb[] =>
  Array.from({ length: steps }, (_, step) => {
    const at = steps < 2 ? 0.5 : step / (steps - 1);
    return viridis(dark ? 0.2 + 0.8 * at : 0.92 * at);
  });

/** The colours of a legend; the last one stands for a missing value. */
export function palette(legend: Legend, dark: boolean): Rgb[] {
  const theme = dark ? "dark" : "light";
  const missing = hex(MISSING[theme]);
  if (legend.kind === "number") return [...ramp(STEPS, dark), missing];
  const count = legend.names?.length ?? 0;
  const base = CATEGORIES[theme];
  // More categories than colours are taken as ordered, as layers are.
  if (count > base.length + 1) return [...ramp(count, dark), missing];
  const colors = Array.from({ length: count }, (_, code) => {
    const rest = legend.rest && code === count - 1;
    return hex(rest || code >= base.length ? OTHER[theme] : base[code]!);
  });
  return [...colors, missing];
}

/** The palette index of every value. */
export function encode(values: ArrayLike<number>, legend: Legend, rows: number): Uint16Array {
  const codes = new Uint16Array(rows); // several models have hundreds of layers
  const last = legend.kind === "number" ? STEPS : (legend.names?.length ?? 0);
  const { min = 0, max = 1 } = legend;
  const span = Math.max(0, max - min);
  for (let row = 0; row < rows; row++) {
    const value = values[row] ?? Number.NaN;
    if (!Number.isFinite(value)) codes[row] = last;
    else if (legend.kind === "category") codes[row] = Math.min(last, value);
    // Numbers that are all alike have the colour of the middle: either end would say something.
    else if (span === 0) codes[row] = STEPS / 2;
    else codes[row] = Math.max(0, Math.min(STEPS - 1, Math.floor(((value - min) / span) * STEPS)));
  }
  return codes;
}

export const css = ([r, g, b]: Rgb, alpha = 1): string =>
  `rgb(${Math.round(r * 255)} ${Math.round(g * 255)} ${Math.round(b * 255)} / ${alpha})`;

export const toHex = (color: Rgb): string =>
  `#${color.map((part) => Math.round(part * 255).toString(16).padStart(2, "0")).join("")}`;
