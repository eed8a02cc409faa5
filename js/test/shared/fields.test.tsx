// Text fields: composing, undoing and walking on from them, as a person does at a keyboard.
import { cdp, userEvent } from "vitest/browser";
import { render } from "preact";
import { useState } from "preact/hooks";
import { afterEach, describe, expect, test, vi } from "vitest";
import { isolated } from "../../src/shared/format";
import { keepUndo, TextField } from "../../src/shared/text-field";
import { inBrowser, until } from "../fake-model";

const ends: (() => void)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

function field(props: Partial<Parameters<typeof TextField>[0]> = {}) {
  const el = document.body.appendChild(document.createElement("div"));
  const typed: string[] = [];
  const outside: { set?: (text: string) => void; draw?: () => void } = {};
  function View() {
    const [text, setText] = useState("");
    const [, setDrawn] = useState(0);
    Object.assign(outside, { set: setText, draw: () => setDrawn((count) => count + 1) });
    return (
      <TextField label="Label" placeholder="" value={text} {...props}
        onText={(one) => { typed.push(one); setText(one); }} />
    );
  }
  render(<View />, el);
  const stop = keepUndo(el);
  ends.push(() => { stop(); render(null, el); el.remove(); });
  return { el, typed, outside, input: el.querySelector("input")! };
}

describe.runIf(inBrowser)("a text field", () => {
  test("is not written to while Japanese is composed, whatever else is drawn", async () => {
    const { input, typed, outside } = field();
    const session = cdp() as any;
    await userEvent.click(input);
    for (const text of ["k", "か", "かん"]) {
      await session.send("Input.imeSetComposition", { text, selectionStart: text.length, selectionEnd: text.length });
      outside.draw!(); // an answer of the kernel comes meanwhile
      await until(() => input.value === text);
    }
    expect(typed).toEqual([]);
    await session.send("Input.insertText", { text: "漢" });
    await until(() => typed.at(-1) === "漢");
    expect(input.value).toBe("漢");
    await userEvent.keyboard("x");
    await until(() => typed.at(-1) === "漢x");
  });

  test("keeps what it suggests during a composition", async () => {
    const { el, input, outside } = field();
    const words = () => [...el.querySelectorAll("option")].map((one) => one.value);
    const show = (offered: string[]) =>
      render(<TextField label="L" placeholder="" value="" onText={() => {}} offered={offered} />, el);
    render(null, el);
    void input, outside;
    show(["a"]);
    const again = el.querySelector("input")!;
    again.dispatchEvent(new CompositionEvent("compositionstart", { bubbles: true }));
    show(["a", "b"]);
    expect(words()).toEqual(["a"]);
    again.dispatchEvent(new CompositionEvent("compositionend", { bubbles: true }));
    show(["a", "b"]);
    expect(words()).toEqual(["a", "b"]);
  });

  test("leaves keys to an input method: Enter sends nothing, Escape and arrows go nowhere", () => {
    const onKeyDown = vi.fn();
    const { el, input } = field({ onKeyDown });
    const heard = vi.fn();
    el.addEventListener("keydown", heard);
    const press = (key: string, init: KeyboardEventInit) => {
      const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...init });
      input.dispatchEvent(event);
      return event.defaultPrevented;
    };
    expect(press("Enter", { isComposing: true })).toBe(true);
    press("Escape", { isComposing: true });
    press("ArrowDown", { keyCode: 229 } as KeyboardEventInit);
    expect([onKeyDown.mock.calls.length, heard.mock.calls.length]).toEqual([0, 0]);
    press("Escape", {});
    expect([onKeyDown.mock.calls.length, heard.mock.calls.length]).toEqual([1, 1]);
  });

  test("takes Ctrl+Z and Ctrl+Y for itself, before a page that listens first", async () => {
    const page = vi.fn((event: KeyboardEvent) => {
      if (/^[zy]$/i.test(event.key) && event.ctrlKey) event.preventDefault();
    });
    const before = vi.fn((event: InputEvent) => {
      if (event.inputType.startsWith("history")) event.preventDefault();
    });
    document.addEventListener("keydown", page, true);
    document.addEventListener("beforeinput", before, true);
    ends.push(() => {
      document.removeEventListener("keydown", page, true);
      document.removeEventListener("beforeinput", before, true);
    });
    const { input, typed } = field();
    await userEvent.click(input);
    await userEvent.keyboard("ab");
    await until(() => typed.at(-1) === "ab");
    page.mockClear();
    await userEvent.keyboard("{Control>}z{/Control}");
    await until(() => input.value !== "ab");
    const undone = input.value;
    await userEvent.keyboard("{Control>}y{/Control}");
    await until(() => input.value === "ab");
    expect(undone.length).toBeLessThan(2);
    expect(page.mock.calls.filter(([{ key }]) => /^[zy]$/i.test(key))).toEqual([]);
    const elsewhere = document.body.appendChild(document.createElement("input"));
    ends.push(() => elsewhere.remove());
    await userEvent.click(elsewhere);
    await userEvent.keyboard("{Control>}z{/Control}");
    expect(page.mock.calls.some(([{ key }]) => key === "z")).toBe(true);
  });

  test("takes a value from outside, and its text runs as its letters do", async () => {
    const { input, outside } = field();
    outside.set!("שלום");
    await until(() => input.value === "שלום");
    expect(getComputedStyle(input).direction).toBe("rtl");
    outside.set!("zebra");
    await until(() => getComputedStyle(input).direction === "ltr");
  });
});

test("foreign text is kept apart where it would turn its sentence", () => {
  expect(isolated("zebra 1")).toBe("zebra 1");
  expect(isolated("שלום")).toBe("\u2068שלום\u2069");
  expect(isolated("a\u202eb")).toBe("\u2068a\u202eb\u2069");
  expect(isolated("🦓 漢")).toBe("🦓 漢");
});
