// Undo and redo of decisions by key, within the view.
import type { Cleanup } from "../source/model";
import type { History } from "./history";

/**
 * JupyterLab listens on the document and takes these keys for the notebook's: they must be heard
 * before it. In text fields they belong to the field, which `keepUndo` sees to.
 */
export function keepSteps(root: HTMLElement, { undo, redo }: History): Cleanup {
  const onKey = (event: KeyboardEvent) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    const key = event.key.toLowerCase();
    const target = event.composedPath()[0];
    if ((key !== "z" && key !== "y") || !(target instanceof Node) || !root.contains(target)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (key === "z" && !event.shiftKey) undo();
    else redo();
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}
