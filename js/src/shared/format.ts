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

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]|[\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/** A text that keeps its own direction among others, and leaves them theirs. */
export const isolated = (text: string): string =>
  RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text;

const letters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
/** Letters that take the room of two. */
const WIDE = /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{20000}-\u{3ffff}]|\p{Extended_Pictographic}/u;

/** A text cut after so many letters as people count them: never within an emoji or an accent. */
export function shorten(text: string, most: number): string {
  if (text.length <= most && !WIDE.test(text)) return text;
  let [room, kept] = [most, ""];
  let shorter = "";
  for (const { segment } of letters.segment(text)) {
    room -= WIDE.test(segment) ? 2 : 1;
    if (room < 0) return `${shorter.trimEnd()}…`;
    kept += segment;
    if (room > 0) shorter = kept; // what is kept if more than one letter is left
  }
  return text;
}
