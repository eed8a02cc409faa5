import { signal, type Signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { followKernel } from "../../src/source/kernel";
import { LIMITS } from "../../src/source/messages";
import { isAbort, Refused } from "../../src/source/source";
import { LruCache } from "../../src/source/lru";
import { KernelSource } from "../../src/source/kernel-source";
import { FakeModel } from "../fake-model";

declare module "../../src/source/messages" {
  interface Questions {
    a: { params: { row?: number }; result: unknown };
    b: { params: { row?: number }; result: unknown };
    m: { params: { i?: number }; result: unknown };
    queued: { params: object; result: unknown };
  }
}

let model: FakeModel<object>;
let source: KernelSource;
let gone: Signal<boolean>;

beforeEach(() => {
  model = new FakeModel({});
  gone = signal(false);
  source = new KernelSource(model, gone, 1000);
});
afterEach(() => {
  source.dispose();
  vi.useRealTimers();
});

const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(() => "no error", (error: unknown) => error);

describe("requests", () => {
  test("resolve with the result and the buffers of their own reply", async () => {
    const [first, second] = [source.ask("a", {}), source.ask("b", { row: 3 })];
    const bytes = new DataView(new ArrayBuffer(4));
    model.reply(model.sent[1]!, 2, [bytes]);
    model.reply(model.sent[0]!, 1);
    expect(await first).toEqual({ result: 1, buffers: [] });
    expect(await second).toEqual({ result: 2, buffers: [bytes] });
    expect(model.sent[1]).toMatchObject({ kind: "request", method: "b", params: { row: 3 } });
  });

  test("carry the kernel's error", async () => {
    const request = caught(source.ask("a", {}));
    model.fail(model.sent[0]!, "LensUnavailable", "no model");
    const error = await request;
    expect(error).toBeInstanceOf(Refused);
    expect(error).toMatchObject({ type: "LensUnavailable", message: "no model", retryable: true });
  });

  test("go out four at a time, in order", async () => {
    const requests = Array.from({ length: 6 }, (_, i) => source.ask("m", { i }));
    expect(model.sent.map((sent) => sent.params.i)).toEqual([0, 1, 2, 3]);
    model.reply(model.sent[2]!, "x");
    expect(model.sent.map((sent) => sent.params.i)).toEqual([0, 1, 2, 3, 4]);
    for (const request of requests) request.catch(() => {});
  });

  test("that are alike share one message", async () => {
    const [first, second] = [source.ask("m", { i: 1 }), source.ask("m", { i: 1 })];
    expect(model.sent).toHaveLength(1);
    model.reply(model.sent[0]!, "both");
    expect((await first).result).toBe("both");
    expect((await second).result).toBe("both");
    void source.ask("m", { i: 1 }).catch(() => {});
    expect(model.sent).toHaveLength(2);
  });

  test("ignore replies to others and unknown messages", async () => {
    const request = source.ask("m", {});
    const sent = model.sent[0]!;
    model.reply({ ...sent, id: sent.id + 99 }, "not mine");
    model.reply(sent, "mine");
    model.reply(sent, "again");
    expect((await request).result).toBe("mine");
  });
});

describe("giving up", () => {
  test("an aborted request rejects, and its late reply is ignored", async () => {
    const abort = new AbortController();
    const request = caught(source.ask("m", {}, { signal: abort.signal }));
    abort.abort();
    expect(isAbort(await request)).toBe(true);
    expect(() => model.reply(model.sent[0]!, "late")).not.toThrow();
  });

  test("an aborted request in the queue is never sent", async () => {
    const busy = Array.from({ length: 4 }, (_, i) => caught(source.ask("m", { i })));
    const abort = new AbortController();
    const queued = caught(source.ask("queued", {}, { signal: abort.signal }));
    abort.abort();
    expect(isAbort(await queued)).toBe(true);
    for (const sent of [...model.sent]) model.reply(sent, 0);
    await Promise.all(busy);
    expect(model.sent.map((sent) => sent.method)).not.toContain("queued");
  });

  test("a newer request with the same key supersedes the older", async () => {
    const older = caught(source.ask("hover", { row: 1 }, { key: "hover" }));
    const newer = source.ask("hover", { row: 2 }, { key: "hover" });
    expect(isAbort(await older)).toBe(true);
    model.reply(model.sent[1]!, "newer");
    expect((await newer).result).toBe("newer");
  });

  test("what was left while the kernel worked on it is taken up again", async () => {
    const abort = new AbortController();
    const left = caught(source.ask("m", {}, { signal: abort.signal }));
    abort.abort();
    const again = source.ask("m", {});
    expect(model.sent).toHaveLength(1);
    model.reply(model.sent[0]!, "for both");
    expect(isAbort(await left)).toBe(true);
    expect((await again).result).toBe("for both");
  });

  test("one that shares a request may leave without the other", async () => {
    const abort = new AbortController();
    const leaving = caught(source.ask("m", {}, { signal: abort.signal }));
    const staying = source.ask("m", {});
    abort.abort();
    model.reply(model.sent[0]!, "kept");
    expect(isAbort(await leaving)).toBe(true);
    expect((await staying).result).toBe("kept");
  });

  test("without an answer the error can be retried, and the next request goes out", async () => {
    vi.useFakeTimers();
    const requests = Array.from({ length: 5 }, (_, i) => caught(source.ask("m", { i })));
    await vi.advanceTimersByTimeAsync(1001);
    expect(await requests[0]).toMatchObject({ type: "Timeout", retryable: true });
    expect(model.sent).toHaveLength(5);
  });

  test("what is done may take as long as it gives signs of life", async () => {
    vi.useFakeTimers();
    const told: object[] = [];
    const many = { candidates: ["red"], scorer: "csp", settings: {}, templates: "plain" as const, source: "", back_off: false };
    const labelled = caught(source.act("label_all", many, (progress) => told.push(progress)));
    const [request] = model.sent;
    await vi.advanceTimersByTimeAsync(1000 * LIMITS.label_all - 1);
    expect(source.late.value).toBe(false); // the kernel does it beside all else
    model.tell(request!, { done: 3, total: 9 });
    await vi.advanceTimersByTimeAsync(1000 * LIMITS.label_all - 1);
    model.tell(request!, { done: 6, total: 9 });
    expect(told).toEqual([{ done: 3, total: 9 }, { done: 6, total: 9 }]);
    await vi.advanceTimersByTimeAsync(1000 * LIMITS.label_all);
    expect(await labelled).toMatchObject({ type: "Timeout" });
    expect(model.sent).toHaveLength(1);
  });

  test("what is long is in nobody's way, and stops when it is told to", async () => {
    const many = { candidates: ["red"], scorer: "csp", settings: {}, templates: "plain" as const, source: "", back_off: false };
    const [one, other] = [new AbortController(), new AbortController()];
    const requests = Array.from({ length: 5 }, (_, i) => caught(source.ask("m", { i })));
    const stopped = caught(source.act("label_all", many, undefined, one.signal));
    expect(model.sent.map(({ method }) => method)).toEqual(["m", "m", "m", "m", "label_all"]);
    const request = model.sent[4]!;
    one.abort();
    expect(model.sent[5]).toEqual({ kind: "stop", id: request.id });
    const again = source.act("label_all", many, undefined, other.signal); // what stops is not this one's
    expect(model.sent[6]).toMatchObject({ kind: "request", method: "label_all" });
    model.fail(request, "Stopped", "Stopped at 3 of 9.");
    expect(await stopped).toMatchObject({ type: "Stopped", message: "Stopped at 3 of 9." });
    model.reply(model.sent[6]!, { labelled: 9, said: "" });
    expect(await again).toEqual({ labelled: 9, said: "" });
    other.abort();
    expect(model.sent).toHaveLength(7); // what is done is not stopped
    source.dispose();
    await Promise.all(requests);
  });

  test("each action has a limit of its own, and the kernel's end ends all", async () => {
    vi.useFakeTimers();
    const all = { candidates: [], scorer: "csp", settings: {}, templates: "plain" as const, source: "", back_off: false };
    const label = { layer: "layer1", neuron: 0, label: "red", score: null };
    const [one, many] = [source.act("accept", label), source.act("label_all", all)].map(caught);
    await vi.advanceTimersByTimeAsync(1000 * LIMITS.accept);
    expect(await one).toMatchObject({ type: "Timeout" });
    gone.value = true;
    expect(await many).toMatchObject({ type: "KernelGone" });
  });

  test("a connection that throws is said to be gone", async () => {
    vi.spyOn(model, "send").mockImplementation(() => {
      throw new Error("closed");
    });
    expect(await caught(source.ask("m", {}))).toMatchObject({ type: "KernelGone", retryable: true });
  });

  test("where the kernel is gone nothing waits and nothing is sent", async () => {
    const waiting = Array.from({ length: 6 }, (_, i) => caught(source.ask("m", { i })));
    gone.value = true;
    for (const one of await Promise.all(waiting)) expect(one).toMatchObject({ type: "KernelGone" });
    expect(await caught(source.ask("m", {}))).toMatchObject({ type: "KernelGone", retryable: true });
    expect(model.sent).toHaveLength(4);
    gone.value = false;
    const again = source.ask("m", {});
    model.reply(model.sent[4]!, "back");
    expect((await again).result).toBe("back");
  });

  test("says that it is late only while something waits for long", async () => {
    vi.useFakeTimers();
    source.dispose();
    source = new KernelSource(model, gone);
    const hover = (row: number) => caught(source.ask("hover", { row }, { key: "hover" }));
    void hover(1);
    await vi.advanceTimersByTimeAsync(2000);
    void hover(2); // nobody waits for the first any more
    await vi.advanceTimersByTimeAsync(2000);
    expect(source.late.value).toBe(false);
    await vi.advanceTimersByTimeAsync(1100);
    expect(source.late.value).toBe(true);
    model.reply(model.sent[1]!, "at last");
    expect(source.late.value).toBe(false);
  });

  test("after dispose nothing listens and nothing is sent", async () => {
    const request = caught(source.ask("m", {}));
    source.dispose();
    expect(isAbort(await request)).toBe(true);
    expect(isAbort(await caught(source.ask("m", {})))).toBe(true);
    expect(model.listening).toBe(0);
  });
});

describe("LruCache", () => {
  test("forgets the least recently used and frees it", () => {
    const freed: string[] = [];
    const cache = new LruCache<number, string>(2, (value) => freed.push(value));
    cache.set(1, "a");
    cache.set(2, "b");
    cache.get(1);
    cache.set(3, "c");
    expect(freed).toEqual(["b"]);
    expect([cache.get(1), cache.get(2), cache.get(3)]).toEqual(["a", undefined, "c"]);
    cache.clear();
    expect(freed.sort()).toEqual(["a", "b", "c"]);
  });
});

describe("a kernel at rest that owes an answer", () => {
  const wait = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);
  const patient = (idle: () => boolean) => {
    vi.useFakeTimers();
    source.dispose();
    source = new KernelSource(model, gone, 30_000, idle);
  };

  test("is asked once more, under the same number, and its first answer counts", async () => {
    patient(() => true);
    const reply = source.ask("a", { row: 1 });
    await wait(2900);
    expect(model.sent).toHaveLength(1);
    await wait(200);
    expect(model.sent).toHaveLength(2);
    expect(model.sent[1]).toEqual(model.sent[0]);
    expect(source.late.value).toBe(true);
    await wait(5000);
    expect(model.sent).toHaveLength(2);
    model.reply(model.sent[1]!, "here");
    model.reply(model.sent[0]!, "twice");
    expect((await reply).result).toBe("here");
    expect(source.late.value).toBe(false);
  });

  test("is left alone while it works, and never told twice to do something", async () => {
    let idle = false;
    patient(() => idle);
    const requests = [source.ask("a", {}), source.act("accept", { layer: "a", neuron: 0, label: "red", score: 1 })];
    for (const request of requests) request.catch(() => {});
    await wait(3500);
    expect(model.sent).toHaveLength(2);
    idle = true;
    source.ask("b", {}).catch(() => {}); // whatever comes next looks again
    await wait(100);
    expect(model.sent.map(({ method }) => method)).toEqual(["a", "accept", "b", "a"]);
  });
});

