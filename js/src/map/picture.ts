// The map as a PNG: what is on the screen, drawn anew for print, under its title and over its legend.
import { css, withoutValue } from "../shared/colors";
import { isolated, number, shorten } from "../shared/format";
import type { Stage } from "./stage";
import type { MapState } from "./state";
import { filterText } from "./status";

const LINE = 22;
const EDGE = 12;
/** A picture is at least so many pixels wide, and at least so many for one of the page. */
const LEAST = 1600;
const SHARP = 2;

/** `family` is the font. */
export function picture(state: MapState, stage: Stage, family: string): HTMLCanvasElement {
  const { width, height } = state.size.value;
  const ratio = Math.max(SHARP, window.devicePixelRatio, LEAST / width);
  const layers = stage.draw(ratio);
  const canvas = document.createElement("canvas");
  const entries = keys(state);
  const { background, text } = state.theme.value;
  const context = canvas.getContext("2d")!;
  context.font = `12px ${family}`;
  const lines = arrange(entries.map((entry) => entry.width ?? 30 + context.measureText(entry.text).width), width);
  const title = wrapped(titleOf(state), width - 2 * EDGE, (part) => context.measureText(part).width);
  const above = EDGE + LINE * title.length;
  const below = EDGE + LINE * (Math.max(0, ...lines.map(([, line]) => line)) + 1);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round((above + height + below) * ratio);
  context.fillStyle = css(background);
  context.fillRect(0, 0, canvas.width, canvas.height);
  for (const layer of layers) context.drawImage(layer, 0, Math.round(above * ratio));
  context.scale(ratio, ratio);
  context.font = `12px ${family}`;
  context.textBaseline = "middle";
  context.fillStyle = css(text);
  title.forEach((part, line) => context.fillText(part, EDGE, EDGE + LINE * (line + 0.5)));
  entries.forEach(({ text: name, color, ramp }, i) => {
    const [x, line] = lines[i]!;
    const y = above + height + LINE * (line + 0.5);
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

/** What is shown, part by part. */
function titleOf(state: MapState): string[] {
  const [shown, count] = [state.shownCount.value, state.count.value];
  const many = `${count.toLocaleString("en")} neurons`;
  return [
    shown < count ? `${shown.toLocaleString("en")} of ${many}` : many,
    ...Object.keys(state.filter.value).map((name) => shorten(filterText(state, name), 60)),
  ];
}

/** Parts in lines no longer than the room. */
function wrapped(parts: readonly string[], room: number, widthOf: (text: string) => number): string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const longer = lines.length > 0 ? `${lines.at(-1)} · ${part}` : part;
    if (lines.length > 0 && widthOf(longer) <= room) lines[lines.length - 1] = longer;
    else lines.push(part);
  }
  return lines;
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
    const counts = state.colorCounts.value;
    const names = (legend.names ?? []).map((name, code) => ({ name, code }));
    if (legend.missing > 0) names.push({ name: withoutValue(legend), code: colors.length - 1 });
    return [title, ...names.map(({ name, code }) => ({
      text: `${isolated(shorten(name, 32))} ${counts[code]!.toLocaleString("en")}`,
      color: colors[code]!,
    })), ...unsure(state)];
  }
  const text = `${number(legend.min ?? 0)} – ${number(legend.max ?? 1)}`;
  return [title, { text, ramp: colors.slice(0, -1), width: 220 }, ...unsure(state)];
}

function unsure(state: MapState): Key[] {
  const count = state.unsureCount.value;
  const text = `faint: no better than random words ${count.toLocaleString("en")}`;
  return count > 0 ? [{ text }] : [];
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
