// What the tests of the panels share: a neuron's facts, pictures, and views that clean up.
import type { Facts } from "../../src/source/neuron";
import type { Cleanup, RenderContext } from "../../src/source/model";
import { FakeModel, inBrowser, type Request } from "../fake-model";

export const EVIL = "<img src=x onerror=alert(1)>";

export const facts = (change: Partial<Facts> = {}): Facts => ({
  layer: "layer4", neuron: 17, label: "striped", rejected: false, score: 0.31, clarity: 0.5, polysemanticity: 0.2,
  redundancy: 0.4, mean: 0.1, max: 3, firing_rate: 0.5, dead: false, ...change,
});

/** A small real JPEG, so that the browser loads it. */
export async function jpeg(): Promise<DataView> {
  if (!inBrowser) return new DataView(new ArrayBuffer(4));
  const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 4 });
  canvas.getContext("2d")!.fillRect(0, 0, 8, 4);
  const blob = await new Promise<Blob>((resolve) =>
    canvas.toBlob((made) => resolve(made!), "image/jpeg"));
  return new DataView(await blob.arrayBuffer());
}

/** Answer requests for thumbnails with one picture for all. */
export const thumbnails = (picture: DataView, { params }: Request) => {
  const samples = params.samples as number[];
  return { result: { errors: samples.map(() => null) }, buffers: samples.map(() => picture) };
};

const views: { el: HTMLElement; stop: Cleanup }[] = [];

export function show<T extends object>(
  render: (context: RenderContext<T>) => Cleanup,
  model: FakeModel<T>,
) {
  const el = document.createElement("div");
  el.style.width = "700px";
  document.body.append(el);
  const view = { el, stop: render({ model, el }) };
  views.push(view);
  const all = (selector: string) => [...el.querySelectorAll<HTMLElement>(selector)];
  const texts = (selector: string) => all(selector).map((one) => one.textContent?.trim());
  const find = (selector: string) => el.querySelector<HTMLElement>(selector);
  const button = (name: string) =>
    all("button").find((one) => (one.ariaLabel ?? one.textContent ?? "").trim().startsWith(name));
  const asked = (method: string) => model.sent.filter((request) => request.method === method);
  return { ...view, all, texts, find, button, asked };
}

export function endViews(): void {
  for (const { el, stop } of views.splice(0)) {
    stop();
    el.remove();
  }
}

export const enter = (input: HTMLElement, text: string): void => {
  (input as HTMLInputElement).value = text;
  input.dispatchEvent(new Event("input", { bubbles: true }));
};
