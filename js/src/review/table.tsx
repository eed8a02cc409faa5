// The neurons as rows, of which only those in view are drawn; mouse and keys as in a list of files.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { column, sameNeuron } from "../source/neuron";
import type { Neuron } from "../source/model";
import type { Thumbnails } from "../source/thumbnails";
import { aheadOf, type Labels, type Row, type Sorting } from "./labels";
import type { Offers } from "./offers";
import { pick, type Picked } from "./picking";
import { Line, type Doing } from "./row";

const ROW = 62;
const SHOWN = 8;
const AROUND = 4;

const COLUMNS: readonly (readonly [Sorting | null, string, string])[] = [
  ["neuron", "Neuron", "Its number and layer"],
  [null, "Examples", "Images that activate it most"],
  ["label", "Label", "Its label, whose it is, and others to choose"],
  ["score", "Score", "How well the label fits; the worst first"],
];

export interface TableProps extends Pick<Doing, "accept" | "reject" | "choose" | "keep"> {
  rows: readonly Row[];
  labels: Labels;
  sorting: Sorting;
  sort(by: Sorting): void;
  active: Neuron | null;
  activate(row: Row): void;
  selected: ReadonlySet<number>;
  select(rows: ReadonlySet<number>): void;
  changes: boolean;
  /** Do what a key says with the rows selected, or with the one it is pressed on. */
  command(key: string, row: Row): boolean;
  pointed: Neuron | null;
  point(neuron: Neuron | null): void;
  offers: Offers;
  thumbnails: Thumbnails;
}

