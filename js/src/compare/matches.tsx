// The list of neurons beside their matches: sorted either way, walked through with the arrow keys.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Choice, Failure, Segments } from "../shared/controls";
import { count } from "../shared/format";
import { TextField } from "../shared/text-field";
import { setTrait } from "../source/model";
import { short } from "../source/neuron";
import { Sign } from "./head";
import {
  firstOrder, having, other, sideOf, sorted, type Column, type Order, type Row, type Show, type Which,
} from "./rows";
import type { Known, State } from "./state";

/** So many rows at first, and so many more. */
const PAGE = 50;
const MATCHINGS = [["nearest", "nearest"], ["assigned", "one to one"]] as const;

const SAID: Record<Show, (own: string, to: string) => string> = {
  matches: (own, to) => `Each neuron of ${own} beside the one of ${to} that means most nearly the same.`,
  only_a: (own, to) => `Neurons of ${own} by how little ${to} knows of them, the least first.`,
  only_b: (own, to) => `Neurons of ${own} by how little ${to} knows of them, the least first.`,
  changes: (own, to) => `Neurons whose examples or activations differ between ${own} and ${to}.`,
};
const ONE_TO_ONE = (own: string, to: string) =>
  `The neurons of ${own} and ${to} one to one, so that they are as alike as can be in all.`;

/** A neuron as a cell of the table names it. */
function Name({ side, at, labels }: { side: Which; at: number; labels: string[] }) {
  if (at < 0) return <span class="slw-muted">no match</span>;
  return (
    <span class="slw-match-name">
      <Sign side={side} />
      <span class="slw-number slw-muted">{at}</span>
      <span class={labels[at] ? "slw-ellipsis" : "slw-ellipsis slw-muted"} dir="auto">
        {labels[at] || "no label"}
      </span>
    </span>
  );
}

interface HeadingProps {
  column: Column;
  order: Order;
  sort: (by: Column) => void;
  children: string;
}

function Heading({ column, order, sort, children }: HeadingProps) {
  const here = order.by === column;
  return (
    <th scope="col" aria-sort={here ? (order.rising ? "ascending" : "descending") : "none"}>
      <button type="button" onClick={() => sort(column)}>
        <span class="slw-ellipsis">{children}</span>
        <span aria-hidden="true">{here ? (order.rising ? "▲" : "▼") : ""}</span>
      </button>
    </th>
  );
}

interface TableProps {
  state: State;
  known: Known;
  side: Which;
  rows: readonly Row[];
  order: Order;
  sort: (by: Column) => void;
}

