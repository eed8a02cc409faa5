// What the card at the pointer says of a neuron, and what it asks the kernel for.
import { describe, expect, test } from "vitest";
import { inBrowser, until } from "../fake-model";
import { show } from "./world";

describe.skipIf(!inBrowser)("the card of a neuron", () => {
  test("hovering shows the card at once, then the examples", async () => {
    const { find, pointer, corner, model } = await show();
    pointer("pointermove", corner(0));
    const card = await until(() => find(".slw-map-card"));
    expect(card.textContent).toContain("early / 0");
    expect(card.textContent).toContain("ox");
    expect(card.querySelectorAll(".slw-skeleton")).toHaveLength(4);
    expect(model.sent).toHaveLength(0);
    await until(() => find(".slw-map-card img"));
    expect(card.textContent).toContain("Clarity");
    expect(find<HTMLImageElement>(".slw-map-card img")!.alt).toBe("Example 1: ox");
    pointer("pointerleave", {});
    await until(() => !find(".slw-map-card"));
  });

  test("a neuron seen before asks the kernel nothing", async () => {
    const { find, pointer, corner, model } = await show();
    for (const c of [0, 1, 0]) {
      pointer("pointermove", corner(c));
      await until(() => find(".slw-map-card img") && find(".slw-mono")!.textContent!.endsWith(`${c}`));
    }
    expect(model.sent.map((request) => request.params.row)).toEqual([0, 1]);
  });

  test("after new labels the kernel is asked again", async () => {
    const { find, pointer, corner, model } = await show();
    pointer("pointermove", corner(0));
    await until(() => find(".slw-map-card img"));
    model.set("_revision", 2);
    await until(() => model.sent.length === 2);
  });

  test("passing over neurons asks for none of them", async () => {
    const { pointer, corner, model, find } = await show();
    for (const c of [0, 1, 2, 3]) pointer("pointermove", corner(c));
    pointer("pointerleave", {});
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(model.sent).toHaveLength(0);
    expect(find(".slw-map-card")).toBeNull();
  });

  test("an error of the kernel is told on the card", async () => {
    const { find, pointer, corner, model } = await show({}, null);
    pointer("pointermove", corner(2));
    await until(() => model.sent[0]);
    model.fail(model.sent[0]!, "LensUnavailable", "the images are gone");
    await until(() => find(".slw-map-card .slw-error")?.textContent === "the images are gone");
  });

  test("labels are text, never markup", async () => {
    const { find, pointer, corner } = await show({}, null);
    pointer("pointermove", corner(3));
    const card = await until(() => find(".slw-map-card"));
    expect(card.textContent).toContain("<img src=x");
    expect(card.querySelector("img")).toBeNull();
  });
});
