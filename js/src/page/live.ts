// What a page scores and searches by itself, read when it is first asked for.
import type { Live } from "../source/embedded-source";
import { readArrays, type ArrayOfPage } from "../source/page-arrays";
import type { PagePool } from "../source/page-pool";
import { Scores, type Meta } from "./scores";

/** As widgets/_page/scoring.py writes it. */
export interface StoredScoring {
  meta: [chunk: number, position: number];
  arrays: Record<string, ArrayOfPage>;
}

export function scoringOf(stored: StoredScoring, pool: PagePool): Live {
  let begun: Promise<Scores> | undefined;
  const scores = () => {
    begun ??= read(stored, pool);
    begun.catch(() => (begun = undefined)); // what could not be read may be there the next time
    return begun;
  };
  return {
    scores: async (params) => (await scores()).answers.scores(params),
    beside: async (params) => (await scores()).answers.beside(params),
    chance: async (params) => (await scores()).answers.chance(params),
    search: async (params) => (await scores()).answers.search(params),
    vocabulary: async (params) => (await scores()).answers.vocabulary(params),
  };
}

async function read({ meta, arrays }: StoredScoring, pool: PagePool): Promise<Scores> {
  const [known, numbers] = await Promise.all([pool.value(meta), readArrays(pool, arrays)]);
  return new Scores(known as Meta, numbers);
}
