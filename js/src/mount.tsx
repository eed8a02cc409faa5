// How every widget starts: one root with the theme, one Rpc, and one cleanup.
import { render, type ComponentChild } from "preact";
import type { ReadonlySignal } from "@preact/signals";
import { followKernel } from "./kernel";
import type { Cleanup, RenderContext } from "./model";
import { Rpc } from "./rpc";
import { keepUndo } from "./text-field";
import { followTheme, type Theme } from "./theme";
import "./theme.css";

export interface Mounted {
  root: HTMLElement;
  rpc: Rpc;
  theme: ReadonlySignal<Theme>;
  /** Register what must stop when the view goes. */
  onCleanup(cleanup: Cleanup): void;
}

/** JupyterLab would take arrows, Enter and letters on a control for shortcuts of the notebook. */
function keepKeys(event: KeyboardEvent): void {
  if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
}

/** Build the widget's content with `view`; anywidget calls the returned cleanup. */
export function mount<T extends object>(
  { model, el }: RenderContext<T>,
  className: string,
  view: (mounted: Mounted) => ComponentChild,
): Cleanup {
  const root = document.createElement("div");
  root.className = `slw ${className}`;
  el.classList.add("slw-host");
  root.addEventListener("keydown", keepKeys);
  el.append(root);
  const cleanups: Cleanup[] = [keepUndo(root)];
  const [gone, stopKernel, idle] = followKernel(model, root);
  const rpc = new Rpc(model, gone, undefined, idle);
  const [theme, stopTheme] = followTheme(root);
  cleanups.push(stopKernel, () => rpc.dispose(), stopTheme);
  render(view({ root, rpc, theme, onCleanup: (cleanup) => cleanups.push(cleanup) }), root);
  return () => {
    render(null, root);
    for (const cleanup of cleanups.reverse()) cleanup();
    root.remove();
  };
}
