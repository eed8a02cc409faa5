// Whole images and heatmaps of a lens, as the browser holds them.
import { signal, type ReadonlySignal } from "@preact/signals";
import { readHeatmap, type Heatmap } from "./heatmap";
import { uint8, type Neuron } from "./model";
import { Resources } from "./resources";
import { Refused, type Source } from "./source";
import type { Thumbnails } from "./thumbnails";

export interface Pictures extends Thumbnails {
  /** Blob addresses of whole images, by sample. */
  originals: Resources<number, string>;
  /** By `heatmapKey`. */
  heatmaps: Resources<string, Heatmap>;
  /** What the heatmaps of a neuron that have come say of themselves, by `neuronKey`. */
  said: ReadonlySignal<ReadonlyMap<string, Said>>;
}

/** How relevance was computed, and the least and the most of it that arrived. */
export interface Said {
  methods: readonly string[];
  arrived: readonly [least: number, most: number] | null;
}

export const neuronKey = ({ layer, neuron }: Neuron): string => JSON.stringify([layer, neuron]);

function alsoSaid(before: Said | undefined, heatmaps: (Heatmap | Error)[]): Said {
  const come = heatmaps.filter((one): one is Heatmap => !(one instanceof Error));
  const methods = new Set([...(before?.methods ?? []), ...come.map(({ method }) => method)]);
  const shares = come.map(({ arrived }) => arrived).filter((share) => share !== null);
  shares.push(...(before?.arrived ?? []));
  const arrived = shares.length > 0 ? [Math.min(...shares), Math.max(...shares)] as const : null;
  // What an image adds makes it longer: the plainest comes first.
  return { methods: [...methods].sort((a, b) => a.length - b.length), arrived };
}

export const heatmapKey = ({ layer, neuron }: Neuron, sample: number): string =>
  JSON.stringify([layer, neuron, sample]);

/** Beside the thumbnails that a panel has. */
export function createPictures(source: Source, { thumbnails }: Thumbnails): Pictures {
  const originals = new Resources<number, string>(
    async (samples, signal) => {
      const { buffers } = await source.ask("original", { samples }, { signal });
      return buffers.map((bytes) =>
        URL.createObjectURL(new Blob([uint8(bytes)], { type: "image/jpeg" })));
    },
    { batch: 1, capacity: 12, free: (url) => URL.revokeObjectURL(url) },
  );
  const said = signal<ReadonlyMap<string, Said>>(new Map());
  const heatmaps = new Resources<string, Heatmap>(
    async (keys, signal) => {
      const wanted = keys.map((key) => JSON.parse(key) as [string, number, number]);
      const [layer, neuron] = wanted[0]!;
      const samples = wanted.map(([, , sample]) => sample);
      const params = { layer, neuron, samples };
      const reply = await source.ask("heatmaps", params, { signal });
      let next = 0;
      const found = reply.result.map((one) =>
        "error" in one
          ? new Refused(one.error.message, one.error.type, true)
          : readHeatmap(one, uint8(reply.buffers[next++])),
      );
      const of = JSON.stringify([layer, neuron]);
      said.value = new Map(said.peek()).set(of, alsoSaid(said.peek().get(of), found));
      return found;
    },
    // Computed together where they are not stored; few, so that the first ones show early.
    { batch: source.most ?? 6, capacity: 300, group: (key) => key.slice(0, key.lastIndexOf(",")) },
  );
  return {
    thumbnails,
    originals,
    heatmaps,
    said,
    dispose() {
      originals.dispose();
      heatmaps.dispose();
    },
  };
}
