// What the legend shows and leaves out, column by column.
import { valueAt, type Column } from "../source/columns";
import type { Legend } from "../source/messages";

/** By column: the names shown ("": no value), or the lowest and the highest number shown (null: open). */
export type Filter = Readonly<Record<string, readonly (string | number | null)[]>>;

/** 1 for each row that every column lets through; null: all, or a column has not come yet. */
export function passing(
  filter: Filter,
  read: (name: string) => Column | null,
  count: number,
): Uint8Array | null {
  const columns = Object.entries(filter).flatMap(([name, wanted]) => {
    const column = read(name);
    return column?.legend ? [{ column, legend: column.legend, wanted }] : [];
  });
  if (columns.length === 0) return null;
  const shown = new Uint8Array(count).fill(1);
  for (const { column, legend, wanted } of columns) {
    const accepts = test(legend, wanted);
    for (let row = 0; row < count; row++) {
      if (shown[row] && !accepts(valueAt(column, row))) shown[row] = 0;
    }
  }
  return shown;
}

function test(
  legend: Legend,
  wanted: readonly (string | number | null)[],
): (value: number) => boolean {
  if (legend.kind === "number") {
    // Bounds travel as doubles and values as floats.
    const low = Math.fround((wanted[0] as number | null) ?? -Infinity);
    const high = Math.fround((wanted[1] as number | null) ?? Infinity);
    return (value) => value >= low && value <= high;
  }
  const names = new Set(wanted);
  const accepted = (legend.names ?? []).map((name) => names.has(name));
  const missing = names.has("");
  return (value) => (Number.isNaN(value) ? missing : accepted[value] === true);
}

/** Show a name alone; with others that are shown already, beside them; or no longer. */
export function toggled(filter: Filter, column: string, name: string): Filter {
  const shown = filter[column] ?? [];
  const next = shown.includes(name) ? shown.filter((other) => other !== name) : [...shown, name];
  return without({ ...filter, [column]: next }, next.length > 0 ? undefined : column);
}

export function without(filter: Filter, column: string | undefined): Filter {
  return Object.fromEntries(Object.entries(filter).filter(([name]) => name !== column));
}
