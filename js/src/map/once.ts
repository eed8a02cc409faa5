/** The same function, computed again only when it is given other arguments. */
export function once<A extends readonly unknown[], R>(compute: (...args: A) => R): (...args: A) => R {
  let last: { args: A; result: R } | null = null;
  return (...args) => {
    if (!last || args.some((value, i) => value !== last!.args[i])) {
      last = { args, result: compute(...args) };
    }
    return last.result;
  };
}
