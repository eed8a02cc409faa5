// The texts that travel with a page: which there are, and which are near one that does not.
import { Refused } from "../source/source";
import { isolated } from "../shared/format";
import type { Scoring } from "../source/messages";

const NAMED = 3;
const MOST_LISTED = 5;

export class Texts {
  private readonly places = new Map<string, number>();

  constructor(
    private readonly names: readonly string[],
    /** Whether the text encoder takes capital letters for small ones. */
    private readonly folds: boolean,
    private readonly sets: Readonly<Record<string, readonly string[]>>,
  ) {
    names.forEach((name, at) => this.places.set(name, at));
    if (!folds) return;
    names.forEach((name, at) => {
      if (!this.places.has(name.toLowerCase())) this.places.set(name.toLowerCase(), at);
    });
  }

  get count(): number {
    return this.names.length;
  }

  /** Where each text is; refuses if one does not travel. */
  find(texts: readonly string[]): number[] {
    const found = texts.map((text) =>
      this.places.get(text) ?? (this.folds ? this.places.get(text.toLowerCase()) : undefined));
    const absent = texts.filter((_, i) => found[i] === undefined);
    if (absent.length > 0) throw new Refused(this.said(absent), "NotRecorded", false);
    return found as number[];
  }

  /** The name of the sentences around a label; refuses if they do not travel. */
  set(templates: Scoring["templates"]): string {
    const found = Object.keys(this.sets).find((name) => typeof templates === "string"
      ? name === templates : JSON.stringify(this.sets[name]) === JSON.stringify(templates));
    if (found !== undefined) return found;
    throw new Refused("These sentences around labels do not travel with this page. Open its notebook to use them.", "NotRecorded", false);
  }

  private said(absent: readonly string[]): string {
    const quoted = (text: string) => `“${isolated(text)}”`;
    const some = absent.slice(0, MOST_LISTED).map(quoted).join(", ");
    const more = absent.length > MOST_LISTED ? ` and ${absent.length - MOST_LISTED} more` : "";
    const near = absent.length === 1 ? nearest(absent[0]!, this.names) : [];
    const one = absent.length === 1;
    return [
      `${some}${more} ${one ? "does" : "do"} not travel with this page, which has ${this.names.length} words.`,
      near.length > 0 ? `Near ${one ? "it" : "them"}: ${near.map(quoted).join(", ")}.` : "",
      `Its notebook knows any ${one ? "word" : "words"}.`,
    ].filter(Boolean).join(" ");
  }
}

/** Those that begin alike, or differ by a few letters; the nearest first. */
export function nearest(text: string, names: readonly string[]): string[] {
  const lower = text.toLowerCase();
  const most = Math.max(1, Math.floor(lower.length / 3));
  return names
    .map((name) => {
      const other = name.toLowerCase();
      const begins = lower.length > 1 && other.length > 1 && (other.startsWith(lower) || lower.startsWith(other));
      return { name, far: Math.min(letters(lower, other), begins ? most : Infinity) };
    })
    .filter(({ far }) => far <= most)
    .sort((a, b) => a.far - b.far)
    .slice(0, NAMED)
    .map(({ name }) => name);
}

/** How many letters are to be put in, left out or changed. */
function letters(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + Number(one[i - 1] !== other[j - 1])));
    }
    row = next;
  }
  return row[other.length]!;
}
