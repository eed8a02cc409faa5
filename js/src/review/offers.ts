// What each row shows of its neuron beyond its label, asked for while it is in view.
import type { Offer } from "../source/messages";
import { Resources } from "../source/resources";
import type { Source } from "../source/source";
import type { Row } from "./labels";

export type Offers = Resources<string, Offer>;

/** A label that has changed has other labels beside it. */
export const offerKey = ({ row, label, said, source }: Row): string =>
  JSON.stringify([row, label, said, source]);

export const createOffers = (source: Source): Offers => new Resources<string, Offer>(
  async (keys, signal) => {
    const rows = keys.map((key) => (JSON.parse(key) as [number])[0]);
    return (await source.ask("offers", { rows }, { signal, version: keys.join() })).result;
  },
  { batch: source.most ?? 8, capacity: 400 },
);
