// The scores of a second scorer, for the labels that the first one shows.
import { computed, type ReadonlySignal } from "@preact/signals";
import { followAnswer } from "../source/answer";
import type { Cleanup } from "../source/model";
import { sameNeuron } from "../source/neuron";
import type { Source } from "../source/source";
import type { Chance, FollowedScores, Scorer, Settings } from "./scoring";

/** What stands beside the first scorer's bars. */
export interface Second {
  by: Scorer;
  scores: ReadonlyMap<string, number | null>;
  chance: Chance | null;
  /** Why there are no scores; empty if there may be. */
  refused: string;
  /** Whether the scores are not there yet, or are those of other settings or labels. */
  waiting: boolean;
}

interface Needs {
  source: Source;
  /** The scorer; null for none. */
  by: ReadonlySignal<Scorer | null>;
  settings: ReadonlySignal<Settings>;
  scoring: FollowedScores;
  visible: ReadonlySignal<boolean>;
  revision: ReadonlySignal<number>;
}

export function followSecond(needs: Needs): { second: ReadonlySignal<Second | null>; stop: Cleanup } {
  const { source, by, settings, scoring, visible, revision } = needs;
  // After the first one's scores, which it must not delay.
  const params = computed(() => {
    const { neuron, ...rest } = settings.value;
    const names = scoring.bars.value.map(([name]) => name);
    const settled = neuron && !scoring.pending.value && sameNeuron(scoring.of.value, neuron);
    if (!by.value || !settled || names.length === 0) return null;
    return { ...neuron, ...rest, candidates: names, scorer: by.value.name };
  });
  const { resource, last, stop } =
    followAnswer({ source, method: "beside", params, version: revision, visible });
  const second = computed(() => {
    const found = last.value;
    if (!by.value) return null;
    const mine = found && found.scorer === by.value.name && sameNeuron(found, settings.value.neuron);
    const failed = resource.value.state === "error" ? resource.value.error.message : "";
    const known = mine && !failed;
    return {
      by: by.value,
      scores: new Map(known ? found.scores : []),
      chance: known ? found.chance : null,
      refused: failed,
      waiting: !failed && resource.value.state !== "ready",
    };
  });
  return { second, stop };
}
