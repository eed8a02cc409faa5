// What a page without a kernel holds (widgets/_page writes it): chunks of bytes, read when something
// of them is shown, and which answer lies where.
import { LruCache } from "./lru";
import { Refused, type Reply } from "./source";

/** Chunk, first byte, number of bytes. */
export type Place = [chunk: number, start: number, length: number];
type Entry = [chunk: number, position: number];

export interface Index {
  /** By question, as `keyOf` writes it. */
  answers: Record<string, Entry>;
  /** Questions about many things at once are kept thing by thing: the parameter that names these. */
  many: Record<string, string>;
}

/** Bytes when read, bytes as stored, and whether they are deflated. */
export type ChunkSizes = [size: number, stored: number, deflated: number];

/** Gives the bytes of a chunk as they are stored. */
export type Fetch = (chunk: number) => Promise<Uint8Array<ArrayBuffer>>;

const MISSING = "Open its notebook to see that.";
const LEFT = "This neuron, or what is asked of it, did not travel with the page. Open its notebook to see it.";
const DAMAGED = "A part of this page is missing or damaged. Get the page again.";
const REMEMBERED = 96;

/** A question as one text, whatever the order of its parameters. */
export const keyOf = (method: string, params: object): string =>
  JSON.stringify([method, sorted(params)]);

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, one]) => [name, sorted(one)]));
}

export class PagePool {
  private index: Index = { answers: {}, many: {} };
  private methods = new Set<string>();
  private readonly bytes = new LruCache<number, Promise<Uint8Array<ArrayBuffer>>>(REMEMBERED);
  private readonly lists = new LruCache<number, Promise<unknown[]>>(REMEMBERED);

  constructor(
    private readonly chunks: readonly ChunkSizes[],
    private readonly fetch: Fetch,
  ) {}

  /** Read which answers there are; before that there are none. */
  async open(index: Entry): Promise<void> {
    this.index = (await this.listed(index)) as Index;
    for (const key of Object.keys(this.index.answers)) {
      this.methods.add((JSON.parse(key) as [string])[0]);
    }
  }

  has(method: string): boolean {
    return this.methods.has(method);
  }

  /** The questions that have an answer. */
  get questions(): [method: string, params: object][] {
    return Object.keys(this.index.answers).map((key) => JSON.parse(key) as [string, object]);
  }

  async read([chunk, start, length]: Place): Promise<DataView> {
    return new DataView((await this.chunk(chunk)).buffer, start, length);
  }

  async text(place: Place): Promise<string> {
    return new TextDecoder().decode(await this.read(place));
  }

  /** A value that is no answer. */
  value(entry: Entry): Promise<unknown> {
    return this.listed(entry);
  }

  /** Answer as the kernel did; about many things, in whichever order they are named. */
  async answer(method: string, params: object): Promise<Reply<unknown>> {
    const name = this.index.many[method];
    if (!name) return this.one(method, params);
    const things = (params as Record<string, unknown[]>)[name] ?? [];
    const each = await Promise.all(
      things.map((thing) => this.one(method, { ...params, [name]: [thing] })),
    );
    return { result: joined(each.map(({ result }) => result)), buffers: each.flatMap(({ buffers }) => buffers) };
  }

  private async one(method: string, params: object): Promise<Reply<unknown>> {
    const entry = this.index.answers[keyOf(method, params)];
    if (!entry) throw new Refused(this.has(method) ? LEFT : MISSING, "NotRecorded", false);
    const [result, places] = (await this.listed(entry)) as [unknown, Place[]];
    return { result, buffers: await Promise.all(places.map((place) => this.read(place))) };
  }

  private async listed([chunk, position]: Entry): Promise<unknown> {
    const list = remembered(this.lists, chunk, async () =>
      JSON.parse(new TextDecoder().decode(await this.chunk(chunk))) as unknown[]);
    // Whoever gets an answer may keep it, and change it.
    return structuredClone((await list)[position]);
  }

  private chunk(number: number): Promise<Uint8Array<ArrayBuffer>> {
    const [size, stored, deflated] = this.chunks[number]!;
    return remembered(this.bytes, number, async () => {
      const bytes = await this.fetch(number);
      const whole = bytes.length === stored;
      // What was changed on the way is no longer deflated bytes.
      const found = whole && deflated ? await inflated(bytes).catch(() => bytes.subarray(0, 0)) : bytes;
      if (whole && found.length === size) return found;
      throw new Refused(DAMAGED, "Damaged", true);
    });
  }
}

/** What was begun before, unless it failed: what could not be read may be there the next time. */
function remembered<V>(
  known: LruCache<number, Promise<V>>,
  number: number,
  read: () => Promise<V>,
): Promise<V> {
  const before = known.get(number);
  if (before) return before;
  const begun = read();
  known.set(number, begun);
  begun.catch(() => known.delete(number));
  return begun;
}

/** One answer made of those about each thing: lists one after the other. */
function joined(results: unknown[]): unknown {
  if (results.every(Array.isArray)) return results.flat(1);
  const names = Object.keys((results[0] ?? {}) as object);
  const listOf = (name: string) => results.flatMap((one) => (one as Record<string, unknown[]>)[name]!);
  return Object.fromEntries(names.map((name) => [name, listOf(name)]));
}

async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  const letters = atob(base64);
  const bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return bytes;
}
