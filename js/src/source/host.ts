// Widgets inside a widget.
import type { Model, Neuron, RenderContext } from "./model";

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
