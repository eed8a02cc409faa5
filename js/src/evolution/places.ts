// Where neurons lie between two steps, and which of them is where one points.

/** x and y of every neuron at every step, the first step's neurons first; NaN: at no place. */
export interface Places {
  x: Float32Array;
  y: Float32Array;
  /** Neurons at each step. */
  neurons: number;
}

/** The neurons of one moment; `seen` is how much of a neuron is to be seen, 0 to 1. */
export interface Moment {
  x: Float32Array;
  y: Float32Array;
  seen: Float32Array;
}

export interface Size {
  width: number;
  height: number;
}

/** From the layout to pixels: both axes alike, y up. */
export interface Frame {
  scale: number;
  left: number;
  top: number;
}

const MARGIN = 18;

const placed = (x: number, y: number): boolean => Number.isFinite(x) && Number.isFinite(y);

/** All neurons `position` steps after the first: between two, on the straight way. */
export function momentAt({ x, y, neurons }: Places, position: number): Moment {
  const moment = {
    x: new Float32Array(neurons), y: new Float32Array(neurons), seen: new Float32Array(neurons),
  };
  const before = Math.floor(position);
  const along = position - before;
  for (let at = 0; at < neurons; at++) {
    const from = before * neurons + at;
    const to = along > 0 ? from + neurons : from;
    const [here, there] = [placed(x[from]!, y[from]!), placed(x[to]!, y[to]!)];
    // Who has a place at one of the two steps alone fades where that is.
    const only = here ? from : to;
    moment.seen[at] = here && there ? 1 : here ? 1 - along : there ? along : 0;
    const both = here && there;
    moment.x[at] = both ? x[from]! + (x[to]! - x[from]!) * along : x[only]!;
    moment.y[at] = both ? y[from]! + (y[to]! - y[from]!) * along : y[only]!;
  }
  return moment;
}

/** What shows all steps, in the middle of this size. */
export function frameOf({ x, y }: Places, { width, height }: Size): Frame {
  let [left, right, low, high] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let at = 0; at < x.length; at++) {
    if (!placed(x[at]!, y[at]!)) continue;
    [left, right] = [Math.min(left, x[at]!), Math.max(right, x[at]!)];
    [low, high] = [Math.min(low, y[at]!), Math.max(high, y[at]!)];
  }
  if (left > right) [left, right, low, high] = [-1, 1, -1, 1];
  const room = (pixels: number, span: number) =>
    Math.max(1, pixels - 2 * MARGIN) / Math.max(span, 1e-6);
  const scale = Math.min(room(width, right - left), room(height, high - low));
  return {
    scale,
    left: width / 2 - (scale * (left + right)) / 2,
    top: height / 2 + (scale * (low + high)) / 2,
  };
}

export const toPixels = ({ scale, left, top }: Frame, x: number, y: number): [number, number] =>
  [left + scale * x, top - scale * y];

/** The neuron to be seen that has the least `distance`, which is NaN for those that do not count. */
function best(
  { x, y, seen }: Moment,
  frame: Frame,
  distance: (x: number, y: number, neuron: number) => number,
): number {
  let [found, least] = [-1, Infinity];
  for (let at = 0; at < x.length; at++) {
    if (seen[at]! < 0.5) continue;
    const far = distance(...toPixels(frame, x[at]!, y[at]!), at);
    if (far < least) [found, least] = [at, far];
  }
  return found;
}

/** The nearest neuron within `reach` pixels; -1: none. */
export const neuronAt = (
  moment: Moment, frame: Frame, px: number, py: number, reach: number,
): number =>
  best(moment, frame, (x, y) => {
    const far = Math.hypot(x - px, y - py);
    return far <= reach ? far : NaN;
  });

/** The nearest of those that lie more in this direction than aside; from nowhere, the middle one. */
export function neuronBeyond(
  moment: Moment, frame: Frame, { width, height }: Size, from: number, dx: number, dy: number,
): number {
  if (from < 0 || moment.seen[from]! < 0.5) {
    return best(moment, frame, (x, y) => Math.hypot(x - width / 2, y - height / 2));
  }
  const [px, py] = toPixels(frame, moment.x[from]!, moment.y[from]!);
  const found = best(moment, frame, (x, y, at) => {
    const along = (x - px) * dx + (y - py) * dy;
    const aside = Math.abs((x - px) * dy) + Math.abs((y - py) * dx);
    return at !== from && along > 0 && aside <= along ? along + aside : NaN;
  });
  return found < 0 ? from : found;
}
