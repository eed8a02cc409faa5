// Whether the kernel still knows a widget, as far as the front end tells.
import { signal, type ReadonlySignal } from "@preact/signals";
import type { Cleanup, Model } from "./model";

type Slot = (sender: unknown, status?: unknown) => void;
interface Emitter {
  connect(slot: Slot): unknown;
  disconnect(slot: Slot): unknown;
}

/** What JupyterLab's kernel connection offers; other front ends offer none. */
interface Connection {
  statusChanged?: Emitter;
  disposed?: Emitter;
  status?: string;
}

/** Whatever comes after these is another kernel, which knows no widget of this one. */
const ENDED: readonly unknown[] = ["dead", "terminating", "restarting", "autorestarting"];

/** ipywidgets marks views so whose model has no comm: saved in the notebook, or cut off. */
const CUT_OFF = ".jupyter-widgets-disconnected";

/**
 * Whether a widget lies in a page made from a notebook, where no kernel will ever be: its manager
 * knows none, unlike those of the notebook's front ends.
 */
export const isExported = (model: Model<any>, el: HTMLElement): boolean => {
  const manager = model.widget_manager;
  const knows = typeof manager === "object" && manager !== null && "kernel" in manager;
  return !knows && el.closest(CUT_OFF) !== null;
};

export function followKernel(
  model: Model<any>,
  el: HTMLElement,
): [gone: ReadonlySignal<boolean>, stop: Cleanup, idle: () => boolean] {
  let ended = false;
  const look = () => ended || el.closest(CUT_OFF) !== null;
  const gone = signal(look());
  // The view that carries the mark may hear of it after us.
  const update = () => queueMicrotask(() => (gone.value = look()));
  model.on("comm_live_update", update);
  // A kernel that dies and starts again leaves the comms as if they lived.
  const kernel = (model.widget_manager as { kernel?: Connection } | undefined)?.kernel;
  const onStatus: Slot = (_, status) => {
    ended ||= ENDED.includes(status);
    gone.value ||= ended;
  };
  const onDisposed: Slot = () => (gone.value = ended = true);
  kernel?.statusChanged?.connect(onStatus);
  kernel?.disposed?.connect(onDisposed);
  return [
    gone,
    () => {
      model.off("comm_live_update", update);
      kernel?.statusChanged?.disconnect(onStatus);
      kernel?.disposed?.disconnect(onDisposed);
    },
    () => kernel?.status === "idle",
  ];
}
