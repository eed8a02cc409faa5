// Asks a page all that it holds an answer to; tests/browser/test_page_parity.py runs it there.
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
