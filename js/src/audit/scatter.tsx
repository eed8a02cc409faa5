// Every neuron of a layer by how well it fits either side: size is relevance, colour and shape the
// verdict. Left of and below both dotted lines lies what fits neither side better than chance.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { AuditLayer, AuditRow } from "../source/messages";
import { short, useNumbers, type Named } from "../source/neuron";
import type { Standing } from "./standing";
import { className, percent, shape, type Verdict } from "./verdicts";

const HEIGHT = 320;
const EDGE = { left: 50, right: 12, top: 12, bottom: 36 };
const LARGEST = 13;
const SMALLEST = 2.5;
/** A pointer this near to a point points at it, in pixels. */
const REACH = 22;
const HELP = "Arrow keys walk through the neurons, Enter chooses one; A accepts, R rejects, " +
  "I ignores, U takes back.";

export interface Point {
  row: AuditRow;
  x: number;
  y: number;
  radius: number;
}

interface Scale {
  place: (value: number) => number;
  ticks: number[];
}

/** Three to six round numbers within a range. */
export function ticksOf(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((times) => times * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  const count = Math.floor(high / step) - first + 1;
  return Array.from({ length: count }, (_, at) => +((first + at) * step).toPrecision(12));
}

function scaleOf(values: number[], level: number | null, from: number, to: number): Scale {
  const all = level === null ? values : [...values, level];
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const room = (high - low) * 0.05 || 0.5;
  const [start, end] = [low - room, high + room];
  return {
    place: (value) => from + ((value - start) / (end - start)) * (to - from),
    ticks: ticksOf(start, end),
  };
}

/** Where all that can be placed lies; the heaviest first, so that none hides a lighter one. */
export function placed(rows: AuditRow[], layer: AuditLayer, width: number) {
  const known = rows.filter(({ valid, spurious }) => valid !== null && spurious !== null);
  if (known.length === 0) return null;
  const most = Math.max(...rows.map(({ share }) => share)) || 1;
  const x = scaleOf(known.map((row) => row.valid!), layer.valid, EDGE.left, width - EDGE.right);
  const y = scaleOf(known.map((row) => row.spurious!), layer.spurious, HEIGHT - EDGE.bottom, EDGE.top);
  const points: Point[] = known
    .map((row) => ({
      row,
      x: x.place(row.valid!),
      y: y.place(row.spurious!),
      radius: Math.max(SMALLEST, LARGEST * Math.sqrt(row.share / most)),
    }))
    .sort((a, b) => b.radius - a.radius);
  return { points, x, y, left: rows.length - known.length };
}

/** The point nearest to a place, within reach of the pointer. */
export function nearest(points: readonly Point[], x: number, y: number): Point | null {
  let [best, least] = [null as Point | null, Infinity];
  for (const point of points) {
    const distance = Math.hypot(point.x - x, point.y - y) - point.radius;
    if (distance < least) [best, least] = [point, distance];
  }
  return least <= REACH ? best : null;
}

/** The next point in the direction of an arrow key. */
export function walk(points: readonly Point[], from: Point | undefined, key: string): Point | undefined {
  const axis = key === "ArrowLeft" || key === "ArrowRight" ? "x" : "y";
  const ordered = [...points].sort((a, b) => a[axis] - b[axis]);
  if (!from) return points[0];
  const by = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
  const at = ordered.findIndex(({ row }) => row.neuron === from.row.neuron);
  return ordered[Math.min(ordered.length - 1, Math.max(0, at + by))];
}

function useWidth(): [{ current: HTMLDivElement | null }, number] {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(600);
  useEffect(() => {
    let frame = 0;
    const observer = new ResizeObserver(([entry]) => {
      cancelAnimationFrame(frame); // a new layout within the callback would be an error
      frame = requestAnimationFrame(() => setWidth(Math.max(200, Math.round(entry!.contentRect.width))));
    });
    observer.observe(element.current!);
    return () => {
      cancelAnimationFrame(frame);
      observer.disconnect();
    };
  }, []);
  return [element, width];
}

interface AxesProps {
  x: Scale;
  y: Scale;
  width: number;
  layer: AuditLayer;
}

function Axes({ x, y, width, layer }: AxesProps) {
  const [left, right, top, bottom] = [EDGE.left, width - EDGE.right, EDGE.top, HEIGHT - EDGE.bottom];
  const across = layer.valid === null ? null : x.place(layer.valid);
  const up = layer.spurious === null ? null : y.place(layer.spurious);
  return (
    <g aria-hidden="true">
      {across !== null && up !== null && (
        <rect class="slw-plot-corner" x={left} y={up} width={across - left} height={bottom - up} />
      )}
      <path class="slw-plot-axis" d={`M${left} ${top}V${bottom}H${right}`} />
      {x.ticks.map((tick) => (
        <text key={tick} x={x.place(tick)} y={bottom + 14} text-anchor="middle">{short(tick, 2)}</text>
      ))}
      {y.ticks.map((tick) => (
        <text key={tick} x={left - 6} y={y.place(tick) + 3.5} text-anchor="end">{short(tick, 2)}</text>
      ))}
      {across !== null && <path class="slw-plot-chance" d={`M${across} ${top}V${bottom}`} />}
      {up !== null && <path class="slw-plot-chance" d={`M${left} ${up}H${right}`} />}
      <text class="slw-plot-name" x={right} y={HEIGHT - 4} text-anchor="end">fits what it should →</text>
      <text
        class="slw-plot-name"
        transform={`translate(11 ${top}) rotate(-90)`}
        text-anchor="end"
      >
        fits what it should not →
      </text>
    </g>
  );
}

interface ScatterProps extends Standing {
  rows: AuditRow[];
  layer: AuditLayer;
}

export function Scatter({ rows, layer, pointed, active, decisionOf, point, choose, decide }: ScatterProps) {
  const named = useNumbers(layer.name);
  const [frame, width] = useWidth();
  const plot = useMemo(() => placed(rows, layer, width), [rows, layer, width]);
  const decisions = plot?.points.map(({ row }) => decisionOf(row.neuron)).join();
  // As long as nothing of them changes they are not even compared.
  const drawn = useMemo(
    () => plot?.points.map(({ row, x, y, radius }) => (
      <path
        key={row.neuron}
        class={className(row.verdict)}
        data-decision={decisionOf(row.neuron) || undefined}
        d={shape(row.verdict as Verdict, x, y, radius)}
      />
    )),
    [plot, decisions],
  );
  if (!plot) return <p class="slw-muted">No neuron of this layer can be compared with words.</p>;
  const at = (neuron: number | null) => plot.points.find(({ row }) => row.neuron === neuron);
  const [here, chosen] = [at(pointed), at(active)];
  const find = ({ clientX, clientY }: MouseEvent) => {
    const { left, top } = frame.current!.getBoundingClientRect();
    return nearest(plot.points, clientX - left, clientY - top)?.row.neuron ?? null;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (/^Arrow/.test(event.key)) point(walk(plot.points, here ?? chosen, event.key)!.row.neuron);
    else if (event.key === "Enter" && here) choose(here.row.neuron);
    else if (event.key === "Escape") point(null);
    else if (!decide(event, (here ?? chosen)?.row.neuron)) return;
    event.preventDefault();
  };
  return (
    <div
      ref={frame}
      class="slw-plot"
      tabIndex={0}
      role="application"
      aria-roledescription="scatter plot"
      aria-label={`${rows.length} neurons of ${layer.name} by how well they fit either side`}
      aria-description={HELP}
      onPointerMove={(event) => point(find(event))}
      onPointerLeave={() => point(null)}
      onClick={(event) => {
        const found = find(event);
        if (found !== null) choose(found);
      }}
      onKeyDown={onKeyDown}
    >
      <svg width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} aria-hidden="true">
        <Axes x={plot.x} y={plot.y} width={width} layer={layer} />
        <g>{drawn}</g>
        {chosen && <circle class="slw-plot-chosen" cx={chosen.x} cy={chosen.y} r={chosen.radius + 4} />}
        {here && <circle class="slw-plot-pointed" cx={here.x} cy={here.y} r={here.radius + 3} />}
        {layer.valid !== null && layer.spurious !== null && (
          <text class="slw-plot-neither" x={EDGE.left + 6} y={HEIGHT - EDGE.bottom - 7} aria-hidden="true">
            fits neither
          </text>
        )}
      </svg>
      {here && <Card point={here} width={width} named={named} />}
      {plot.left > 0 && (
        <p class="slw-small slw-muted">
          {plot.left} neurons cannot be compared with words and stand in the table alone.
        </p>
      )}
    </div>
  );
}

/** What the point under the pointer is. */
interface CardProps {
  point: Point;
  width: number;
  named: Named;
}

function Card({ point: { row, x, y, radius }, width, named }: CardProps) {
  const right = x > width / 2;
  const style = {
    ...(right ? { right: `${width - x + radius + 8}px` } : { left: `${x + radius + 8}px` }),
    top: `${Math.min(HEIGHT - 92, Math.max(0, y - 24))}px`,
  };
  return (
    <div class="slw-plot-card slw-small" style={style} aria-hidden="true">
      <b class="slw-ellipsis" dir="auto">{row.label || "Not labelled yet"}</b>
      <span class="slw-muted">neuron {named(row.neuron)}, {row.verdict}</span>
      <span>{percent(row.share)} of the relevance</span>
    </div>
  );
}
