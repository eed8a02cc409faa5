// Widgets inside a widget, and their selections kept the same in the browser.
import type { Cleanup, Model, Neuron, RenderContext } from "../source/model";
import { sameNeuron } from "../source/neuron";

/** What anywidget gives a view to reach other widgets by their references. */
export interface Host {
  getModel(reference: string): Promise<Model<any>>;
  getWidget(reference: string): Promise<Child>;
}

export interface Child {
  render(options: { el: HTMLElement; signal: AbortSignal }): Promise<void>;
}

export interface HostedContext<T extends object> extends RenderContext<T> {
  host?: Host;
}

export interface Selecting {
  active: Neuron | null;
}

/** What a front end's own model, which it hands to listeners, says while the kernel writes to it. */
interface Written {
  _state_lock?: object | null;
}

/**
 * Whichever model's neuron a person changes, the others follow: no kernel needed.
 * What Python sets, it sets on all of them itself; to send that back would undo what it has set
 * since. The first model holds the truth to start from, unless it has no neuron.
 */
export function linkActive(models: Model<Selecting>[]): Cleanup {
  const spread = (source: Model<Selecting>) => {
    const active = source.get("active");
    for (const model of models) {
      if (sameNeuron(model.get("active"), active)) continue;
      model.set("active", active);
      model.save_changes();
    }
  };
  const stops = models.map((model) => {
    const follow = (written?: Written) => {
      if (!written?._state_lock) spread(model);
    };
    model.on("change:active", follow);
    return () => model.off("change:active", follow);
  });
  const first = models.find((model) => model.get("active") !== null);
  if (first) spread(first);
  return () => stops.forEach((stop) => stop());
}
