import { afterEach, describe, expect, test, vi } from "vitest";
import { signal } from "@preact/signals";
import { ColumnStore, valueAt, type Embedded } from "../../src/source/columns";
import { render } from "../../src/map/map";
import { readRoster } from "../../src/explorer/roster";
import { KernelSource } from "../../src/source/kernel-source";
import { FakeModel, inBrowser, until } from "../fake-model";
import { bytes, CLARITY, DATA, NONE, show, traits, views } from "./world";
import { coded } from "../labels";

afterEach(() => {
  vi.useRealTimers();
});

/** A kernel that has the four neurons, and fails where it is told to. */
function kernel(failing: Set<string>) {
  const columns: Embedded = { ...DATA, clarity: { ...CLARITY, data: bytes(Float32Array.of(0, 0.5, 1, 0.2)) } };
  const model: FakeModel<any> = new FakeModel<any>(
    traits({ _data: {}, _labels: null, _columns: [
      ...traits()._columns, { name: "label", title: "Label", kind: "category", empty: false },
    ] }),
    (request) => {
      const { method, params } = request;
      const name = method === "labels" ? "labels" : String(params.name);
      if (failing.has(name)) {
        queueMicrotask(() => model.fail(request, "OSError", `the disk has no ${name}`));
        return undefined;
      }
      if (name === "labels") {
        return { result: { kind: "labels", names: ["ox", ""] }, buffers: [bytes(Uint32Array.of(0, 0, 1, 0))] };
      }
      const { data, ...meta } = columns[name] ?? {};
      return data && { result: meta, buffers: [data] };
    },
  );
  return model;
}

