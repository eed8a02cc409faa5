import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { inBrowser, until, type Request } from "../fake-model";
import { endViews, enter, EVIL, jpeg } from "../neuron/panel-world";
import { labels, open } from "./review-world";

let picture: DataView;
beforeAll(async () => {
  // Without a browser nothing tells what is in view: all is.
  if (!inBrowser) vi.stubGlobal("IntersectionObserver", undefined);
  picture = await jpeg();
});
afterEach(endViews);

const ready = async (view: ReturnType<typeof open>) => {
  await until(() => view.find("[data-row]") && view.find(".slw-review-choices > button"));
  return view;
};

describe("the table of labels", () => {
  test("shows each neuron with its label, whose it is, pictures, numbers and others to choose", async () => {
    const all = labels();
    all[0] = { ...all[0]!, label: "dashed", source: "person" };
    all[4] = { ...all[4]!, label: "", source: "person" };
    const { el, texts, rowOf, find } = await ready(open(picture, {}, undefined, all));
    el.style.width = "900px"; // where there is room for every picture
    expect(texts(".slw-review-text")).toEqual(
      ["dashed", EVIL, "unknown", "dotted", "no label fits", "plain"]);
    expect(rowOf(0).querySelector(".slw-review-person")!.getAttribute("title"))
      .toBe("Given by a person, instead of “striped”");
    expect(rowOf(3).textContent).toContain("unsure");
    await until(() => rowOf(1).querySelectorAll("img").length === 2);
    expect([...rowOf(1).querySelectorAll(".slw-review-choices button")].map(({ textContent }) => textContent))
      .toEqual(["other 1" + "0.40", EVIL]);
    expect([...rowOf(1).querySelectorAll(".slw-number")].map(({ textContent }) => textContent)).toEqual(["0.90", "0.10"]);
    expect(el.querySelector("[onerror]")).toBeNull();
    expect(find("[role=grid]")!.getAttribute("aria-rowcount")).toBe("7");
  });

  test("draws only the rows in view of many", async () => {
    const { order, find } = await ready(open(picture, {}, undefined, labels(2048)));
    expect(order().length).toBeLessThan(30);
    expect(find(".slw-review-body")!.style.height).toBe(`${2048 * 62}px`);
    const table = find(".slw-review-table")!;
    table.scrollTop = 62 * 1000;
    table.dispatchEvent(new Event("scroll"));
    await until(() => order().includes(1003));
    expect(order()).toContain(0); // the one stop of the tab key
    expect(order().length).toBeLessThan(30);
  });

  test("a click selects and makes active, with Shift and Ctrl more", async () => {
    const { model, rowOf, click, selected, press, find, chosen } = await ready(open(picture));
    click(rowOf(1));
    expect(selected()).toEqual([1]);
    expect(model.traits.active).toEqual({ layer: "layer3", neuron: 1 });
    await until(() => chosen(1) === "true");
    click(rowOf(3), { shiftKey: true });
    await until(() => chosen(3) === "true");
    expect(selected()).toEqual([1, 2, 3]);
    click(rowOf(2), { ctrlKey: true });
    await until(() => chosen(2) === "false");
    expect(selected()).toEqual([1, 3]);
    press(rowOf(3), "a", { ctrlKey: true });
    expect(selected()).toEqual([0, 1, 2, 3, 4, 5]);
    await until(() => find(".slw-review-count b")!.textContent === "6");
    press(rowOf(3), "Escape");
    expect(selected()).toEqual([]);
  });

  test("by keys: to walk, to select, and to accept, reject and choose", async () => {
    const { rowOf, press, selected, given, kept } = await ready(open(picture));
    rowOf(0).focus();
    press(rowOf(0), "ArrowDown");
    await until(() => document.activeElement === rowOf(1));
    press(rowOf(1), "ArrowDown", { shiftKey: true });
    await until(() => document.activeElement === rowOf(2));
    expect(selected()).toEqual([1, 2]);
    press(rowOf(2), "r");
    await until(() => kept[1]!.label === "" && kept[2]!.label === "");
    expect(given()).toEqual([{ rows: [1, 2], how: "reject", label: "", theirs: "ask" }]);
    press(rowOf(4), "1"); // not selected: itself alone
    await until(() => kept[4]!.label === "other 4");
    press(rowOf(0), "a");
    await until(() => kept[0]!.source === "person");
    expect(given().slice(1).map(({ rows, how, label }) => [rows, how, label])).toEqual(
      [[[4], "set", "other 4"], [[0], "accept", ""]]);
    await until(() => rowOf(1).textContent!.includes("no label fits"));
  });

  test("for all selected: accepted, what has no label said; one label; taken back", async () => {
    const { button, find, given, kept, press, rowOf, click } = await ready(open(picture));
    expect((button("Accept")! as HTMLButtonElement).disabled).toBe(true);
    press(rowOf(0), "a", { ctrlKey: true });
    await until(() => !(button("Accept")! as HTMLButtonElement).disabled);
    button("Accept")!.click();
    await until(() => find(".slw-review-told")!.textContent === "5 accepted; 1 has no label to accept.");
    expect(kept.map(({ source }) => source)).toEqual(["person", "person", "csp", "person", "person", "person"]);
    click(rowOf(2));
    const field = find('[aria-label="One label for all selected"]')!;
    enter(field, "  odd ");
    await until(() => !(button("Set")! as HTMLButtonElement).disabled);
    button("Set")!.click();
    await until(() => kept[2]!.label === "  odd ");
    expect((field as HTMLInputElement).value).toBe("");
    button("Take back")!.click();
    await until(() => given().length === 3);
    expect(given().at(-1)).toMatchObject({ rows: [2], how: "clear", theirs: "ask" });
  });

  test("people's labels are asked about, and kept, replaced or left", async () => {
    const all = labels();
    all[0]!.source = "person";
    const { button, find, given, kept, press, rowOf, chosen } = await ready(open(picture, {}, undefined, all));
    press(rowOf(0), "a", { ctrlKey: true });
    await until(() => chosen(5) === "true");
    const ask = async () => {
      button("Reject")!.click();
      await until(() => find("[role=alertdialog]"));
    };
    await ask();
    expect(find("[role=alertdialog]")!.textContent).toContain("Reject 6 labels? 1 label of these was given by people.");
    button("Cancel")!.click();
    await until(() => !find("[role=alertdialog]"));
    expect(find(".slw-review-told")!.textContent).toBe("Nothing was changed.");
    expect(kept.map(({ label }) => label)).toEqual(labels().map(({ label }) => label));
    await ask();
    button("Keep theirs")!.click();
    await until(() => find(".slw-review-told")!.textContent ===
      "5 rejected: no label fits; 1 that people gave kept.");
    expect(kept.map(({ label }) => label)).toEqual(["striped", "", "", "", "", ""]);
    await ask();
    button("Overwrite")!.click();
    await until(() => kept[0]!.label === "");
    expect(given().map(({ theirs }) => theirs)).toEqual(["ask", "ask", "keep", "ask", "replace"]);
  });

  test("a label is edited in place, and typing is no command", async () => {
    const { rowOf, press, given, find, kept } = await ready(open(picture));
    press(rowOf(1), "e");
    const field = await until(() => rowOf(1).querySelector<HTMLInputElement>(".slw-input"));
    await until(() => document.activeElement === field);
    expect(field.value).toBe(EVIL);
    press(field, "r");
    press(field, "a", { ctrlKey: true });
    enter(field, "rough");
    await until(() => field.value === "rough");
    press(field, "Escape");
    await until(() => !rowOf(1).querySelector(".slw-input") && document.activeElement === rowOf(1));
    expect(given()).toEqual([]);
    rowOf(1).querySelector(".slw-review-text")!.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    const again = await until(() => rowOf(1).querySelector<HTMLInputElement>(".slw-input"));
    enter(again, "rough");
    await until(() => again.value === "rough");
    press(again, "Enter");
    await until(() => kept[1]!.label === "rough" && find('[data-row="1"] .slw-review-text')?.textContent === "rough");
    expect(given()).toEqual([{ rows: [1], how: "set", label: "rough", theirs: "ask" }]);
  });

  test("steps are undone and done again by button and key, and what stays is said", async () => {
    const { model, find, asked, press, rowOf } = await ready(open(picture));
    expect((find("[aria-label=Undo]") as HTMLButtonElement).disabled).toBe(true);
    model.written("_undo", "accept");
    await until(() => !(find("[aria-label=Undo]") as HTMLButtonElement).disabled);
    expect((find("[aria-label=Undo]") as HTMLButtonElement).title).toBe("Undo: accept (Ctrl+Z)");
    (find("[aria-label=Undo]") as HTMLButtonElement).click();
    await until(() => find(".slw-review-told")!.textContent ===
      "2 labels as before; 1 has been changed since and stays.");
    press(rowOf(0), "z", { ctrlKey: true });
    press(rowOf(0), "z", { ctrlKey: true, shiftKey: true });
    await until(() => asked("step_labels").length === 3);
    expect(asked("step_labels").map(({ params }) => params.back)).toEqual([true, true, false]);
  });

  test("one thing after the other: what follows waits for its turn", async () => {
    let held: Request | null = null;
    const { rowOf, press, asked, model, find } = await ready(open(picture, {}, (request) => {
      if (request.method !== "give_labels" || held) return undefined;
      held = request;
      return null;
    }));
    press(rowOf(0), "a");
    press(rowOf(0), "z", { ctrlKey: true });
    await until(() => held && find(".slw-review-told")!.textContent === "Working …");
    expect(asked("step_labels")).toEqual([]);
    model.fail(held!, "OSError", "the disk is full");
    await until(() => asked("step_labels").length === 1);
  });

  test("what goes wrong is said in place, line by line, and nothing else is lost", async () => {
    const message = "The file, line 3: there is no neuron '<b>' here.\nThe file, line 4: …";
    const { model, find, asked, button, all } = await ready(open(picture, {},
      (request) => (request.method === "read_labels" ? null : undefined)));
    const chooser = find("input[type=file]") as HTMLInputElement;
    const transfer = new DataTransfer();
    transfer.items.add(new File(["layer,neuron,label\n"], "mine.csv"));
    Object.defineProperty(chooser, "files", { value: transfer.files, configurable: true });
    chooser.dispatchEvent(new Event("change", { bubbles: true }));
    await until(() => asked("read_labels").length === 1);
    expect(atob(asked("read_labels")[0]!.params.data as string)).toBe("layer,neuron,label\n");
    model.fail(asked("read_labels")[0]!, "ValueError", message);
    await until(() => find("[role=alert]"));
    expect(find("[role=alert]")!.textContent).toContain(message);
    expect(find("[role=alert] b")).toBeNull();
    expect(all("[data-row]")).toHaveLength(6);
    button("Retry")!.click();
    await until(() => asked("read_labels").length === 2);
    model.reply(asked("read_labels")[1]!, { changed: 0, people: 2, without: 0, asked: true });
    await until(() => find("[role=alertdialog]"));
    button("Overwrite")!.click();
    await until(() => asked("read_labels").length === 3);
    expect(asked("read_labels")[2]!.params.theirs).toBe("replace");
    model.reply(asked("read_labels")[2]!, { changed: 2, people: 0, without: 0, asked: false });
    await until(() => find(".slw-review-told")!.textContent === "2 labels from the file.");
  });

  test("a row that a filter takes away hands the focus on, and what is hidden is counted", async () => {
    const { rowOf, press, kept, order, find, model, click } = await ready(open(picture, { show: "unknown" }));
    expect(order()).toEqual([2, 3]);
    click(rowOf(2));
    rowOf(2).focus();
    kept[2]!.flags = 0;
    press(rowOf(2), "r");
    await until(() => order().join() === "3" && document.activeElement === rowOf(3));
    await until(() => find(".slw-review-count")!.textContent === "1 selected (1 not shown)");
    model.written("show", "changed");
    await until(() => find(".slw-state")?.textContent === "No neuron is like that.");
  });

  test("labels changed elsewhere are fetched; other rows keep what they show", async () => {
    const { model, kept, rowOf, asked } = await ready(open(picture));
    const before = asked("offers").length;
    kept[5]!.label = "new";
    model.written("_revision", 1);
    await until(() => rowOf(5).querySelector(".slw-review-text")!.textContent === "new");
    await until(() => asked("offers").length === before + 1);
    expect(asked("offers").at(-1)!.params.rows).toEqual([5]);
  });

  test("how sure labels are is asked for once, and told on the way", async () => {
    const { button, model, asked, find } = await ready(open(picture));
    button("How sure?")!.click();
    await until(() => asked("judge_labels").length === 1);
    model.tell(asked("judge_labels")[0]!, { done: 3, total: 6 });
    await until(() => find(".slw-review-told")!.textContent === "Judging labels: 3 of 6");
    expect((button("How sure?")! as HTMLButtonElement).disabled).toBe(true);
    model.reply(asked("judge_labels")[0]!, {});
    await until(() => !(button("How sure?")! as HTMLButtonElement).disabled);
  });

  test("leaves nothing behind", async () => {
    const { model, stop } = await ready(open(picture));
    stop();
    expect(model.listening).toBe(0);
  });
});
