// What every source does, whether a kernel answers or a record.
import { describe, expect, test } from "vitest";
import { EmbeddedSource } from "../../src/source/embedded-source";
import { KernelSource } from "../../src/source/kernel-source";
import { isAbort, Refused, type Source } from "../../src/source/source";
import { FakeModel } from "../fake-model";

declare module "../../src/source/messages" {
  interface Questions {
    twice: { params: { of: number; at: string }; result: { twice: number } };
    thrice: { params: { of: number }; result: unknown };
  }
}

const bytes = (view: DataView) => [...new Uint8Array(view.buffer, view.byteOffset, view.byteLength)];

const kernel = (): Source => {
  const model: FakeModel<any> = new FakeModel({}, (request) => {
    if (request.method === "twice") {
      return { result: { twice: 14 }, buffers: [new DataView(Uint8Array.of(1, 2, 250).buffer)] };
    }
    queueMicrotask(() => model.fail(request, "ValueError", "It cannot be done."));
    return undefined;
  });
  return new KernelSource(model);
};
const page = (): Source => new EmbeddedSource([
  { method: "twice", params: { of: 7, at: "a" }, result: { twice: 14 }, buffers: ["AQL6"] },
]);

describe.each([["a kernel", kernel], ["a page", page]])("%s", (_, make) => {
  test("answers with a value and buffers, whatever the order of the parameters", async () => {
    const source = make();
    const reply = await source.ask("twice", { at: "a", of: 7 }, { version: "2 0" });
    expect(reply.result.twice).toBe(14);
    expect(reply.buffers.map(bytes)).toEqual([[1, 2, 250]]);
    expect(source.can("twice")).toBe(true);
    expect(source.late.value).toBe(false);
  });

  test("refuses in words what it cannot answer", async () => {
    const refused = make().ask("thrice", { of: 7 });
    await expect(refused).rejects.toBeInstanceOf(Refused);
  });

  test("answers nothing that was left, and nothing once it is disposed", async () => {
    const source = make();
    const signal = AbortSignal.abort();
    await expect(source.ask("twice", { of: 7, at: "a" }, { signal })).rejects.toSatisfy(isAbort);
    source.dispose();
    await expect(source.ask("twice", { of: 7, at: "a" })).rejects.toSatisfy(isAbort);
  });
});

test("a page knows what was not recorded", async () => {
  const source = page();
  expect(source.can("original")).toBe(false);
  const refused = source.ask("twice", { of: 8, at: "a" });
  await expect(refused).rejects.toMatchObject({ type: "NotRecorded", retryable: false });
});

test("a page does nothing, and says so", async () => {
  const label = { layer: "layer1", neuron: 0, label: "red", score: null };
  expect(page().can("accept")).toBe(false);
  await expect(page().act("accept", label)).rejects.toMatchObject({ retryable: false });
});
