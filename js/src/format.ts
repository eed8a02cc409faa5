// Numbers and counts as people read them.

export function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size < 1e-3 || size >= 1e6) return value.toExponential(1);
  if (size >= 100) return Math.round(value).toLocaleString("en");
  return size >= 0.01 ? value.toFixed(2) : value.toPrecision(1);
}

export const count = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