export function Table(props: TableProps) {
  const { rows, labels, sorting, sort, active, activate, selected, select, command, pointed, point } = props;
  const frame = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [current, setCurrent] = useState(0);
  const [editing, setEditing] = useState<{ row: number; text: string } | null>(null);
  const anchor = useRef(-1);
  /** Whether the focus goes to the current row once it is drawn. */
  const walking = useRef(false);
  const order = useMemo(() => rows.map(({ row }) => row), [rows]);
  const [score, ahead] = useMemo(
    () => [column(rows.map((row) => row.score)), column(rows.map((row) => aheadOf(labels.judged, row)))],
    [rows, labels],
  );
  const here = Math.max(0, Math.min(current, rows.length - 1));
  const show = (at: number) => {
    const element = frame.current!;
    if (at * ROW < element.scrollTop) element.scrollTop = at * ROW;
    else if ((at + 1) * ROW > element.scrollTop + SHOWN * ROW) element.scrollTop = (at + 1 - SHOWN) * ROW;
  };
  const chosen = active === null ? -1 : rows.findIndex((row) => sameNeuron(row, active));
  const shownFor = useRef("");
  useEffect(() => {
    // Whatever is chosen elsewhere is to be seen here; once, and not after each change of labels.
    const now = JSON.stringify([active, sorting, chosen >= 0]);
    if (chosen < 0 || shownFor.current === now) return;
    shownFor.current = now;
    setCurrent(chosen);
    show(chosen);
  }, [chosen, sorting]);
  /** The row that has the focus; one that a filter takes away hands it on to what takes its place. */
  const held = useRef<string | undefined>(undefined);
  useLayoutEffect(() => {
    if (held.current !== undefined && !frame.current!.querySelector(`[data-row="${held.current}"]`)) {
      held.current = undefined;
      walking.current = true;
    }
    if (!walking.current) return;
    const row = frame.current!.querySelector<HTMLElement>(`[data-at="${here}"]`);
    if (!row) return;
    walking.current = false;
    row.focus({ preventScroll: true });
  });

  // JupyterLab listens on the document and would select all cells: it must be heard before it.
  useLayoutEffect(() => {
    const onAll = (event: KeyboardEvent) => {
      const target = event.composedPath()[0];
      if (!(event.ctrlKey || event.metaKey) || event.altKey || event.key.toLowerCase() !== "a") return;
      if (!(target instanceof HTMLElement) || !frame.current!.contains(target)) return;
      if (target instanceof HTMLInputElement && target.type === "text") return;
      event.preventDefault();
      event.stopImmediatePropagation();
      select(new Set(order));
    };
    window.addEventListener("keydown", onAll, true);
    return () => window.removeEventListener("keydown", onAll, true);
  });

  const picked = (at: number, range: boolean, add: boolean) => {
    const next: Picked = pick({ rows: selected, anchor: anchor.current }, order[at]!, order, { range, add });
    anchor.current = next.anchor;
    select(next.rows);
  };
  const edit: Doing["edit"] = ({ row }, text) => {
    if (text === null) {
      walking.current = true;
      setCurrent(order.indexOf(row));
    }
    setEditing(text === null ? null : { row, text });
  };
  const keep: Doing["keep"] = (row, text) => {
    edit(row, null);
    props.keep(row, text);
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const target = event.target as HTMLElement;
    const place = target.closest<HTMLElement>("[data-at]")?.dataset.at; // none: a heading
    if (place === undefined || target instanceof HTMLInputElement && target.type === "text") return;
    const focused = Number(place);
    const row = rows[focused]!;
    const steps: Record<string, number> = {
      ArrowDown: 1, ArrowUp: -1, PageDown: SHOWN, PageUp: -SHOWN, Home: -rows.length, End: rows.length,
    };
    const step = steps[event.key];
    const control = event.ctrlKey || event.metaKey;
    if (step !== undefined) {
      const at = Math.min(rows.length - 1, Math.max(0, focused + step));
      if (event.shiftKey) {
        if (!order.includes(anchor.current)) anchor.current = order[focused]!;
        picked(at, true, false);
      }
      walking.current = at !== focused;
      setCurrent(at);
      show(at);
    } else if (event.key === " ") picked(focused, event.shiftKey, true);
    else if (event.key === "Enter") {
      picked(focused, false, false);
      activate(row);
    } else if (event.key === "Escape" && selected.size > 0) select(new Set());
    else if (!control && !event.altKey && (event.key === "F2" || event.key.toLowerCase() === "e")) {
      if (props.changes) edit(row, row.label);
    } else if (control || event.altKey || !command(event.key, row)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onClick = (event: MouseEvent, at: number) => {
    const target = event.target as HTMLElement;
    setCurrent(at);
    if (target.closest("button, input[type=text]")) return;
    const box = target instanceof HTMLInputElement;
    picked(at, event.shiftKey, box || event.ctrlKey || event.metaKey);
    if (!box) activate(rows[at]!);
  };
  const first = Math.max(0, Math.floor(top / ROW) - AROUND);
  const drawn = rows.slice(first, first + SHOWN + 2 * AROUND).map((row, index) => [row, first + index] as const);
  // The one stop of the tab key is there also where it is out of view.
  if (!drawn.some(([, at]) => at === here) && rows[here]) drawn.push([rows[here], here]);
  const whole = rows.length > 0 && rows.every(({ row }) => selected.has(row));
  const some = !whole && rows.some(({ row }) => selected.has(row));
  const columns = [...COLUMNS, labels.judged
    ? ["lead", "Lead", "By how much the label scores more than the runner-up; the closest first"] as const
    : ["lead", "Margin", "By how much the label scores more than it must; the closest first"] as const];
  return (
    <div
      ref={frame}
      class="slw-review-table"
      role="grid"
      aria-label="Labels of neurons"
      aria-rowcount={rows.length + 1}
      aria-multiselectable="true"
      style={{ maxHeight: `${SHOWN * ROW + 32}px`, "--slw-row": `${ROW}px` }}
      onScroll={({ currentTarget }) => setTop(currentTarget.scrollTop)}
      onKeyDown={onKeyDown}
      onFocusIn={({ target }) => {
        held.current = (target as Element).closest<HTMLElement>("[data-row]")?.dataset.row;
      }}
      onFocusOut={({ target, relatedTarget }) => {
        if (frame.current?.contains(relatedTarget as Node | null)) return; // null: all of it is taken away
        // What is taken from the page loses the focus too, and is not left by anybody.
        queueMicrotask(() => {
          if ((target as Element).isConnected) held.current = undefined;
        });
      }}
    >
      <div role="row" aria-rowindex={1} class="slw-review-row slw-review-head">
        <span role="columnheader" class="slw-review-check">
          <input
            type="checkbox"
            aria-label="Select all that are shown"
            checked={whole}
            disabled={rows.length === 0}
            ref={(box) => {
              if (box) box.indeterminate = some;
            }}
            onClick={() => select(whole ? new Set() : new Set(order))}
          />
        </span>
        {columns.map(([by, name, title]) => (
          <span key={name} role="columnheader" aria-sort={by === null ? undefined : by === sorting ? "ascending" : "none"}>
            {by === null ? <span title={title}>{name}</span> : (
              <button type="button" title={`${title}. Sort by it.`} onClick={() => sort(by)}>
                {name}{by === sorting && <i aria-hidden="true"> ↓</i>}
              </button>
            )}
          </span>
        ))}
      </div>
      <div role="rowgroup" class="slw-review-body" style={{ height: `${rows.length * ROW}px` }}>
        {drawn.map(([row, at]) => (
          <div
            key={row.row}
            role="row"
            class="slw-review-row"
            aria-rowindex={at + 2}
            aria-selected={selected.has(row.row)}
            aria-current={at === chosen || undefined}
            data-at={at}
            data-row={row.row}
            data-pointed={sameNeuron(row, pointed) || undefined}
            tabIndex={at === here ? 0 : -1}
            style={{ top: `${at * ROW}px` }}
            onMouseDown={(event) => event.shiftKey && event.preventDefault()} // no text is selected
            onClick={(event) => onClick(event, at)}
            onPointerEnter={() => point({ layer: row.layer, neuron: row.neuron })}
            onPointerLeave={() => point(null)}
            onFocus={() => setCurrent(at)}
          >
            <Line
              row={row}
              changes={props.changes}
              score={score(row.score)}
              ahead={ahead(aheadOf(labels.judged, row))}
              aheadOf={row.runnerUp ? `Ahead of “${row.runnerUp}”` : ""}
              selected={selected.has(row.row)}
              editing={editing?.row === row.row ? editing.text : null}
              offers={props.offers}
              thumbnails={props.thumbnails}
              accept={props.accept}
              reject={props.reject}
              choose={props.choose}
              edit={edit}
              keep={keep}
            />
          </div>
        ))}
      </div>
    </div>
  );
}
