// Thumbnails of a lens, as the browser holds them.
import { uint8 } from "./model";
import { Resources } from "./resources";
import type { Source } from "./source";

export interface Thumbnails {
  /** Blob addresses by sample. */
  thumbnails: Resources<number, string>;
  dispose(): void;
}

export function createThumbnails(source: Source): Thumbnails {
  const thumbnails = new Resources<number, string>(
    async (samples, signal) => {
      const reply = await source.ask("thumbnails", { samples }, { signal });
      let next = 0;
      return reply.result.errors.map((error) => {
        if (error !== null) return new Error(error);
        const bytes = reply.buffers[next++];
        if (!bytes) return new Error("The kernel did not send this picture.");
        return URL.createObjectURL(new Blob([uint8(bytes)], { type: "image/jpeg" }));
      });
    },
    { batch: source.most ?? 12, capacity: 300, free: (url) => URL.revokeObjectURL(url) },
  );
  return { thumbnails, dispose: () => thumbnails.dispose() };
}