describe.skipIf(!inBrowser)("columns that are asked for", () => {
  test("many neurons are asked for, column by column", async () => {
    const el = document.createElement("div");
    document.body.append(el);
    const model = new FakeModel(traits({ _data: {}, _labels: coded([]) }), ({ method, params }) => {
      const { data, ...meta } = DATA[String(params.name)] ?? {};
      return method === "column" ? { result: meta, buffers: [data!] } : undefined;
    });
    views.push({ el, cleanup: render({ model, el }), model });
    expect(el.querySelector(".slw-map-loading")!.textContent).toContain("Loading 4 neurons");
    await until(() => model.sent.length === 4 && !el.querySelector(".slw-map-loading"));
    const names = model.sent.map((request) => request.params.name);
    expect(names.sort()).toEqual(["layer", "neuron", "x", "y"]);
  });

  test("neurons that do not come are told, and asked for again", async () => {
    const el = document.createElement("div");
    document.body.append(el);
    const model = new FakeModel(traits({ _data: {}, _labels: coded([]) }));
    views.push({ el, cleanup: render({ model, el }), model });
    const asked = await until(() => model.sent.find((request) => request.params.name === "x"));
    model.fail(asked, "ValueError", "the store is locked");
    await until(() => el.textContent!.includes("the store is locked"));
    const before = model.sent.length;
    for (const request of model.sent) {
      if (request !== asked) model.fail(request, "ValueError", "the store is locked");
    }
    el.querySelector<HTMLButtonElement>(".slw-map-state button")!.click();
    await until(() => model.sent.length > before);
  });

  test("many labels are fetched once the map is there", async () => {
    const codes = bytes(Uint32Array.of(0, 0, 1, 0));
    const columns = [{ name: "label", title: "Label", kind: "category", empty: false }] as const;
    const { find, pointer, corner } = await show({ _labels: null, _columns: [...columns] }, (request) =>
      request.method === "labels" ? { result: { kind: "labels", names: ["far", "near"] }, buffers: [codes] } : undefined,
    );
    pointer("pointermove", corner(2));
    await until(() => find(".slw-map-card")?.textContent?.includes("near"));
  });


  test("one that fails is told beside the map, and comes when it is asked for again", async () => {
    const failing = new Set(["clarity"]);
    const model = kernel(failing);
    const el = document.createElement("div");
    document.body.append(el);
    views.push({ el, cleanup: render({ model, el }), model });
    await until(() => el.querySelector(".slw-map-stage[data-renderer=webgl]"));
    model.set("color_by", "clarity");
    const alert = await until(() => el.querySelector("[role=alert]"));
    expect(alert.textContent).toContain("the disk has no clarity");
    expect(alert.textContent).toContain("Not there yet: Clarity");
    expect(el.querySelector(".slw-map-stage")).not.toBeNull();
    failing.clear();
    [...alert.querySelectorAll("button")].find((one) => one.textContent === "Retry")!.click();
    await until(() => el.querySelector(".slw-map-ramp") && !el.querySelector("[role=alert]"));
  });

  test("the colours of before stay and can be gone back to", async () => {
    const model = kernel(new Set(["clarity"]));
    const el = document.createElement("div");
    document.body.append(el);
    views.push({ el, cleanup: render({ model, el }), model });
    await until(() => el.querySelector(".slw-map-stage[data-renderer=webgl]"));
    model.set("color_by", "clarity");
    const back = await until(() =>
      [...el.querySelectorAll("button")].find((one) => one.textContent === "Back to Layer"));
    back.click();
    expect(model.get("color_by")).toBe("layer");
  });

  test("labels that fail are told and come", async () => {
    const failing = new Set(["labels"]);
    const model = kernel(failing);
    const el = document.createElement("div");
    document.body.append(el);
    views.push({ el, cleanup: render({ model, el }), model });
    const alert = await until(() => el.querySelector("[role=alert]"));
    expect(alert.textContent).toContain("the labels");
    failing.clear();
    alert.querySelector("button")!.click();
    model.set("active", { layer: "early", neuron: 0 });
    await until(() => el.querySelector(".slw-map-active strong")?.textContent === "ox");
  });

  test("states say nothing of what has come", async () => {
    const { el } = await show();
    expect(el.querySelector("[role=alert]")).toBeNull();
  });

  test("what failed is asked for again by itself, later and later, and not for ever", async () => {
    vi.useFakeTimers();
    const failing = new Set(["clarity"]);
    const model = kernel(failing);
    const store = new ColumnStore({
      data: signal({}), labels: signal(null), revision: signal(1), count: signal(4),
    }, new KernelSource(model));
    store.read("clarity");
    await vi.advanceTimersByTimeAsync(200_000);
    const asked = model.sent.length;
    expect(asked).toBeGreaterThan(2);
    expect(asked).toBeLessThan(8);
    expect(store.failures.value.get("clarity")?.message).toBe("the disk has no clarity");
    failing.clear();
    store.retry();
    await vi.advanceTimersByTimeAsync(0);
    expect(store.read("clarity")?.values).toHaveLength(4);
    expect(store.failure.value).toBeNull();
    store.dispose();
  });

  test("the explorer's measures and lists heal, and hold labels of many neurons", async () => {
    vi.useFakeTimers();
    const failing = new Set(["layer", "clarity", "labels"]);
    const model = kernel(failing);
    const roster = readRoster(model);
    model.set("_selected", new DataView(Uint8Array.of(0b0101).buffer));
    void roster.selected.value;
    const first = { layer: "early", neuron: 1 };
    expect(roster.measures(first)).toEqual([]);
    await vi.advanceTimersByTimeAsync(10);
    expect(roster.failure.value?.message).toContain("the disk has no");
    failing.clear();
    await vi.advanceTimersByTimeAsync(5000);
    void roster.measures(first);
    void roster.selected.value;
    await vi.advanceTimersByTimeAsync(5000);
    expect(roster.measures(first)).toMatchObject([{ name: "clarity", value: 0.5, share: 1 }]);
    expect(roster.selected.value.hits.map(({ label }) => label)).toEqual(["ox", ""]);
    expect(roster.failure.value).toBeNull();
    roster.stop();
  });

  test("new columns are read in whichever order their traits are told", () => {
    const [data, revision] = [signal<Embedded>(DATA), signal(1)];
    const source = new KernelSource(new FakeModel<any>({}));
    const store = new ColumnStore({ data, labels: signal(null), revision, count: signal(4) }, source);
    expect(store.read("x")?.values[0]).toBe(-1);
    revision.value = 2;
    data.value = { ...DATA, x: { kind: "place", data: bytes(Float32Array.of(7, 7, 7, 7)) } };
    expect(store.read("x")?.values[0]).toBe(7);
    store.dispose();
  });

  test("flags travel as bits", () => {
    const data = signal<Embedded>({ unsure: { kind: "flags", data: new DataView(Uint8Array.of(0b1010).buffer) } });
    const store = new ColumnStore(
      { data, labels: signal(null), revision: signal(1), count: signal(4) },
      new KernelSource(new FakeModel<any>({})),
    );
    expect([...store.read("unsure")!.values]).toEqual([0, 1, 0, 1]);
    expect(NONE().byteLength).toBe(0);
    store.dispose();
  });
});

test("codes of few categories take a byte each, and the highest is missing in both lengths", () => {
  const legend = (data: DataView) => ({ name: "layer", title: "Layer", kind: "category" as const,
    names: ["a", "b"], counts: [1, 1], missing: 1, data });
  const data = signal<Embedded>({ short: legend(new DataView(Uint8Array.of(1, 0, 255).buffer)),
    long: legend(bytes(Uint16Array.of(1, 0, 0xffff))) });
  const sources = { data, labels: signal(null), revision: signal(1), count: signal(3) };
  const store = new ColumnStore(sources, new KernelSource(new FakeModel({})));
  for (const name of ["short", "long"]) {
    const column = store.read(name)!;
    expect([0, 1, 2].map((row) => valueAt(column, row))).toEqual([1, 0, NaN]);
  }
  store.dispose();
});
