// Asks a page from inside what it holds an answer to, or computes one to; tests/browser runs it there.
import { scoringOf } from "../../src/page/live";
import { readPage } from "../../src/page/page";
import { EmbeddedSource } from "../../src/source/embedded-source";

const base64 = ({ buffer, byteOffset, byteLength }: DataView) =>
  btoa(Array.from(new Uint8Array(buffer, byteOffset, byteLength), (byte) => String.fromCharCode(byte)).join(""));

type Asked = [method: string, params: object];
type Told = [...Asked, result: unknown, buffers: string[]];

async function ask(source: EmbeddedSource, [method, params]: Asked): Promise<Told> {
  const { result, buffers } = await source.ask(method as never, params as never);
  return [method, params, result, buffers.map(base64)];
}

/** All questions that were recorded, and `more`. */
export async function askAll(more: Asked[]): Promise<Told[]> {
  const { pool } = await readPage(document);
  const source = new EmbeddedSource(pool);
  return Promise.all([...pool.questions, ...more].map((asked) => ask(source, asked)));
}

/** Questions whose answers are computed in the page. */
export async function askLive(asked: Asked[]): Promise<Told[]> {
  const { contents, pool } = await readPage(document);
  const source = new EmbeddedSource(pool, undefined, scoringOf(contents.scoring!, pool));
  return Promise.all(asked.map((one) => ask(source, one)));
}
