// Undo and redo by key, within a view that keeps steps.
import type { Cleanup } from "../source/model";

interface Steps {
  undo(): void;
  redo(): void;
}

/**
 * JupyterLab listens on the document and takes these keys for the notebook's: they must be heard
 * before it. In text fields they belong to the field, which `keepUndo` sees to.
 */
export function keepSteps(root: HTMLElement, { undo, redo }: Steps): Cleanup {
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
