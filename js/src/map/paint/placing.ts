// Where words stand on the map: on no other words, and beside the points where there is room.
import { pointSize, type Size } from "../camera";
import type { Region } from "../regions";
import type { GridIndex } from "../spatial";

/** Around (x, y), in pixels. */
export interface Box {
  x: number;
  y: number;
  halfX: number;
  halfY: number;
}

/** Where a name stands: so many pixels from a point of the map, whatever the zoom. */
interface Spot {
  x: number;
  y: number;
  dx: number;
  dy: number;
  half: number;
}

export interface PlacedRegion extends Spot {
  text: string;
  /** The name is shown from this zoom on. */
  zoom: number;
}

/** The points that names should not cover. */
export interface Ground {
  grid: GridIndex;
  /** How many points there are, which says how large they are. */
  count: number;
  shown: Uint8Array | null;
  /** The zoom that shows everything. */
  home: number;
}

const MAX_ZOOM = 80;
const ROOM_ACROSS = 14;
const ROOM_ALONG = 24;
/** Half the height of a text. */
const TEXT = 8;
/** How far a name may stand from the middle of its region: in half widths, and in pixels. */
const ACROSS = [0, -0.5, 0.5, -1.1, 1.1];
const ALONG = [0, -10, 10, -18, 18, -26, 26, -34, 34, -42, 42];

/**
 * From which zoom on each name can be shown without touching a more telling one, and where: close
 * by its region, where few points are. As points part while one zooms in, a free place stays free.
 * None of it depends on where one looks, so names neither jump nor flicker while the map is moved.
 */
export function placeRegions(
  found: readonly Region[],
  size: Size,
  widthOf: (text: string) => number,
  ground: Ground,
): PlacedRegion[] {
  const shorter = Math.min(size.width, size.height);
  const placed: PlacedRegion[] = [];
  for (const { text, x, y } of found) {
    const half = widthOf(text) / 2;
    const middle: Spot = { x, y, dx: 0, dy: 0, half };
    const first = apart(placed, middle, shorter);
    if (first > MAX_ZOOM) continue;
    const zoom = Math.max(first, ground.home);
    const unit = zoom * shorter / 2;
    const radius = pointSize(ground.count, { x, y, zoom }, size) / 2;
    let best = middle;
    let least = Infinity;
    for (const along of ALONG) {
      for (const across of ACROSS) {
        const far = 0.4 * Math.hypot(across / 2, along / 60);
        if (far >= least) continue;
        // What is nearest to the region holds on to the map, so that the name does not drift off.
        const dx = held(across * half, half + radius);
        const dy = held(along, TEXT + radius);
        const spot = { x: x + (across * half - dx) / unit, y: y - (along - dy) / unit, dx, dy, half };
        if (apart(placed, spot, shorter) > zoom || strays(spot, found, { x, y }, unit)) continue;
        const cost = far + cover(ground, spot, unit, radius);
        if (cost < least) [least, best] = [cost, spot];
      }
    }
    placed.push({ ...best, text, zoom: first });
  }
  return placed;
}

const held = (offset: number, most: number): number => Math.min(most, Math.max(-most, offset));

/** Whether a name stands nearer to another region than to its own, if these are apart. */
function strays(
  { x, y, dx, dy }: Spot,
  found: readonly Region[],
  own: { x: number; y: number },
  unit: number,
): boolean {
  const away = (to: { x: number; y: number }) => Math.hypot(x + dx / unit - to.x, y - dy / unit - to.y);
  const most = away(own);
  return found.some((other) =>
    away(other) < most && Math.hypot(other.x - own.x, other.y - own.y) > most / 2);
}

