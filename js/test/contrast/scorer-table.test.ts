// What the browser itself makes of scores and parts, against the table that Python's scorers are
// checked against.
import { describe, expect, test } from "vitest";
import { barScale } from "../../src/contrast/bars";
import { contributionsOf } from "../../src/contrast/why";
import TABLE from "../../../tests/scorer_table.json";
import SCORERS from "./scorers.json";

/** Seven digits are kept, of parts as single precision holds them; places are in percent. */
const near = (found: number, expected: number, room: number) =>
  expect(Math.abs(found - expected)).toBeLessThan(room);

describe.each(TABLE.rows.map((row) => [`${row.scorer} ${JSON.stringify(row.settings)}`, row] as const))(
  "%s", (_, { scorer, scores, parts, shown }) => {
    const own = scores[0]!;

    test("bars start where nothing scores, and hold every score", () => {
      const { competes, chance } = SCORERS.find(({ name }) => name === scorer)!;
      expect(competes ? null : chance ?? 0).toBe(shown.start);
      const place = barScale(own, shown.start);
      own.forEach((score, text) => near(place(score), shown.places[text]!, 1e-3));
    });

    test.runIf(parts !== null)("the score and the lead are shared out by pair", () => {
      const texts = own.map((_, text) => String(text));
      const byText = new Map(texts.map((name, text) =>
        [name, Float32Array.from(parts![0]!.map((pair) => pair[text]!))]));
      const [best, second] = [texts[shown.best]!, texts[shown.second]!];
      const sum = (values: number[]) => values.reduce((total, one) => total + one, 0);
      const score = contributionsOf(byText, best, second, "score")!;
      near(sum(score), own[shown.best]!, 2e-6);
      const lead = contributionsOf(byText, best, second, "lead")!;
      lead.forEach((value, rank) => near(value, shown.lead![rank]!, 1e-6));
      near(sum(lead), own[shown.best]! - own[shown.second]!, 2e-6);
    });
  });
