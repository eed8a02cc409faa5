// Thumbnails and heatmaps of a lens, as the browser holds them.
import { readHeatmap, type Heatmap, type HeatmapReply } from "./heatmap";
import { uint8, type Neuron } from "./model";
import { Resources } from "./resources";
import type { Rpc } from "./rpc";

interface ThumbnailsReply {
  /** Per sample asked for: null, and one buffer in order; or why there is none. */
  errors: (string | null)[];
}

export interface Pictures {
  /** Blob addresses by sample. */
  thumbnails: Resources<number, string>;
  /** By `heatmapKey`. */
  heatmaps: Resources<string, Heatmap>;
  dispose(): void;
}

export const heatmapKey = ({ layer, neuron }: Neuron, sample: number): string =>
  JSON.stringify([layer, neuron, sample]);

export function createPictures(rpc: Rpc): Pictures {
  const thumbnails = new Resources<number, string>(
    async (samples, signal) => {
      const reply = await rpc.request<ThumbnailsReply>("thumbnails", { samples }, { signal });
      let next = 0;
      return reply.result.errors.map((error) => {
        if (error !== null) return new Error(error);
        const bytes = reply.buffers[next++];
        if (!bytes) return new Error("The kernel did not send this picture.");
        return URL.createObjectURL(new Blob([uint8(bytes)], { type: "image/jpeg" }));
      });
    },
    { batch: 12, capacity: 300, free: (url) => URL.revokeObjectURL(url) },
  );
  const heatmaps = new Resources<string, Heatmap>(
    async ([key], signal) => {
      const [layer, neuron, sample] = JSON.parse(key!) as [string, number, number];
      const params = { layer, neuron, sample };
      const reply = await rpc.request<HeatmapReply>("heatmap", params, { signal });
      return [readHeatmap(reply.result, uint8(reply.buffers[0]))];
    },
    { batch: 1, capacity: 300 },
  );
  return {
    thumbnails,
    heatmaps,
    dispose() {
      thumbnails.dispose();
      heatmaps.dispose();
    },
  };
}
