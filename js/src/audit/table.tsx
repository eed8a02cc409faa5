// The neurons of a layer as rows, of which only those in view are drawn.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { AuditRow } from "../source/messages";
import { column, useNumbers } from "../source/neuron";
import { SAID } from "./history";
import type { Standing } from "./standing";
import { between, Mark, percent, VERDICTS, type Verdict } from "./verdicts";

export type Sorting = "share" | "neuron" | "verdict" | "valid" | "spurious";

const ROW = 28;
const SHOWN = 10;
const AROUND = 6;
/** A fit counts if fewer random draws than this share reach it. */
const LEVEL = 0.05;

const COLUMNS: readonly (readonly [Sorting | null, string, string])[] = [
  ["verdict", "Verdict", "What the neuron speaks for"],
  ["neuron", "Neuron", "Its number in the layer"],
  [null, "Label", "Its label"],
  ["share", "Share", "Its share of the layer's relevance for the class"],
  ["valid", "Valid", "How well it fits the best valid phrase; bold: better than chance"],
  ["spurious", "Spurious", "How well it fits the best spurious phrase; bold: better than chance"],
  [null, "Decision", "What a person decided"],
];

/** Rows in the order asked for; equal ones by share, as they come. */
export function sorted(rows: readonly AuditRow[], by: Sorting): AuditRow[] {
  const last = -Infinity;
  const key: Record<Sorting, (row: AuditRow) => number> = {
    share: ({ share }) => -share,
    neuron: ({ neuron }) => neuron,
    verdict: ({ verdict }) => VERDICTS.indexOf(verdict as Verdict),
    valid: ({ valid }) => -(valid ?? last),
    spurious: ({ spurious }) => -(spurious ?? last),
  };
  const of = key[by];
  return [...rows].sort((a, b) => of(a) - of(b) || 0);
}

interface TableProps extends Standing {
  rows: AuditRow[];
  layer: string;
  sorting: Sorting;
  sort: (by: Sorting) => void;
}

