import { afterEach, describe, expect, test, vi } from "vitest";
import { followTheme, luminance, rgb } from "../../src/shared/theme";
import "../../src/shared/theme.css";
import { inBrowser, until } from "../fake-model";

const stops: (() => void)[] = [];
const { dataset, style } = document.body;

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
  for (const name of Object.keys(dataset)) delete dataset[name];
  document.documentElement.removeAttribute("theme");
  style.cssText = "";
  document.documentElement.style.cssText = "";
  vi.restoreAllMocks();
});

function follow(into: Node = document.body) {
  const element = document.createElement("div");
  element.className = "slw";
  into.appendChild(element);
  const [theme, stop] = followTheme(element);
  stops.push(stop, () => element.remove());
  return { element, theme };
}
const hex = (color: readonly number[]) =>
  `#${color.map((part) => Math.round(part * 255).toString(16).padStart(2, "0")).join("")}`;
/** WCAG's contrast of two colours. */
function contrast(a: string, b: string): number {
  const light = (color: string) => {
    const linear = rgb(color).map((part) =>
      part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return luminance(linear as unknown as [number, number, number]) + 0.05;
  };
  const [high, low] = [light(a), light(b)].sort((x, y) => y - x) as [number, number];
  return high / low;
}

/** What ipywidgets' style sheet has on a page that is not JupyterLab's. */
const LIGHT = { "--jp-layout-color0": "white", "--jp-layout-color1": "white",
  "--jp-ui-font-color0": "rgba(0,0,0,1)", "--jp-border-color2": "#e0e0e0" };
const PAGES = [
  ["JupyterLab's light", { jpThemeLight: "true", jpThemeName: "JupyterLab Light" },
    { "--jp-layout-color0": "white", "--jp-ui-font-color0": "#000" }, false, false],
  ["JupyterLab's dark", { jpThemeLight: "false", jpThemeName: "JupyterLab Dark" },
    { "--jp-layout-color0": "#111", "--jp-ui-font-color0": "#fff" }, true, false],
  ["JupyterLab's high contrast", { jpThemeLight: "false", jpThemeName: "JupyterLab Dark High Contrast" },
    { "--jp-layout-color0": "black", "--jp-ui-font-color0": "#fff" }, true, true],
  ["VS Code's light", { vscodeThemeKind: "vscode-light" },
    { "--vscode-editor-background": "#ffffff", "--vscode-editor-foreground": "#3b3b3b" }, false, false],
  ["VS Code's dark", { vscodeThemeKind: "vscode-dark" },
    { "--vscode-editor-background": "#1f1f1f", "--vscode-editor-foreground": "#cccccc" }, true, false],
  ["VS Code's high contrast", { vscodeThemeKind: "vscode-high-contrast" },
    { "--vscode-editor-background": "#000000", "--vscode-editor-foreground": "#ffffff" }, true, true],
  ["VS Code's light high contrast", { vscodeThemeKind: "vscode-high-contrast-light" },
    { "--vscode-editor-background": "#ffffff", "--vscode-editor-foreground": "#292929" }, false, true],
  ["VS Code's dark, where ipywidgets has brought JupyterLab's light", { vscodeThemeKind: "vscode-dark" },
    { ...LIGHT, "--vscode-editor-background": "#1f1f1f", "--vscode-editor-foreground": "#cccccc" },
    true, false],
  ["VS Code's high contrast, with only the text bridged", { vscodeThemeKind: "vscode-high-contrast" },
    { ...LIGHT, "--jp-ui-font-color0": "#ffffff", "--vscode-editor-background": "#000000",
      "--vscode-editor-foreground": "#ffffff" }, true, true],
  ["a page with a dark background", {}, { background: "rgb(20 20 20)" }, true, false],
  ["a page that is dark by its scheme", {}, { "color-scheme": "dark" }, true, false],
] as const;

describe.skipIf(!inBrowser)("themes", () => {
  test.each(PAGES)("%s", (_, data, variables, dark, high) => {
    Object.assign(dataset, data);
    for (const [name, value] of Object.entries(variables)) {
      const on = name === "color-scheme" ? document.documentElement.style : style;
      on.setProperty(name, value);
    }
    const { element, theme } = follow();
    expect([theme.value.dark, theme.value.contrast]).toEqual([dark, high]);
    expect(element.classList.contains(dark ? "slw-dark" : "slw-light")).toBe(true);
    expect(luminance(theme.value.background) < 0.5).toBe(dark);
    const own = Object.entries(variables).find(([name]) => /background$|color0/.test(name))?.[1];
    if (own?.startsWith("#")) expect(hex(theme.value.background)).toBe(hex(rgb(own)));
    // Text, also the quiet one, can be read.
    const { color } = getComputedStyle(element);
    const quiet = document.createElement("p");
    quiet.className = "slw-muted";
    element.append(quiet);
    const page = getComputedStyle(element).backgroundColor;
    expect(contrast(color, page)).toBeGreaterThan(high ? 14 : 9);
    expect(contrast(getComputedStyle(quiet).color, page)).toBeGreaterThan(high ? 14 : 4.5);
  });

  test("a theme that changes is followed", async () => {
    dataset.vscodeThemeKind = "vscode-light";
    style.setProperty("--vscode-editor-background", "#fff");
    const { theme } = follow();
    expect(theme.value.dark).toBe(false);
    style.setProperty("--vscode-editor-background", "#000");
    dataset.vscodeThemeKind = "vscode-high-contrast";
    await until(() => theme.value.dark && theme.value.contrast && theme.value.background[0] === 0);
  });

  test("Colab's theme is followed, whatever its widget manager makes of JupyterLab's variables", async () => {
    document.documentElement.setAttribute("theme", "light");
    for (const [name, value] of Object.entries(LIGHT)) style.setProperty(name, value);
    style.setProperty("--jp-layout-color2", "#383838"); // bridged to Colab's, dark here
    const { element, theme } = follow();
    expect(theme.value.dark).toBe(false);
    document.documentElement.setAttribute("theme", "dark");
    await until(() => theme.value.dark);
    const row = document.createElement("p");
    row.style.background = "var(--slw-bg-sunken)";
    element.append(row);
    const { color, backgroundColor } = getComputedStyle(element);
    expect(contrast(color, backgroundColor)).toBeGreaterThan(9);
    expect(contrast(color, getComputedStyle(row).backgroundColor)).toBeGreaterThan(9);
  });

  test("the accent is the theme's, however it is written", () => {
    style.setProperty("--jp-brand-color1", "color-mix(in srgb, red 50%, red)");
    expect(hex(follow().theme.value.accent)).toBe("#ff0000");
    style.removeProperty("--jp-brand-color1");
    style.setProperty("--vscode-focusBorder", "#f38518");
    expect(hex(follow().theme.value.accent)).toBe("#f38518");
  });

  test("in a shadow root the page around it counts, and a change of its host is followed", async () => {
    const host = document.createElement("div");
    host.style.background = "#101010";
    document.body.append(host);
    stops.push(() => host.remove());
    const shadow = host.attachShadow({ mode: "open" });
    const { theme } = follow(shadow);
    expect(theme.value.dark).toBe(true);
    host.style.background = "white";
    await until(() => !theme.value.dark);
  });

  test("the system's wish for contrast counts", () => {
    const { matchMedia } = window;
    vi.spyOn(window, "matchMedia").mockImplementation((query) => {
      const found = matchMedia.call(window, query);
      if (query === "(forced-colors: active)") Object.defineProperty(found, "matches", { value: true });
      return found;
    });
    const { element, theme } = follow();
    expect(theme.value.contrast).toBe(true);
    expect(element.classList.contains("slw-high-contrast")).toBe(true);
  });
});