function Table({ state, known, side, rows, order, sort }: TableProps) {
  const body = useRef<HTMLTableSectionElement>(null);
  const [own, match] = [known.sides[side], known.sides[other(side)]];
  const changed = state.show.value === "changes";
  const chosen = state.pair.value?.neurons[side] ?? null;
  const first = rows.some((row) => row.own === chosen) ? chosen : rows[0]?.own;
  const onKeyDown = (event: KeyboardEvent) => {
    const buttons = [...body.current!.querySelectorAll<HTMLElement>("button")];
    const at = buttons.indexOf(event.target as HTMLElement);
    const steps: Record<string, number> = {
      ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1,
    };
    const to = steps[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    buttons[Math.min(buttons.length - 1, Math.max(0, to))]!.focus();
  };
  const point = (spot: { side: Which; neuron: number } | null) => () => {
    state.pointed.value = spot;
  };
  return (
    <table class="slw-match-table">
      <thead>
        <tr>
          <Heading column="neuron" order={order} sort={sort}>{own.layer}</Heading>
          <th scope="col"><span class="slw-ellipsis">{match.layer}</span></th>
          <Heading column="similarity" order={order} sort={sort}>Cosine</Heading>
          {changed && <Heading column="kept" order={order} sort={sort}>Kept</Heading>}
        </tr>
      </thead>
      <tbody ref={body} onKeyDown={onKeyDown}>
        {rows.map((row) => {
          const spot = { side, neuron: row.own };
          return (
            <tr
              key={row.own}
              aria-current={row.own === chosen ? "true" : undefined}
              onClick={() => state.pick(spot)}
              onPointerEnter={point(spot)}
              onPointerLeave={point(null)}
            >
              <td>
                <button
                  type="button"
                  tabIndex={row.own === first ? 0 : -1}
                  title={own.labels[row.own]}
                  onFocus={point(spot)}
                  onBlur={point(null)}
                >
                  <Name side={side} at={row.own} labels={own.labels} />
                </button>
              </td>
              <td title={match.labels[row.match]}>
                <Name side={other(side)} at={row.match} labels={match.labels} />
              </td>
              <td class="slw-number">
                <span class="slw-match-cosine">
                  <i style={{ width: `${Math.max(0, row.similarity ?? 0) * 100}%` }} aria-hidden="true" />
                  {short(row.similarity, 3)}
                </span>
              </td>
              {changed && <td class="slw-number">{Math.round((row.kept ?? 0) * 100)} %</td>}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

export function MatchList({ state }: { state: State }) {
  const known = state.known.value;
  const show = state.show.value;
  const side = sideOf(show);
  const [order, setOrder] = useState<Order>(firstOrder(show));
  const [words, setWords] = useState("");
  const [pages, setPages] = useState(1);
  const all = state.rows[side].value;
  useEffect(() => {
    setOrder(firstOrder(show));
    setPages(1);
  }, [show, known?.sides[side].layer]);

  const found = useMemo(
    () => known && all && sorted(
      having(all, words, known.sides[side].labels, known.sides[other(side)].labels), order),
    [known, all, words, order, side],
  );
  const rows = useMemo(() => found && found.slice(0, PAGE * pages), [found, pages]);
  // On the map stands out what is listed, where that is not all there is.
  const everything = show === "matches" && words.trim() === "";
  useEffect(() => {
    state.listed.value = rows && !everything ? new Set(rows.map(({ own }) => own)) : null;
  }, [rows, everything]);

  const { a, b } = state.chosen.value!;
  const shows: (readonly [Show, string])[] = [
    ["matches", "Matches"], ["only_a", `Only ${a}`], ["only_b", `Only ${b}`],
  ];
  if (known?.compared.change) shows.push(["changes", "Changed"]);
  const answer = state.matched[side];
  const resource = answer.resource.value;
  const [own, to] = side === "a" ? [a, b] : [b, a];
  const said = show === "matches" && state.matching.value === "assigned" ? ONE_TO_ONE : SAID[show];
  const sort = (by: Column) =>
    setOrder({ by, rising: order.by === by ? !order.rising : by === "neuron" });
  return (
    <section class="slw-match" aria-label="Matched neurons">
      <div class="slw-controls slw-controls-apart">
        <Segments
          label="What is listed"
          options={shows}
          value={show}
          onChange={(one) => setTrait(state.model, "show", one)}
        />
        {show === "matches" && (
          <Choice
            label="Match"
            title="Nearest: each with the one most alike, which several may share"
            options={MATCHINGS}
            value={state.matching.value}
            onChange={(one) => setTrait(state.model, "matching", one)}
          />
        )}
      </div>
      <p class="slw-small slw-muted">{said(own, to)}</p>
      <TextField
        label="Find a label or a number in the list"
        placeholder="Find a label or a number"
        value={words}
        onText={(text) => {
          setWords(text);
          setPages(1);
        }}
      />
      {resource.state === "error" && <Failure error={resource.error} retry={answer.reload} />}
      {rows && known && found ? (
        <>
          {rows.length > 0 && (
            <div class="slw-match-frame">
              <Table state={state} known={known} side={side} rows={rows} order={order} sort={sort} />
              {rows.length < found.length && (
                <button
                  type="button"
                  class="slw-button slw-match-more"
                  onClick={() => setPages(pages + 1)}
                >
                  {`Show ${Math.min(PAGE, found.length - rows.length)} more of ${found.length.toLocaleString("en")}`}
                </button>
              )}
            </div>
          )}
          <p class={rows.length > 0 ? "slw-hidden" : "slw-state"} role="status">
            {rows.length > 0
              ? count(found.length, "neuron")
              : words.trim() !== "" ? "Nothing in the list is called so."
              : show === "changes" ? "No neuron has changed."
              : "This layer has no neurons."}
          </p>
        </>
      ) : (
        resource.state !== "error" && (
          <div class="slw-match-frame slw-match-waiting slw-skeleton">
            <span class="slw-hidden" role="status">Loading the matches</span>
          </div>
        )
      )}
    </section>
  );
}
