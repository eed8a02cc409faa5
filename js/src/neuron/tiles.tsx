// Tiles in rows, drawn only where they are near the screen: a thousand cost no more than forty.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Example } from "../source/neuron";
import "./tiles.css";

/** Images that stand together. */
export interface Group {
  /** Empty where nothing is grouped. */
  name: string;
  examples: Example[];
}

/** Up to this many tiles are all drawn. */
const ALL = 96;
/** Above this many they scroll in a frame of their own. */
const FRAMED = 240;
const ROWS = 6;
/** Room around the screen in which tiles are drawn already. */
const MARGIN = "500px";

interface Grid {
  columns: number;
  /** Of a row with the gap below it, in pixels. */
  height: number;
}

function readGrid(list: HTMLElement): Grid | null {
  const tile = list.firstElementChild as HTMLElement | null;
  if (!tile || tile.offsetHeight === 0) return null;
  const { gridTemplateColumns, rowGap } = getComputedStyle(list);
  const columns = gridTemplateColumns.split(" ").length;
  return { columns, height: tile.offsetHeight + (parseFloat(rowGap) || 0) };
}

interface BlockProps {
  grid: Grid;
  count: number;
  /** Draw it wherever it is. */
  needed: boolean;
  label: string;
  start: number;
  children: () => ComponentChildren;
}

function Block({ grid, count, needed, label, start, children }: BlockProps) {
  const element = useRef<HTMLOListElement>(null);
  const [near, setNear] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(
      (entries) => setNear(entries.at(-1)!.isIntersecting),
      // The second is for frames that scroll inside the page; not every browser knows it.
      { rootMargin: MARGIN, scrollMargin: MARGIN } as IntersectionObserverInit,
    );
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, []);
  const drawn = near || needed;
  const gone = Math.ceil(count / grid.columns) * grid.height;
  return (
    <ol
      ref={element}
      class="slw-tiles"
      aria-label={label}
      start={start + 1}
      style={drawn ? undefined : { height: `calc(${gone}px - var(--slw-space-3))` }}
    >
      {drawn && children()}
    </ol>
  );
}

interface TilesProps {
  groups: Group[];
  label: string;
  busy: boolean;
  tile: (example: Example, focus: { tabIndex: number; "data-place": number }) => ComponentChildren;
}

export function Tiles({ groups, label, busy, tile }: TilesProps) {
  const frame = useRef<HTMLDivElement>(null);
  const [grid, setGrid] = useState<Grid>({ columns: 5, height: 140 });
  const [current, setCurrent] = useState(0);
  /** Where the focus goes once that tile is drawn. */
  const walking = useRef(-1);
  const total = groups.reduce((sum, { examples }) => sum + examples.length, 0);
  const all = total <= ALL || typeof IntersectionObserver === "undefined";

  const measure = () => {
    const list = [...(frame.current?.querySelectorAll<HTMLElement>(".slw-tiles") ?? [])]
      .find(({ childElementCount }) => childElementCount > 0);
    const found = list && readGrid(list);
    if (found) {
      setGrid((old) =>
        old.columns === found.columns && Math.abs(old.height - found.height) < 1 ? old : found);
    }
  };
  const focus = (place: number) =>
    frame.current?.querySelector<HTMLElement>(`[data-place="${place}"]`)?.focus();
  useLayoutEffect(measure);
  useEffect(() => {
    let next = 0;
    const observer = new ResizeObserver(() => {
      cancelAnimationFrame(next); // a new layout within the callback would be an error
      next = requestAnimationFrame(measure);
    });
    observer.observe(frame.current!);
    return () => {
      cancelAnimationFrame(next);
      observer.disconnect();
    };
  }, []);
  useEffect(() => {
    if (walking.current !== current) return;
    walking.current = -1;
    focus(current);
  }, [current]);

  const onKeyDown = (event: KeyboardEvent) => {
    const { columns } = grid;
    const steps: Record<string, number> = {
      ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns,
      Home: -total, End: total,
    };
    const step = steps[event.key];
    if (step === undefined || (event.target as Element).closest("dialog")) return;
    event.preventDefault();
    const place = Math.min(total - 1, Math.max(0, current + step));
    focus(place); // at once where it is drawn: Enter may follow
    walking.current = place;
    setCurrent(place);
  };
  const onFocusIn = ({ target }: FocusEvent) => {
    const place = (target as HTMLElement).dataset.place;
    if (place !== undefined) setCurrent(Number(place));
  };

  const here = Math.min(current, total - 1);
  const draw = (examples: Example[], start: number) =>
    examples.map((example, index) => {
      const place = start + index;
      return tile(example, { tabIndex: place === here ? 0 : -1, "data-place": place });
    });
  let next = 0;
  return (
    <div
      ref={frame}
      class={total > FRAMED ? "slw-groups slw-groups-framed" : "slw-groups"}
      aria-busy={busy}
      onKeyDown={onKeyDown}
      onFocusIn={onFocusIn}
    >
      {groups.map(({ name, examples }) => {
        const first = next;
        next += examples.length;
        const size = all ? Math.max(1, examples.length) : grid.columns * ROWS;
        const blocks = [];
        for (let at = 0; at < examples.length; at += size) {
          const some = examples.slice(at, at + size);
          const start = first + at;
          blocks.push(
            all ? (
              <ol key={at} class="slw-tiles" aria-label={name || label}>
                {draw(some, start)}
              </ol>
            ) : (
              <Block
                key={at}
                grid={grid}
                count={some.length}
                needed={here >= start && here < start + some.length}
                label={name || label}
                start={start}
              >
                {() => draw(some, start)}
              </Block>
            ),
          );
        }
        return (
          <section key={name} class="slw-group">
            {name && (
              <h3 class="slw-group-name">
                <span class="slw-ellipsis">{name}</span>
                <span class="slw-muted slw-small">{examples.length}</span>
              </h3>
            )}
            {blocks}
          </section>
        );
      })}
    </div>
  );
}
