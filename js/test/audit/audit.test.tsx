import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { hearMark } from "../../src/shared/links";
import { rowsOfBits } from "../../src/source/bits";
import { uint8, type Neuron } from "../../src/source/model";
import { inBrowser, until, type Request } from "../fake-model";
import { endViews, enter, EVIL, jpeg } from "../neuron/panel-world";
import { audit, kernel, row, said } from "./audit-world";

let picture: DataView;
beforeAll(async () => {
  picture = await jpeg();
});
afterEach(endViews);

const drawn = () => new Promise(requestAnimationFrame);
const n = (neuron: number, layer = "layer4"): Neuron => ({ layer, neuron });
const open = (change = {}, changed?: (request: Request) => any) =>
  audit(kernel(picture, changed).answer, change);

describe.runIf(inBrowser)("an audit", () => {
  test("shows its sums, every neuron in plot and table, and foreign text as text", async () => {
    const { el, find, texts, all } = open();
    await until(() => all(".slw-audit-body [role=row]").length === 6);
    expect(find("h2")!.textContent).toBe(`On what “star ${EVIL}” rests`);
    expect(texts(".slw-sums li b")).toEqual(["10.0 %", "10.0 %", "10.0 %", "60.0 %", "10.0 %"]);
    expect(texts(".slw-sums li > span:nth-child(2)")).toEqual(
      ["spurious", "both", "unexpected", "valid", "weak"]);
    expect(all(".slw-plot path.slw-verdict")).toHaveLength(6);
    expect(all(".slw-plot-chance")).toHaveLength(2);
    expect(all(".slw-plot-corner")).toHaveLength(1);
    expect(texts(".slw-audit-body .slw-mono")).toEqual(["0", "1", "2", "3", "4", "5"]);
    expect(texts(".slw-audit-body .slw-ellipsis")[1]).toBe(EVIL);
    expect(el.querySelector("[onerror]")).toBeNull();
    expect(find(".slw-audit-about")!.textContent).toContain("fur: brown fur, hair");
    expect(find(".slw-audit-about")!.textContent).toContain("There are too few other images.");
  });

  test("what is flagged and not set aside is selected, for the map and an intervention", async () => {
    const { model, find, press, rowOf, decided } = open();
    await until(() => rowOf(0));
    const button = () => [...find(".slw-controls")!.querySelectorAll("button")]
      .find(({ textContent }) => textContent!.includes("flagged"))!;
    expect(button().textContent).toBe("Select 2 flagged"); // spurious and both
    const selected = () => rowsOfBits(uint8(model.get("_selected")), 12);
    button().click();
    expect([...selected()]).toEqual([6, 10]);
    press(rowOf(0), "r");
    await until(() => decided().length === 1 && button().textContent === "Select 1 flagged");
    button().click();
    expect([...selected()]).toEqual([10]);
    press(rowOf(4), "i");
    await until(() => button().disabled);
  });

  test("a click on a row or a point makes the neuron active and shows what stands behind it", async () => {
    const { model, rowOf, find, all, texts } = open();
    await until(() => rowOf(2));
    rowOf(2).click();
    expect(model.traits.active).toEqual(n(2));
    await until(() => find(".slw-audit-evidence"));
    find(".slw-audit-evidence")!.scrollIntoView();
    await until(() => all(".slw-audit-tiles img").length === 2 && all(".slw-heat").length === 2);
    expect(find(".slw-finding-verdict b")!.textContent).toBe("unexpected");
    expect(texts(".slw-fits tbody tr")).toEqual(["validstar of shape0.400.200", "spuriousmark 2 of text0.700.010"]);
    expect(rowOf(2).ariaSelected).toBe("true");
    const [one] = all(".slw-plot path.slw-verdict-valid") as unknown as SVGPathElement[];
    const { left, top, width, height } = one!.getBoundingClientRect();
    find(".slw-plot")!.dispatchEvent(new MouseEvent("click",
      { clientX: left + width / 2, clientY: top + height / 2, bubbles: true }));
    expect(model.traits.active).toEqual(n(1));
    await until(() => texts(".slw-heading .slw-mono")[0] === "layer4 / 1");
    expect(find(".slw-finding-verdict b")!.textContent).toBe("valid");
  });

  test("the table is sorted by a click, in the order that Python is told", async () => {
    const { model, all, texts, button } = open();
    await until(() => all(".slw-audit-body [role=row]").length === 6);
    button("Valid")!.click();
    expect(model.traits.sort_by).toBe("valid");
    await until(() => texts(".slw-audit-body .slw-mono").join() === "5,4,3,2,1,0");
    button("Verdict")!.click();
    await until(() => texts(".slw-audit-body .slw-mono").join() === "0,4,2,1,3,5");
    expect(all("[aria-sort=ascending]").map((one) => one.textContent)).toEqual(["Verdict ↓"]);
  });

  test("keys decide about the focused row; what shows is what the kernel says is kept", async () => {
    const { press, rowOf, decided, texts } = open({}, ({ method, params }: any) =>
      method === "decide" && params.neuron === 1
        ? { result: { ...n(1), decision: "ignore", note: "", decided: "2026-01-02" } }
        : undefined);
    await until(() => rowOf(0));
    rowOf(0).focus();
    press(rowOf(0), "R");
    await until(() => rowOf(0).dataset.decision === "reject");
    press(rowOf(0), "ArrowDown");
    await until(() => document.activeElement === rowOf(1));
    press(rowOf(1), "a"); // asked to accept, the kernel has kept something else
    await until(() => rowOf(1).dataset.decision === "ignore");
    expect(decided()).toEqual([[0, "reject"], [1, "accept"]]);
    expect(texts(".slw-audit-body .slw-audit-decision").slice(0, 3)).toEqual(["rejected", "ignored", ""]);
    press(rowOf(0), "a", { ctrlKey: true });
    press(rowOf(0), "x");
    await drawn();
    expect(decided()).toHaveLength(2);
  });

  test("decisions are undone and redone by key and button, not while a text is written", async () => {
    const { press, rowOf, decided, find, button } = open({ active: n(0) });
    await until(() => rowOf(0) && find(".slw-deciding input"));
    press(rowOf(0), "a");
    press(rowOf(0), "i");
    await until(() => rowOf(0).dataset.decision === "ignore");
    press(rowOf(0), "z", { ctrlKey: true });
    await until(() => rowOf(0).dataset.decision === "accept");
    press(find(".slw-deciding input")!, "z", { ctrlKey: true });
    button("Undo")!.click();
    await until(() => rowOf(0).dataset.decision === undefined);
    await until(() => (button("Undo") as HTMLButtonElement).disabled);
    press(rowOf(0), "z", { ctrlKey: true, shiftKey: true });
    await until(() => rowOf(0).dataset.decision === "accept");
    press(rowOf(0), "y", { metaKey: true });
    await until(() => rowOf(0).dataset.decision === "ignore");
    expect(decided().map(([, decision]) => decision)).toEqual(
      ["accept", "ignore", "accept", "", "accept", "ignore"]);
    expect((button("Redo") as HTMLButtonElement).disabled).toBe(true);
  });

  test("a note is kept with the decision", async () => {
    const { find, button, press, asked, texts } = open({ active: n(0) });
    await until(() => find(".slw-deciding input"));
    enter(find(".slw-deciding input")!, "the sky");
    await drawn();
    button("Reject")!.click();
    await until(() => texts(".slw-deciding p")[0] === "rejected on 2026-01-02: the sky");
    enter(find(".slw-deciding input")!, `no, ${EVIL}`);
    await drawn();
    press(find(".slw-deciding input")!, "Enter");
    await until(() => texts(".slw-deciding p")[0]?.endsWith(EVIL));
    expect(asked("decide").map(({ params }: any) => [params.decision, params.note])).toEqual(
      [["reject", "the sky"], ["reject", `no, ${EVIL}`]]);
    button("Take back")!.click();
    await until(() => texts(".slw-deciding p").length === 0);
    expect((find(".slw-deciding input") as HTMLInputElement).value).toBe("");
  });

  test("a decision that is not kept does not show, says why, and can be tried again", async () => {
    let locked = true;
    const { model, rowOf, press, find, button } = open({ active: n(0) }, (request) => {
      if (request.method !== "decide" || !locked) return undefined;
      queueMicrotask(() => model.fail(request, "StoreError", "Open for reading only."));
      return null;
    });
    await until(() => rowOf(0) && find(".slw-deciding"));
    press(rowOf(0), "a");
    await until(() => find(".slw-deciding [role=alert]")?.textContent?.includes("Open for reading only."));
    expect(rowOf(0).dataset.decision).toBeUndefined();
    expect((button("Undo") as HTMLButtonElement).disabled).toBe(true);
    locked = false;
    button("Retry")!.click();
    await until(() => rowOf(0).dataset.decision === "accept");
    expect(find("[role=alert]")).toBeNull();
  });

  test("a decision that a busy kernel keeps too late takes its alarm back", async () => {
    const { answer, kept } = kernel(picture, (request) => {
      if (request.method !== "decide") return undefined;
      queueMicrotask(() => view.model.fail(request, "Timeout", "The kernel has not answered."));
      return null;
    });
    const view = audit(answer);
    await until(() => view.rowOf(3));
    view.rowOf(3).focus();
    view.press(view.rowOf(3), "a");
    await until(() => view.find("[role=alert]")?.textContent?.includes("layer4 / 3"));
    kept.set("x", { ...n(3), decision: "accept", note: "", decided: "2026-01-02" });
    view.model.set("_decided", 1);
    await until(() => view.rowOf(3).dataset.decision === "accept");
    expect(view.find("[role=alert]")).toBeNull();
  });

  test("what is decided elsewhere shows when the kernel tells", async () => {
    const { answer, kept } = kernel(picture);
    const { model, rowOf } = audit(answer);
    await until(() => rowOf(3));
    kept.set("x", { ...n(3), decision: "accept", note: "", decided: "2026-01-02" });
    model.set("_decided", 1);
    await until(() => rowOf(3).dataset.decision === "accept");
  });

  test("the plot is walked by arrows and told to whoever is linked; a mark from there shows", async () => {
    const { el, model, find, press, texts } = open();
    await until(() => find(".slw-plot svg path.slw-verdict"));
    const told: (Neuron | null)[] = [];
    el.addEventListener("slw-pointed", (event) => told.push((event as CustomEvent).detail));
    const plot = find(".slw-plot")!;
    press(plot, "ArrowRight"); // the heaviest first
    await until(() => texts(".slw-plot-card b")[0] === "label 0");
    press(plot, "ArrowRight");
    await until(() => texts(".slw-plot-card b")[0] === EVIL);
    expect(told).toEqual([n(0), n(1)]);
    press(plot, "Enter");
    expect(model.traits.active).toEqual(n(1));
    press(plot, "Escape");
    await until(() => !find(".slw-plot-card"));
    const view = el.querySelector<HTMLElement>(".slw")!;
    const marked: unknown[] = [];
    hearMark(view, (neuron) => marked.push(neuron));
    view.dispatchEvent(new CustomEvent("slw-mark", { detail: n(4) }));
    await until(() => find("[data-pointed]")?.dataset.neuron === "4");
    expect(told.at(-1)).toBeNull(); // it is not told back
    press(plot, "i");
    await until(() => find(`[data-neuron="4"]`)!.dataset.decision === "ignore");
  });

  test("a neuron of another layer that is chosen elsewhere brings its layer", async () => {
    const { model, texts, find } = open();
    await until(() => texts(".slw-audit-body .slw-ellipsis")[0] === "label 0");
    model.set("active", n(2, "layer3"));
    expect(model.traits.layer).toBe("layer3");
    await until(() => texts(".slw-audit-body .slw-ellipsis")[0] === "early 0");
    await until(() => texts(".slw-heading .slw-mono")[0] === "layer3 / 2");
    model.set("layer", "layer4"); // looked at beside it
    await until(() => texts(".slw-audit-body .slw-ellipsis")[0] === "label 0");
    await until(() => find(".slw-finding-verdict"));
    expect(texts(".slw-heading .slw-mono")).toEqual(["layer3 / 2"]);
  });

  test("rows of another layer or audit never stand under this one's heading", async () => {
    const { model, asked, all, texts } = open({}, ({ method }) =>
      method === "audit_rows" ? null : undefined);
    await until(() => asked("audit_rows").length === 1);
    model.set("layer", "layer3");
    await until(() => asked("audit_rows").length === 2);
    const [older, newer] = asked("audit_rows");
    model.reply(older!, { audit: 1, layer: "layer4", rows: [row(0)] });
    await drawn();
    expect(all(".slw-audit-body [role=row]")).toHaveLength(0);
    model.reply(newer!, { audit: 1, layer: "layer3", rows: [row(1), row(2)] });
    await until(() => all(".slw-audit-body [role=row]").length === 2);
    model.set("_audits", 2);
    await until(() => asked("audit_rows").length === 3 && texts(".slw-sums li").length === 5);
    expect(all(".slw-audit-body [role=row]")).toHaveLength(0);
  });

  test("what fails says why and can be asked for again", async () => {
    let broken = true;
    const { model, find, button, all } = open({}, (request) => {
      if (request.method !== "audit_rows" || !broken) return undefined;
      queueMicrotask(() => model.fail(request, "OSError", "The disk is away."));
      return null;
    });
    await until(() => find("[role=alert]")?.textContent?.includes("The disk is away."));
    broken = false;
    button("Retry")!.click();
    await until(() => all(".slw-audit-body [role=row]").length === 6);
    expect(find("[role=alert]")).toBeNull();
  });

  test("of two thousand neurons few rows are drawn, and the last is reached by key", async () => {
    const many = Array.from({ length: 2048 }, (_, at) =>
      row(at % 6, { neuron: at, share: 1 / (at + 1), label: `n${at}` }));
    const { find, all, press, rowOf } = open({}, ({ method, params }: any) =>
      method === "audit_rows" ? { result: { audit: params.audit, layer: params.layer, rows: many } } : undefined);
    await until(() => rowOf(0));
    expect(all(".slw-audit-body [role=row]").length).toBeLessThan(40);
    expect(find("[role=grid]")!.ariaRowCount).toBe("2049");
    expect(all(".slw-plot path.slw-verdict")).toHaveLength(2048);
    rowOf(0).focus();
    press(rowOf(0), "End");
    await until(() => document.activeElement === rowOf(2047));
    press(rowOf(2047), "Home");
    await until(() => document.activeElement === rowOf(0));
  });

  test("at the end nothing listens any more", async () => {
    const { model, stop, rowOf } = open({ active: n(0) });
    await until(() => rowOf(0));
    stop();
    expect(model.listening).toBe(0);
  });
});