describe("the kernel behind a widget", () => {
  class Emitter {
    readonly slots = new Set<(sender: unknown, status?: unknown) => void>();
    connect = (slot: () => void) => this.slots.add(slot);
    disconnect = (slot: () => void) => this.slots.delete(slot);
    emit = (status?: string) => this.slots.forEach((slot) => slot(null, status));
  }
  const place = (className = "") => {
    const outer = Object.assign(document.createElement("div"), { className });
    return outer.appendChild(document.createElement("div"));
  };
  const lab = () => {
    const kernel = { statusChanged: new Emitter(), disposed: new Emitter() };
    return { kernel, model: Object.assign(new FakeModel({}), { widget_manager: { kernel } }) };
  };

  test("is taken to be there where the front end says nothing", () => {
    const [away, stop] = followKernel(model, place());
    expect(away.value).toBe(false);
    stop();
    expect(model.listening).toBe(1); // the requests'
  });

  test("is gone for a widget out of a saved notebook, and back with its comm", async () => {
    const el = place("jupyter-widgets-disconnected");
    const [away, stop] = followKernel(model, el);
    expect(away.value).toBe(true);
    model.emit("comm_live_update");
    el.parentElement!.className = ""; // as the view does, in whatever order
    await Promise.resolve();
    expect(away.value).toBe(false);
    stop();
  });

  test.each(["dead", "restarting", "autorestarting", "terminating"])("is gone when %s", (end) => {
    const { kernel, model: known } = lab();
    const [away, stop] = followKernel(known, place());
    for (const status of ["busy", "idle"]) kernel.statusChanged.emit(status);
    expect(away.value).toBe(false);
    kernel.statusChanged.emit(end);
    kernel.statusChanged.emit("idle"); // of the next kernel
    expect(away.value).toBe(true);
    stop();
    expect(kernel.statusChanged.slots.size + kernel.disposed.slots.size).toBe(0);
  });

  test("is gone when another one is chosen", () => {
    const { kernel, model: known } = lab();
    const [away, stop] = followKernel(known, place());
    kernel.disposed.emit();
    expect(away.value).toBe(true);
    stop();
  });
});
