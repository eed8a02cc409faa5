// The words on the map: the names of regions, or the ranks and labels of the best hits.
import { project } from "../camera";
import { css } from "../../shared/colors";
import { isolated, shorten } from "../../shared/format";
import { regions } from "../regions";
import type { MapState } from "../state";
import { once } from "../once";
import { placeBeside, placeRegions, touch, type Box, type Ground, type PlacedRegion } from "./placing";

const NUMBERED = 5;
/** This many of the best hits are kept free of words. */
const KEPT_FREE = 100;
/** More neurons than this get their names a little later, in milliseconds. */
const MANY = 20_000;
const LATER = 250;
/** A name takes this long to come, in milliseconds. */
const FADE = 160;
/** More letters than this would cover their neighbours. */
const LONGEST = 32;

const brief = (text: string): string => isolated(shorten(text, LONGEST));

export class Names {
  private readonly regions = once(regions);
  private regionsOf: readonly unknown[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly places = once(placeRegions);
  private readonly ground = once(
    (grid: Ground["grid"], count: number, shown: Ground["shown"], home: number): Ground =>
      ({ grid, count, shown, home }),
  );
  /** Since when each name has been shown. */
  private readonly since = new WeakMap<PlacedRegion, number>();
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  private widthOf: (text: string) => number = () => 0;
  private font = "";

  constructor(
    private readonly state: MapState,
    /** Asks for another paint. */
    private readonly again: () => void,
  ) {}

  dispose(): void {
    clearTimeout(this.timer);
  }

  /** `radius` gives a row's ring in pixels. */
  paint(context: CanvasRenderingContext2D, family: string, radius: (row: number) => number): void {
    const { state } = this;
    context.textAlign = "center";
    context.textBaseline = "middle";
    if (state.ranked.value.length > 0) {
      context.font = `600 11px ${family}`;
      this.hits(context, radius);
    } else if (state.regionLabels.value && state.selection.value.length === 0) {
      context.font = `500 12px ${family}`;
      this.areas(context);
    }
  }

  private areas(context: CanvasRenderingContext2D): void {
    const placed = this.placed(context);
    const { camera, size } = this.state;
    const { width, height } = size.value;
    const now = performance.now();
    const taken: Box[] = [];
    let coming = false;
    for (const region of placed) {
      const [atX, atY] = project(camera.value, size.value, region.x, region.y);
      const [px, py] = [atX + region.dx, atY + region.dy];
      const x = Math.min(width - region.half - 6, Math.max(region.half + 6, px));
      const box = { x, y: Math.min(height - 12, Math.max(12, py)), halfX: region.half, halfY: 8 };
      const outside = px < 0 || px > width || py < 0 || py > height;
      // At the edge names are moved into view, and may meet there.
      if (region.zoom > camera.value.zoom || outside || taken.some((other) => touch(box, other))) {
        this.since.delete(region);
        continue;
      }
      taken.push(box);
      const since = this.since.get(region) ?? now;
      this.since.set(region, since);
      const alpha = this.still ? 1 : Math.min(1, (now - since) / FADE);
      coming ||= alpha < 1;
      this.text(context, brief(region.text), box, alpha);
    }
    if (coming) this.again();
  }

  private placed(context: CanvasRenderingContext2D): PlacedRegion[] {
    const { state } = this;
    const labels = state.sureLabels.value;
    if (!labels) return [];
    if (this.font !== context.font) {
      this.font = context.font;
      this.widthOf = (text) => {
        context.font = this.font;
        return context.measureText(brief(text)).width;
      };
    }
    const [x, y, shown] = [state.x.value, state.y.value, state.shown.value];
    if (x.length > MANY && [x, y, labels, shown].some((part, i) => part !== this.regionsOf[i])) {
      // The points first, their names a moment later.
      this.regionsOf = [x, y, labels, shown];
      clearTimeout(this.timer);
      this.timer = setTimeout(() => {
        this.timer = undefined;
        this.regions(x, y, labels, shown);
        this.again();
      }, LATER);
    }
    if (this.timer !== undefined) return [];
    const ground = this.ground(state.grid.value, x.length, shown, state.home.value.zoom);
    return this.places(this.regions(x, y, labels, shown), state.size.value, this.widthOf, ground);
  }

  private hits(context: CanvasRenderingContext2D, radius: (row: number) => number): void {
    const { state } = this;
    const { camera, size, x, y, activeRow } = state;
    const near = [...state.ranked.value.slice(0, KEPT_FREE)].filter((row) => state.isShown(row));
    const point = (row: number) => {
      const [px, py] = project(camera.value, size.value, x.value[row]!, y.value[row]!);
      return { x: px, y: py, reach: radius(row) + (row === activeRow.value ? 7 : 1) };
    };
    const named = near.filter((row) => state.rankOf(row) <= NUMBERED && !state.isChance(row));
    const texts = named.map((row) => {
      const label = state.isUnsure(row) ? "" : brief(state.labelOf(row));
      const text = `${state.rankOf(row)} ${label}`.trim();
      return { ...point(row), text, half: context.measureText(text).width / 2 };
    });
    const points = (activeRow.value < 0 ? near : [...near, activeRow.value]).map(point);
    const { text } = state.theme.value;
    for (const callout of placeBeside(texts, points, size.value)) {
      if (callout.line) {
        const [fromX, fromY, toX, toY] = callout.line;
        context.beginPath();
        context.moveTo(fromX, fromY);
        context.lineTo(toX, toY);
        context.lineWidth = 1;
        context.strokeStyle = css(text, 0.6);
        context.stroke();
      }
      this.text(context, callout.text, callout, 1);
    }
  }

  private text(context: CanvasRenderingContext2D, text: string, { x, y }: Box, alpha: number): void {
    const { background, text: color } = this.state.theme.value;
    context.lineJoin = "round";
    context.lineWidth = 3;
    context.strokeStyle = css(background, 0.6 * alpha); // points below a name stay in sight
    context.strokeText(text, x, y);
    context.fillStyle = css(color, alpha);
    context.fillText(text, x, y);
  }
}
