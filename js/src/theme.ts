// Which theme the page shows, followed live, and CSS colours as numbers for canvases.
import { signal, type ReadonlySignal } from "@preact/signals";
import type { Cleanup } from "./model";

export type Rgb = readonly [number, number, number];

let probe: CanvasRenderingContext2D | null = null;

/** Any CSS colour as red, green, blue in 0..1. */
export function rgb(color: string): Rgb {
  probe ??= Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext(
    "2d",
    { willReadFrequently: true },
  );
  if (!probe) return [0.5, 0.5, 0.5];
  probe.clearRect(0, 0, 1, 1);
  probe.fillStyle = color;
  probe.fillRect(0, 0, 1, 1);
  const [r, g, b] = probe.getImageData(0, 0, 1, 1).data;
  return [(r ?? 0) / 255, (g ?? 0) / 255, (b ?? 0) / 255];
}

export const luminance = ([r, g, b]: Rgb): number => 0.2126 * r + 0.7152 * g + 0.0722 * b;

export interface Theme {
  dark: boolean;
  background: Rgb;
  text: Rgb;
  accent: Rgb;
}

function pageIsDark(element: HTMLElement): boolean {
  const jupyter = document.body.dataset.jpThemeLight;
  if (jupyter) return jupyter === "false";
  const styles = getComputedStyle(element);
  const layout = styles.getPropertyValue("--jp-layout-color0").trim();
  if (layout) return luminance(rgb(layout)) < 0.5;
  if (document.body.dataset.vscodeThemeKind) {
    return document.body.dataset.vscodeThemeKind.includes("dark");
  }
  for (let node: HTMLElement | null = element.parentElement; node; node = node.parentElement) {
    const { backgroundColor } = getComputedStyle(node);
    if (!/^(transparent|rgba\(.*, 0\))$/.test(backgroundColor)) {
      return luminance(rgb(backgroundColor)) < 0.5;
    }
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function readTheme(element: HTMLElement): Theme {
  const dark = pageIsDark(element);
  element.classList.toggle("slw-dark", dark);
  element.classList.toggle("slw-light", !dark);
  const { backgroundColor, color } = getComputedStyle(element);
  const accent = getComputedStyle(element).getPropertyValue("--slw-accent").trim();
  return {
    dark,
    background: rgb(backgroundColor),
    text: rgb(color),
    accent: rgb(accent && !accent.includes("(") ? accent : dark ? "#62b0ff" : "#0b6bcb"),
  };
}

/** Keep `slw-light` / `slw-dark` on the root element right, and tell who draws on canvases. */
export function followTheme(element: HTMLElement): [ReadonlySignal<Theme>, Cleanup] {
  const theme = signal(readTheme(element));
  let timer: ReturnType<typeof setTimeout> | undefined;
  const update = () => {
    const next = readTheme(element);
    if (JSON.stringify(next) !== JSON.stringify(theme.value)) theme.value = next;
  };
  const later = () => {
    update();
    // JupyterLab sets the attribute before the theme's style sheet has loaded.
    clearTimeout(timer);
    timer = setTimeout(update, 400);
  };
  const observer = new MutationObserver(later);
  const attributeFilter = ["class", "style", "data-jp-theme-light", "data-jp-theme-name",
    "data-vscode-theme-kind", "data-theme"];
  for (const node of [document.documentElement, document.body]) {
    observer.observe(node, { attributes: true, attributeFilter });
  }
  const media = matchMedia("(prefers-color-scheme: dark)");
  media.addEventListener("change", later);
  later();
  return [
    theme,
    () => {
      observer.disconnect();
      media.removeEventListener("change", later);
      clearTimeout(timer);
    },
  ];
}
