// What the panels know about a neuron and its example images, and how they write it.
import { createContext } from "preact";
import { useContext } from "preact/hooks";
import type { Model, Neuron } from "./model";

export type { Example, Facts, Shown } from "./messages";

export const sameNeuron = (a: Neuron | null, b: Neuron | null): boolean =>
  a === b || (a !== null && b !== null && a.layer === b.layer && a.neuron === b.neuron);

/** By layer with both poles, how many channels it has; from there on neurons are negative poles. */
export type Poles = Readonly<Record<string, number>>;

const PolesOfView = createContext<Poles>({});
export const PolesProvider = PolesOfView.Provider;
export const polesOf = (model: Model<any>): Poles => model.get("_poles") ?? {};
export const usePoles = (): Poles => useContext(PolesOfView);

/** How the neurons of one layer are called in it. */
export type Named = (neuron: number) => string;

/** What a neuron is called in its layer: 17, or 17- for the negative pole of channel 17. */
export function numberName({ layer, neuron }: Neuron, poles: Poles): string {
  const channels = poles[layer] ?? Infinity;
  return neuron < channels ? `${neuron}` : `${neuron - channels}-`;
}

export function useNumbers(layer: string): Named {
  const poles = usePoles();
  return (neuron) => numberName({ layer, neuron }, poles);
}

export const neuronName = (of: Neuron, poles: Poles): string =>
  `${of.layer} / ${numberName(of, poles)}`;

/** A number in few characters: "–" where there is none, a true minus sign. */
export function short(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  let text: string;
  if (size >= 1e5) text = value.toExponential(1);
  else if (size >= 1000) text = value.toFixed(0);
  else if (size >= 100) text = value.toFixed(Math.min(digits, 1));
  else if (size > 0 && size < 0.5 * 10 ** -digits) text = value.toExponential(0);
  else text = value.toFixed(digits);
  return text.replaceAll("-", "−"); // that of an exponent, too
}

/**
 * How to write the numbers of one column: all with as many decimals, by the largest of them, so
 * that the eye can compare.
 */
export function column(
  values: readonly (number | null)[],
  digits = 2,
): (value: number | null | undefined) => string {
  const size = values.reduce<number>((most, value) => Math.max(most, Math.abs(value ?? 0)), 0);
  const decimals = size >= 1000 ? 0
    : size >= 100 ? Math.min(digits, 1)
    : size > 0 && size < 10 ** (1 - digits) ? Math.ceil(-Math.log10(size)) + 1
    : digits;
  const powers = size >= 1e5 || decimals > 6;
  return (value) => {
    if (value === null || value === undefined || !Number.isFinite(value)) return "–";
    if (powers) return value === 0 ? "0" : value.toExponential(1).replaceAll("-", "−");
    const text = value.toFixed(decimals);
    return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
  };
}

/** The last part of a file name, for places too small for the whole. */
export const baseName = (uri: string): string => uri.split(/[\\/]/).pop() || uri;
