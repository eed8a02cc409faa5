// A list of candidate labels, as a person types, pastes or loads it.
import { isolated } from "../shared/format";

/**
 * One label per line, commas and all; without line breaks separated by commas or semicolons.
 * Inner spaces are made single; half a character, which no text encoder takes, is replaced.
 */
export const splitCandidates = (text: string): string[] =>
  text
    .replace(/\p{Surrogate}/gu, "\ufffd")
    .normalize()
    .split(/[\n\r\u2028\u2029]/.test(text) ? /[\n\r\u2028\u2029]+/ : /[,;]/)
    .map((part) => part.replace(/[,;\s]+$/, "").trim().replace(/\s+/g, " "))
    .filter((part) => part !== "");

/** As widgets/contrast.py takes them: the list is saved with the notebook. */
const MOST = 5000;
const LONGEST = 120;

/** As Python counts: a character beyond the first 65,536 is one, not two. */
const tooLong = (text: string): boolean => text.length > LONGEST && [...text].length > LONGEST;

/** The list with the new ones, and what to tell the person. */
export function addCandidates(
  list: string[],
  text: string,
): { candidates: string[]; message: string } {
  const parts = splitCandidates(text);
  if (parts.length === 0) return { candidates: list, message: "Type a label first." };
  const candidates = [...list];
  const known = new Set(list.map((one) => one.toLowerCase()));
  const twice: string[] = [];
  let left = 0;
  for (const part of parts) {
    if (known.has(part.toLowerCase())) twice.push(part);
    else if (candidates.length >= MOST || tooLong(part)) left++;
    else candidates.push(part);
    known.add(part.toLowerCase());
  }
  const some = twice.slice(0, 5).map(isolated).join(", ");
  const more = twice.length > 5 ? ` and ${twice.length - 5} more` : "";
  const message = [
    twice.length > 0 ? `Already in the list: ${some}${more}.` : "",
    left > 0
      ? `Left out: ${left}. A list has ${MOST} labels of ${LONGEST} characters at most.`
      : "",
  ];
  return { candidates, message: message.filter(Boolean).join(" ") };
}