export function Table(props: TableProps) {
  const { rows, layer, sorting, sort, pointed, active, point, choose, decide } = props;
  const named = useNumbers(layer);
  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [current, setCurrent] = useState(0);
  /** The row that the focus goes to once it is drawn. */
  const walking = useRef(-1);
  const order = useMemo(() => sorted(rows, sorting), [rows, sorting]);
  const [valid, spurious] = useMemo(
    () => [column(rows.map((row) => row.valid)), column(rows.map((row) => row.spurious))],
    [rows],
  );
  const most = Math.max(...rows.map(({ share }) => share), 0) || 1;
  const show = (at: number) => {
    const { scrollTop } = frame.current!;
    if (at * ROW < scrollTop) frame.current!.scrollTop = at * ROW;
    else if ((at + 1) * ROW > scrollTop + SHOWN * ROW) frame.current!.scrollTop = (at + 1 - SHOWN) * ROW;
  };
  useEffect(() => {
    const at = order.findIndex(({ neuron }) => neuron === active);
    if (at < 0) return;
    setCurrent(at);
    show(at);
  }, [order, active]);
  useLayoutEffect(() => {
    if (walking.current !== current) return;
    walking.current = -1;
    frame.current!.querySelector<HTMLElement>(`[data-at="${current}"]`)?.focus({ preventScroll: true });
  });

  const here = Math.min(current, order.length - 1);
  const onKeyDown = (event: KeyboardEvent) => {
    const place = (event.target as HTMLElement).dataset.at; // none: a heading
    if (place === undefined) return;
    const focused = Number(place);
    const steps: Record<string, number> = {
      ArrowDown: 1, ArrowUp: -1, PageDown: SHOWN, PageUp: -SHOWN, Home: -order.length, End: order.length,
    };
    const step = steps[event.key];
    if (step !== undefined) {
      const at = Math.min(order.length - 1, Math.max(0, focused + step));
      walking.current = at;
      setCurrent(at);
      show(at);
      if (at === focused) walking.current = -1;
    } else if (event.key === "Enter" || event.key === " ") choose(order[focused]!.neuron);
    else if (!decide(event, order[focused]!.neuron)) return;
    event.preventDefault();
  };
  const first = Math.max(0, Math.floor(top / ROW) - AROUND);
  const drawn = order.slice(first, first + SHOWN + 2 * AROUND).map((row, index) => [row, first + index] as const);
  // The one stop of the tab key is there also where it is out of view.
  if (!drawn.some(([, at]) => at === here) && order[here]) drawn.push([order[here], here]);
  return (
    <div
      ref={frame}
      class="slw-audit-table"
      role="grid"
      aria-label={`Neurons of ${layer}`}
      aria-rowcount={order.length + 1}
      style={{ maxHeight: `${(SHOWN + 1) * ROW + 1}px` }}
      onScroll={({ currentTarget }) => setTop(currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
    >
      <div role="row" aria-rowindex={1} class="slw-audit-row slw-audit-head">
        {COLUMNS.map(([by, name, title]) => (
          <span
            key={name}
            role="columnheader"
            aria-sort={by === null ? undefined : by !== sorting ? "none"
              : by === "neuron" || by === "verdict" ? "ascending" : "descending"}
          >
            {by === null ? <span title={title}>{name}</span> : (
              <button type="button" title={`${title}. Sort by it.`} onClick={() => sort(by)}>
                {name}
                {by === sorting && <i aria-hidden="true"> ↓</i>}
              </button>
            )}
          </span>
        ))}
      </div>
      <div role="rowgroup" class="slw-audit-body" style={{ height: `${order.length * ROW}px` }}>
        {drawn.map(([row, at]) => (
          <div
            key={row.neuron}
            role="row"
            class="slw-audit-row"
            aria-rowindex={at + 2}
            aria-selected={row.neuron === active}
            data-at={at}
            data-neuron={row.neuron}
            data-pointed={row.neuron === pointed || undefined}
            data-decision={props.decisionOf(row.neuron) || undefined}
            tabIndex={at === here ? 0 : -1}
            style={{ top: `${at * ROW}px` }}
            onClick={() => choose(row.neuron)}
            onPointerEnter={() => point(row.neuron)}
            onPointerLeave={() => point(null)}
            onFocus={() => {
              setCurrent(at);
              point(row.neuron);
            }}
            onBlur={() => point(null)}
          >
            <span role="gridcell"><Mark verdict={row.verdict} /> <span>{row.verdict}</span></span>
            <span role="gridcell" class="slw-mono">{named(row.neuron)}</span>
            <span role="gridcell" class="slw-ellipsis" dir="auto" title={row.label}>
              {row.label || <span class="slw-muted">not labelled</span>}
            </span>
            <span role="gridcell" class="slw-audit-share" title={between(row.low, row.high)}>
              <i aria-hidden="true"><i style={{ width: `${(row.share / most) * 100}%` }} /></i>
              <span class="slw-number">{percent(row.share)}</span>
            </span>
            <Fit fit={row.valid} chance={row.valid_null} phrase={row.valid_phrase} write={valid} />
            <Fit fit={row.spurious} chance={row.spurious_null} phrase={row.spurious_phrase} write={spurious} />
            <span role="gridcell" class="slw-audit-decision">
              {SAID[props.decisionOf(row.neuron) || "-"] ?? ""}
            </span>
          </div>
        ))}
      </div>
    </div>
  );
}

interface FitProps {
  fit: number | null;
  chance: number | null;
  phrase: string;
  write: (value: number | null) => string;
}

function Fit({ fit, chance, phrase, write }: FitProps) {
  const counts = chance !== null && chance <= LEVEL;
  return (
    <span role="gridcell" class={counts ? "slw-number slw-audit-counts" : "slw-number slw-muted"} title={phrase}>
      {write(fit)}
    </span>
  );
}
