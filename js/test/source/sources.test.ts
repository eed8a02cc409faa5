// What every source does, whether a kernel answers or a record.
import { describe, expect, test } from "vitest";
import { EmbeddedSource } from "../../src/source/embedded-source";
import { PageDecisions } from "../../src/source/page-decisions";
import { KernelSource } from "../../src/source/kernel-source";
import { PagePool } from "../../src/source/page-pool";
import { isAbort, Refused, type Source } from "../../src/source/source";
import { FakeModel } from "../fake-model";
import { poolOf } from "./page";

declare module "../../src/source/messages" {
  interface Questions {
    twice: { params: { of: number; at: string }; result: { twice: number } };
    thrice: { params: { of: number }; result: unknown };
  }
}

const bytes = (view: DataView) => [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)];

const kernel = async (): Promise<Source> => {
  const model: FakeModel<any> = new FakeModel({}, (request) => {
    if (request.method === "twice") {
      return { result: { twice: 14 }, buffers: [new DataView(Uint8Array.of(1, 2, 250).buffer)] };
    }
    queueMicrotask(() => model.fail(request, "ValueError", "It cannot be done."));
    return undefined;
  });
  return new KernelSource(model);
};
const page = async (): Promise<Source> => new EmbeddedSource(await poolOf([
  { method: "twice", params: { of: 7, at: "a" }, result: { twice: 14 }, buffers: [Uint8Array.of(1, 2, 250)] },
]));

describe.each([["a kernel", kernel], ["a page", page]])("%s", (_, make) => {
  test("answers with a value and buffers, whatever the order of the parameters", async () => {
    const source = await make();
    const reply = await source.ask("twice", { at: "a", of: 7 }, { version: "2 0" });
    expect(reply.result.twice).toBe(14);
    expect(reply.buffers.map(bytes)).toEqual([[1, 2, 250]]);
    expect(source.can("twice")).toBe(true);
    expect(source.late.value).toBe(false);
  });

  test("refuses in words what it cannot answer", async () => {
    const refused = (await make()).ask("thrice", { of: 7 });
    await expect(refused).rejects.toBeInstanceOf(Refused);
  });

  test("answers nothing that was left, and nothing once it is disposed", async () => {
    const source = await make();
    const signal = AbortSignal.abort();
    await expect(source.ask("twice", { of: 7, at: "a" }, { signal })).rejects.toSatisfy(isAbort);
    source.dispose();
    await expect(source.ask("twice", { of: 7, at: "a" })).rejects.toSatisfy(isAbort);
  });
});

test("a page knows what was not recorded", async () => {
  const source = await page();
  expect(source.can("original")).toBe(false);
  const refused = source.ask("twice", { of: 8, at: "a" });
  await expect(refused).rejects.toMatchObject({ type: "NotRecorded", retryable: false });
});

test("a page does nothing, and says so", async () => {
  const label = { layer: "layer1", neuron: 0, label: "red", score: null };
  expect((await page()).can("accept")).toBe(false);
  await expect((await page()).act("accept", label)).rejects.toMatchObject({ retryable: false });
});

const picture = (sample: number) => ({
  method: "thumbnails", params: { samples: [sample] }, result: { errors: [null] },
  buffers: [Uint8Array.of(sample, 9)],
});

test("a page answers about many things, in any order, what was recorded one by one", async () => {
  const gone = { method: "thumbnails", params: { samples: [5] }, result: { errors: ["gone"] } };
  const pool = await poolOf([picture(3), gone, picture(4)], { thumbnails: "samples" });
  const reply = await new EmbeddedSource(pool).ask("thumbnails", { samples: [4, 5, 3, 4] });
  expect(reply.result.errors).toEqual([null, "gone", null, null]);
  expect(reply.buffers.map(bytes)).toEqual([[4, 9], [3, 9], [4, 9]]);
});

test("what did not travel is refused as such", async () => {
  const pool = await poolOf([picture(3)], { thumbnails: "samples" });
  const refused = new EmbeddedSource(pool).ask("thumbnails", { samples: [3, 8] });
  await expect(refused).rejects.toMatchObject({ type: "NotRecorded", message: /did not travel/ });
});

test("an answer may be changed by whoever got it", async () => {
  const source = new EmbeddedSource(await poolOf([picture(3)], { thumbnails: "samples" }));
  (await source.ask("thumbnails", { samples: [3] })).result.errors.push("mine");
  expect((await source.ask("thumbnails", { samples: [3] })).result.errors).toEqual([null]);
});

test("what is computed in the page is asked before what was recorded, the newest alone", async () => {
  const live = { scores: ({ neuron }: { neuron: number }) => ({ result: { own: `${neuron}` }, buffers: [] }) };
  const source = new EmbeddedSource(await poolOf([]), undefined, live);
  expect(source.can("scores")).toBe(true);
  const ask = (neuron: number) => source.ask("scores", {
    layer: "a", neuron, candidates: [], scorer: "csp", settings: {}, templates: "plain", exclude: [],
  }, { key: "scores" });
  const [older, newer] = [ask(1), ask(2)];
  await expect(older).rejects.toSatisfy(isAbort);
  expect((await newer).result.own).toBe("2");
});

test("decisions are made in a page, and saved with those made before", async () => {
  const before = { layer: "a", neuron: 1, decision: "reject", note: "dust", decided: "2026-01-01T00:00:00" };
  const other = { ...before, neuron: 2 };
  const pool = await poolOf([
    { method: "decisions", params: { audit: 1 }, result: { audit: 1, decisions: [before, other] } },
  ]);
  const decisions = new PageDecisions("ox", () => new Date("2026-11-28T08:00:00Z"));
  const [one, another] = [new EmbeddedSource(pool, decisions), new EmbeddedSource(pool, decisions)];
  await one.ask("decisions", { audit: 1 });
  const decide = (neuron: number, decision: string) =>
    one.act("decide", { audit: 1, layer: "a", neuron, decision, note: "n" });
  const made = await decide(3, "accept");
  expect(made).toEqual({ layer: "a", neuron: 3, decision: "accept", note: "n", decided: "2026-11-28T08:00:00.000Z" });
  expect((await decide(2, "")).decision).toBe("");
  expect(decisions.unsaved.value).toBe(2);
  expect((await another.ask("decisions", { audit: 1 })).result.decisions).toEqual([before, made]);
  const file = JSON.parse(decisions.file()) as { target: string; decisions: { neuron: number; decision: string }[] };
  expect(file.target).toBe("ox");
  expect(file.decisions.map(({ neuron, decision }) => [neuron, decision]))
    .toEqual([[1, "reject"], [3, "accept"], [2, ""]]);
  expect(decisions.unsaved.value).toBe(0);
});

test("a damaged chunk is said to be so, and fetched anew the next time", async () => {
  const text = new TextEncoder().encode(JSON.stringify([{ answers: {}, many: {} }]));
  let times = 0;
  const pool = new PagePool([[text.length, text.length, 0]], async () => (times++ ? text : text.slice(1)));
  await expect(pool.open([0, 0])).rejects.toMatchObject({ type: "Damaged", retryable: true });
  await pool.open([0, 0]);
  expect(times).toBe(2);
});