/** The zoom from which on a name is far enough from all others, one way or the other. */
function apart(placed: readonly PlacedRegion[], spot: Spot, shorter: number): number {
  const needed = (between: number, offset: number, room: number) => {
    const more = room - (between < 0 ? -offset : offset);
    return more <= 0 ? 0 : (2 * more) / (shorter * Math.max(Math.abs(between), 1e-9));
  };
  let zoom = 0;
  for (const other of placed) {
    const across = needed(other.x - spot.x, other.dx - spot.dx, other.half + spot.half + ROOM_ACROSS);
    const along = needed(spot.y - other.y, other.dy - spot.dy, ROOM_ALONG);
    const both = Math.min(across, along);
    if (both > Math.max(zoom, other.zoom)) zoom = both;
  }
  return zoom;
}

/** How much of a name would lie on points, from 0 to 1. */
function cover({ grid, shown }: Ground, spot: Spot, unit: number, radius: number): number {
  const { x, y, dx, dy, half } = spot;
  const full = Math.ceil((4 * half * TEXT) / (Math.PI * radius * radius));
  const [reachX, reachY] = [(half + radius) / unit, (TEXT + radius) / unit];
  return grid.count(x + dx / unit, y - dy / unit, reachX, reachY, full, shown) / full;
}

/** A point and the text that is to stand beside it. */
export interface Beside {
  text: string;
  x: number;
  y: number;
  /** From the point's middle to where text may begin. */
  reach: number;
  /** Half the width of the text. */
  half: number;
}

export interface Callout extends Box {
  text: string;
  /** Where a line to the point begins and ends, where the text stands farther off. */
  line: Line | null;
}

type Line = readonly [fromX: number, fromY: number, toX: number, toY: number];

const DIRECTIONS = [[0, -1], [1, 0], [-1, 0], [0, 1], [0.7, -0.7], [-0.7, -0.7], [0.7, 0.7],
  [-0.7, 0.7]] as const;
const GAPS = [2, 18, 36];

/** A place for each text, first come, first served; what finds none is left out. */
export function placeBeside(
  texts: readonly Beside[],
  points: readonly { x: number; y: number; reach: number }[],
  size: Size,
): Callout[] {
  const placed: Callout[] = [];
  for (const { text, x, y, reach, half } of texts) {
    let best: Callout | null = null;
    let least = Infinity;
    GAPS.forEach((gap, far) => DIRECTIONS.forEach(([dx, dy], turn) => {
      const away = reach + gap;
      const box = {
        x: x + dx * away + Math.sign(dx) * half,
        y: y + dy * away + Math.sign(dy) * TEXT,
        halfX: half,
        halfY: TEXT,
      };
      const line = [x + dx * reach, y + dy * reach, x + dx * away, y + dy * away] as const;
      const taken = placed.some((other) =>
        touch(box, other) || crosses(line, other) || (other.line && crosses(other.line, box)));
      if (taken || !inside(box, size)) return;
      const covered = points.filter((point) => lies(point, box)).length;
      const cost = 4 * covered + 3 * far + 0.3 * turn;
      if (cost >= least) return;
      least = cost;
      best = { ...box, text, line: far ? line : null };
    }));
    if (best) placed.push(best);
  }
  return placed;
}

const SPACE = 3;
export const touch = (a: Box, b: Box): boolean =>
  Math.abs(a.x - b.x) < a.halfX + b.halfX + SPACE && Math.abs(a.y - b.y) < a.halfY + b.halfY;

const STEPS = [0, 0.25, 0.5, 0.75, 1];
/** Whether a line, which is short, passes through a box. */
const crosses = ([fromX, fromY, toX, toY]: Line, box: Box): boolean =>
  STEPS.some((at) => lies({
    x: fromX + at * (toX - fromX), y: fromY + at * (toY - fromY), reach: 1,
  }, box));

const inside = ({ x, y, halfX, halfY }: Box, { width, height }: Size): boolean =>
  x - halfX >= SPACE && x + halfX <= width - SPACE && y - halfY >= 0 && y + halfY <= height;

/** Whether a disc reaches into a box. */
function lies({ x, y, reach }: { x: number; y: number; reach: number }, box: Box): boolean {
  const dx = Math.max(0, Math.abs(x - box.x) - box.halfX);
  const dy = Math.max(0, Math.abs(y - box.y) - box.halfY);
  return dx * dx + dy * dy < reach * reach;
}
