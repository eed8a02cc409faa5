// How every widget starts: one root with the theme, one source, and one cleanup.
import { render, type ComponentChild } from "preact";
import { effect, signal, type ReadonlySignal } from "@preact/signals";
import { followKernel, isExported } from "../source/kernel";
import type { Cleanup, Model, RenderContext } from "../source/model";
import { KernelSource } from "../source/kernel-source";
import { PolesProvider, polesOf } from "../source/neuron";
import type { Source } from "../source/source";
import { keepUndo } from "./text-field";
import { followTheme, type Theme } from "./theme";
import "./theme.css";

export interface Mounted {
  root: HTMLElement;
  source: Source;
  theme: ReadonlySignal<Theme>;
  /** Register what must stop when the view goes. */
  onCleanup(cleanup: Cleanup): void;
}

/** What has this attribute is left alone by the shortcuts of Lumino, which JupyterLab is built on. */
const NO_SHORTCUTS = "data-lm-suppress-shortcuts";

/**
 * Notebooks would take arrows, Enter and letters on a control for shortcuts of theirs: JupyterLab
 * after the control has heard them, Notebook 7 before, and then the control hears nothing. With Ctrl
 * they stay the notebook's.
 */
function keepKeys(root: HTMLElement): Cleanup {
  const plain = (event: KeyboardEvent) => !event.ctrlKey && !event.metaKey;
  const mark = (event: KeyboardEvent) => {
    const [target] = event.composedPath();
    if (target instanceof Element && root.contains(target)) {
      target.toggleAttribute(NO_SHORTCUTS, plain(event));
    }
  };
  const stop = (event: KeyboardEvent) => plain(event) && event.stopPropagation();
  window.addEventListener("keydown", mark, true);
  root.addEventListener("keydown", stop);
  return () => {
    window.removeEventListener("keydown", mark, true);
    root.removeEventListener("keydown", stop);
  };
}

/**
 * Hide the still picture that Python shows beside a widget (widgets/_base.py), but where there was no
 * kernel from the start and the widget needs one: there it stands for the widget, or beside it where
 * a cell can be run again.
 */
function standIn(
  root: HTMLElement,
  still: unknown,
  gone: ReadonlySignal<boolean>,
  exported: boolean,
): Cleanup {
  if (typeof still !== "string" || !/^[\w-]+$/.test(still)) return () => {};
  const picture = `.slw-still-${still}`;
  const style = document.createElement("style");
  style.textContent = `${picture}, .jp-OutputArea-child:has(${picture}):not(:has(.slw)) { display: none }`;
  root.before(style);
  const stop = effect(() => {
    style.media = gone.value ? "not all" : "all";
    root.hidden = gone.value && exported && document.querySelector(picture) !== null;
  });
  return () => {
    stop();
    style.remove();
  };
}

/**
 * Build the widget's content with `view`; anywidget calls the returned cleanup. `alone` says whether
 * it works without a kernel.
 */
export function mount<T extends object>(
  { model, el, source: given }: RenderContext<T>,
  className: string,
  view: (mounted: Mounted) => ComponentChild,
  alone = false,
): Cleanup {
  const root = document.createElement("div");
  root.className = `slw ${className}`;
  el.classList.add("slw-host");
  el.append(root);
  const cleanups: Cleanup[] = [keepKeys(root), keepUndo(root)];
  const [gone, stopKernel, idle] = followKernel(model, root);
  const exported = isExported(model, root);
  const source = given ?? new KernelSource(model, gone, undefined, idle, exported);
  const left = signal(gone.peek() && !alone);
  const stopLeft = effect(() => {
    if (!gone.value) left.value = false;
  });
  const stopStill = standIn(root, (model as Model<any>).get("_still"), left, exported);
  const [theme, stopTheme] = followTheme(root);
  cleanups.push(stopKernel, stopLeft, stopStill, () => source.dispose(), stopTheme);
  const content = view({ root, source, theme, onCleanup: (cleanup) => cleanups.push(cleanup) });
  render(<PolesProvider value={polesOf(model)}>{content}</PolesProvider>, root);
  return () => {
    render(null, root);
    for (const cleanup of cleanups.reverse()) cleanup();
    root.remove();
  };
}
