// How much each concept example counts: semlens_widgets/labels/weights.py.

/** The weight of every example; the largest is 1. An example that is not there weighs nothing. */
export function exampleWeights(
  activations: readonly number[],
  valid: readonly boolean[],
  how: string,
): number[] {
  const there = valid.map(Number);
  if (how === "none") return there;
  const positive = activations.map((value, i) => (valid[i] && value > 0 ? value : 0));
  const values = how === "rank" ? places(positive) : positive;
  const chosen = values.some((value) => value > 0) ? values : there;
  const most = Math.max(...chosen);
  const weights = chosen.map((value) => (most > 0 ? value / most : 0));
  return how === "log" ? weights.map((value) => Math.log2(1 + value)) : weights;
}

/** The place of each positive value from below; equal ones share the mean of theirs. */
function places(values: readonly number[]): number[] {
  const rising = values.filter((value) => value > 0);
  return values.map((value) => {
    if (value === 0) return 0;
    const below = rising.filter((other) => other < value).length;
    const alike = rising.filter((other) => other === value).length;
    return below + (alike + 1) / 2;
  });
}
