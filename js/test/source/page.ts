// A page's answers without a page: chunks as widgets/_page writes them.
import { keyOf, PagePool, type Place } from "../../src/source/page-pool";

export interface Recorded {
  method: string;
  params: object;
  result: unknown;
  buffers?: Uint8Array<ArrayBuffer>[];
}

/** `many` names the parameter of questions that are kept thing by thing. */
export async function poolOf(recorded: Recorded[], many: Record<string, string> = {}): Promise<PagePool> {
  const bytes: number[] = [];
  const place = (buffer: Uint8Array): Place => {
    bytes.push(...buffer);
    return [1, bytes.length - buffer.length, buffer.length];
  };
  const answers = recorded.map(({ result, buffers = [] }) => [result, buffers.map(place)]);
  const index = {
    answers: Object.fromEntries(recorded.map(({ method, params }, at) => [keyOf(method, params), [0, at]])),
    many,
  };
  const text = new TextEncoder().encode(JSON.stringify([...answers, index]));
  const chunks = [text, Uint8Array.from(bytes)];
  const pool = new PagePool(
    chunks.map(({ length }) => [length, length, 0]),
    async (chunk) => chunks[chunk]!,
  );
  await pool.open([0, answers.length]);
  return pool;
}
