// Where neurons lie on the joint map: its frame, the nearest to a place, the next in a direction.
import type { Which } from "./rows";

export interface Places {
  x: Float32Array;
  y: Float32Array;
}

export interface Spot {
  side: Which;
  neuron: number;
}

/** Left, top, width, height in the map's units; y points down. */
export type Frame = readonly [number, number, number, number];

const MARGIN = 0.06;

/** What contains all that is laid out, with room around it. */
export function frameOf(all: readonly Places[]): Frame {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y } of all) {
    for (let at = 0; at < x.length; at++) {
      if (!placed({ x, y }, at)) continue;
      [left, right] = [Math.min(left, x[at]!), Math.max(right, x[at]!)];
      [top, bottom] = [Math.min(top, -y[at]!), Math.max(bottom, -y[at]!)];
    }
  }
  if (left > right) return [-1, -1, 2, 2];
  return [left - MARGIN, top - MARGIN, right - left + 2 * MARGIN, bottom - top + 2 * MARGIN];
}

export const placed = ({ x, y }: Places, at: number): boolean =>
  Number.isFinite(x[at]) && Number.isFinite(y[at]);

/** A path whose round or square ends are the points: one element for any number of neurons. */
export function dots({ x, y }: Places, neurons: Iterable<number>): string {
  let path = "";
  for (const at of neurons) {
    if (placed({ x, y }, at)) path += `M${+x[at]!.toFixed(4)} ${+(-y[at]!).toFixed(4)}h0`;
  }
  return path;
}

function best(
  places: ReadonlyMap<Which, Places>,
  distance: (x: number, y: number, spot: Spot) => number,
): Spot | null {
  let found: Spot | null = null;
  let least = Infinity;
  for (const [side, { x, y }] of places) {
    for (let neuron = 0; neuron < x.length; neuron++) {
      const far = distance(x[neuron]!, -y[neuron]!, { side, neuron });
      if (far < least) [found, least] = [{ side, neuron }, far];
    }
  }
  return found;
}

/** The neuron within `reach` of a place, in the map's units. */
export const spotAt = (
  places: ReadonlyMap<Which, Places>, x: number, y: number, reach: number,
): Spot | null =>
  best(places, (px, py) => {
    const far = Math.hypot(px - x, py - y);
    return far <= reach ? far : NaN;
  });

/** The nearest neuron of those that lie more in this direction than aside; from nowhere, any. */
export function spotBeyond(
  places: ReadonlyMap<Which, Places>, from: Spot | null, dx: number, dy: number,
): Spot | null {
  const here = from && places.get(from.side);
  if (!here || !placed(here, from.neuron)) return best(places, (x, y) => Math.hypot(x, y));
  const [x, y] = [here.x[from.neuron]!, -here.y[from.neuron]!];
  const found = best(places, (px, py) => {
    const along = (px - x) * dx + (py - y) * dy;
    const aside = Math.abs((px - x) * dy) + Math.abs((py - y) * dx);
    return along > 0 && aside <= along ? along + aside : NaN;
  });
  return found ?? from;
}