describe.runIf(inBrowser)("without an audit a form", () => {
  const fields = ({ find, all }: ReturnType<typeof audit>) =>
    [find("[aria-label=Class]")!, ...all("textarea")] as HTMLElement[];

  test("asks for class and concepts, tells how far it is, and shows the audit", async () => {
    const view = open({ _audits: 0 }, ({ method }) => (method === "make_audit" ? null : undefined));
    const { model, find, texts, asked, button, all } = view;
    await until(() => all("datalist option").length === 2);
    const [target, valid, spurious] = fields(view);
    enter(target!, "star");
    enter(valid!, "star, five points");
    enter(spurious!, "text: watermark, letters");
    await drawn();
    find("form")!.dispatchEvent(new Event("submit", { cancelable: true, bubbles: true }));
    await until(() => asked("make_audit").length === 1);
    const [request] = asked("make_audit");
    expect(request!.params).toEqual(
      { target: "star", valid: "star, five points", spurious: "text: watermark, letters" });
    model.tell(request!, { done: 3, total: 12 });
    await until(() => texts("form [role=status]")[0]?.includes("3 of 12 images"));
    expect(button("Auditing")!.ariaDisabled).toBe("true");
    model.set("_audits", 1);
    model.reply(request!, { audit: 1 });
    await until(() => all(".slw-audit-body [role=row]").length === 6);
    expect(find("form")).toBeNull();
    button("Another audit")!.click();
    await until(() => find("form"));
    expect((fields(view)[1] as HTMLTextAreaElement).value).toBe("star\nfur: brown fur, hair");
    button("Back")!.click();
    await until(() => find(".slw-plot"));
  });

  test("says what is wrong until something is changed, and keeps what was typed", async () => {
    const view = open({ _audits: 0 }, (request) => {
      if (request.method !== "make_audit") return undefined;
      queueMicrotask(() => view.model.fail(request, "ValueError", "spurious: there is no concept."));
      return null;
    });
    const [target] = fields(view);
    enter(target!, "star");
    view.find("form")!.dispatchEvent(new Event("submit", { cancelable: true, bubbles: true }));
    await until(() => view.find("[role=alert]")?.textContent?.includes("there is no concept"));
    expect((target as HTMLInputElement).value).toBe("star");
    enter(fields(view)[2]!, "watermark");
    await until(() => !view.find("[role=alert]"));
  });

  test("another audit takes nothing of the one before with it", async () => {
    const { model, press, rowOf, button, asked } = open({}, ({ method, params }: any) =>
      method === "audit" ? { result: said({ audit: params.audit, target: `t${params.audit}` }) }
        : method === "decisions" && params.audit === 2 ? { result: { audit: 2, decisions: [] } }
          : undefined);
    await until(() => rowOf(0));
    press(rowOf(0), "a");
    await until(() => rowOf(0).dataset.decision === "accept");
    model.set("_audits", 2);
    await until(() => asked("audit_rows").length === 2 && rowOf(0));
    expect(rowOf(0).dataset.decision).toBeUndefined();
    expect((button("Undo") as HTMLButtonElement).disabled).toBe(true);
  });
});
