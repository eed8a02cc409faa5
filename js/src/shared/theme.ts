// Which theme the page shows, followed live, and CSS colours as numbers for canvases.
import { signal, type ReadonlySignal } from "@preact/signals";
import type { Cleanup } from "../source/model";

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
  /** Whether all that is to be seen should be seen clearly. */
  contrast: boolean;
  background: Rgb;
  text: Rgb;
  accent: Rgb;
}

/** Backgrounds that front ends name; they are the widget's own, too. */
const BACKGROUNDS = ["--jp-layout-color0", "--vscode-editor-background"];
const CONTRAST = ["(prefers-contrast: more)", "(forced-colors: active)"];

/** What an element lies in, also through the edge of a shadow root, as marimo has them. */
function around(element: Element): Element | null {
  const root = element.getRootNode();
  return element.parentElement ?? (root instanceof ShadowRoot ? root.host : null);
}

function pageIsDark(element: HTMLElement): boolean {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight) return jpThemeLight === "false";
  if (vscodeThemeKind) return ["vscode-dark", "vscode-high-contrast"].includes(vscodeThemeKind);
  const colab = document.documentElement.getAttribute("theme");
  if (colab) return colab === "dark";
  const styles = getComputedStyle(element);
  for (const name of BACKGROUNDS) {
    const color = styles.getPropertyValue(name).trim();
    if (color) return luminance(rgb(color)) < 0.5;
  }
  for (let node = around(element); node; node = around(node)) {
    const { backgroundColor } = getComputedStyle(node);
    if (!/^(transparent|.*[,/] 0\))$/.test(backgroundColor)) {
      return luminance(rgb(backgroundColor)) < 0.5;
    }
  }
  const scheme = getComputedStyle(document.documentElement).colorScheme;
  if (scheme === "dark" || scheme === "light") return scheme === "dark";
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

function wantsContrast(): boolean {
  const { jpThemeName = "", vscodeThemeKind = "" } = document.body.dataset;
  return /high.?contrast/i.test(`${jpThemeName} ${vscodeThemeKind}`) ||
    CONTRAST.some((query) => matchMedia(query).matches);
}

function readTheme(element: HTMLElement): Theme {
  const [dark, contrast] = [pageIsDark(element), wantsContrast()];
  element.classList.toggle("slw-dark", dark);
  element.classList.toggle("slw-light", !dark);
  element.classList.toggle("slw-high-contrast", contrast);
  const { backgroundColor, color, accentColor } = getComputedStyle(element);
  return {
    dark,
    contrast,
    background: rgb(backgroundColor),
    text: rgb(color),
    accent: rgb(accentColor === "auto" ? (dark ? "#62b0ff" : "#0b6bcb") : accentColor),
  };
}

/** Keep `slw-light`, `slw-dark`, `slw-high-contrast` on the root right, and tell who draws on canvases. */
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
    "data-vscode-theme-kind", "data-vscode-theme-id", "data-theme", "theme"];
  const watched = new Set<Element>([document.documentElement, document.body]);
  // What a shadow root hangs on may have a theme of its own.
  for (let root = element.getRootNode(); root instanceof ShadowRoot; root = root.host.getRootNode()) {
    watched.add(root.host);
  }
  for (const node of watched) observer.observe(node, { attributes: true, attributeFilter });
  const medias = [...CONTRAST, "(prefers-color-scheme: dark)"].map((query) => matchMedia(query));
  for (const media of medias) media.addEventListener("change", later);
  later();
  return [
    theme,
    () => {
      observer.disconnect();
      for (const media of medias) media.removeEventListener("change", later);
      clearTimeout(timer);
    },
  ];
}
