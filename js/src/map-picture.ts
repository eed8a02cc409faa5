// The map as a PNG: what is on the screen, with its legend below.
import { css } from "./colors";
import { number } from "./format";
import type { MapState } from "./map-state";

const LINE = 22;
const EDGE = 12;

/** `layers` are the map's canvases from below to above, all of one size. */
export function picture(state: MapState, layers: readonly HTMLCanvasElement[]): HTMLCanvasElement {
  const { width, height } = state.size.value;
  const ratio = layers[0]!.width / width;
  const canvas = document.createElement("canvas");
  const entries = keys(state);
  const { background, text } = state.theme.value;
  const family = getComputedStyle(layers[0]!).fontFamily || "sans-serif";
  const context = canvas.getContext("2d")!;
  context.font = `12px ${family}`;
  const lines = arrange(entries.map((entry) => entry.width ?? 30 + context.measureText(entry.text).width), width);
  const below = EDGE + LINE * (Math.max(0, ...lines.map(([, line]) => line)) + 1);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round((height + below) * ratio);
  context.fillStyle = css(background);
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const layer of layers) context.drawImage(layer, 0, 0);
  context.scale(ratio, ratio);
  context.font = `12px ${family}`;
  context.textBaseline = "middle";
  entries.forEach(({ text: name, color, ramp }, i) => {
    const [x, line] = lines[i]!;
    const y = height + LINE * (line + 0.5);
    if (ramp) {
      const gradient = context.createLinearGradient(x, 0, x + 120, 0);
      ramp.forEach((stop, k) => gradient.addColorStop(k / (ramp.length - 1), stop));
      context.fillStyle = gradient;
      context.fillRect(x, y - 4, 120, 8);
    } else if (color) {
      context.fillStyle = color;
      context.beginPath();
      context.arc(x + 5, y, 5, 0, 2 * Math.PI);
      context.fill();
    }
    context.fillStyle = css(text);
    context.fillText(name, ramp ? x + 128 : color ? x + 16 : x, y);
  });
  return canvas;
}

interface Key {
  text: string;
  color?: string;
  ramp?: string[];
  width?: number;
}

function keys(state: MapState): Key[] {
  const legend = state.legend.value;
  if (!legend) return [];
  const title: Key = { text: legend.title };
  const colors = state.palette.value.map((color) => css(color));
  if (legend.kind === "category") {
    return [title, ...(legend.names ?? []).map((text, code) => ({ text, color: colors[code]! }))];
  }
  const text = `${number(legend.min ?? 0)} – ${number(legend.max ?? 1)}`;
  return [title, { text, ramp: colors.slice(0, -1), width: 220 }];
}

/** Left edge and line of each entry, wrapped. */
function arrange(widths: readonly number[], room: number): [number, number][] {
  let [x, line] = [EDGE, 0];
  return widths.map((width) => {
    if (x > EDGE && x + width > room - EDGE) [x, line] = [EDGE, line + 1];
    const place: [number, number] = [x, line];
    x += width;
    return place;
  });
}

/** Give the browser a canvas to save. */
export async function save(canvas: HTMLCanvasElement, name: string): Promise<void> {
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, "image/png"));
  if (!blob) return;
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
