// A field for text. What is typed in it, undone or composed is its own, whatever lies around it.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Cleanup } from "../source/model";

/** An input method is at work: the text is not yet what the person means. */
export const composes = ({ isComposing, keyCode }: KeyboardEvent): boolean =>
  isComposing || keyCode === 229;

interface TextFieldProps {
  label: string;
  placeholder: string;
  value: string;
  /** The text after each change, once an input method is done with it. */
  onText: (text: string) => void;
  onKeyDown?: (event: KeyboardEvent & { currentTarget: HTMLInputElement }) => void;
  onPaste?: (event: ClipboardEvent) => void;
  onFocus?: () => void;
  /** What the field suggests. */
  offered?: readonly string[];
}

/** Neither the text nor what is offered changes during a composition, which that would break. */
export function TextField({ label, value, offered, onText, onKeyDown, ...others }: TextFieldProps) {
  const [id] = useState(() => `slw-${Math.random().toString(36).slice(2)}`);
  const field = useRef<HTMLInputElement>(null);
  const composing = useRef(false);
  const options = useRef(offered);
  if (!composing.current) options.current = offered;
  useLayoutEffect(() => {
    const input = field.current!;
    if (!composing.current && input.value !== value) input.value = value;
  });
  const input = (
    <input
      ref={field}
      class="slw-input"
      type="text"
      dir="auto"
      autocomplete="off"
      aria-label={label}
      list={offered && id}
      onInput={({ currentTarget }) => composing.current || onText(currentTarget.value)}
      onCompositionStart={() => (composing.current = true)}
      onCompositionEnd={({ currentTarget }) => {
        composing.current = false;
        onText(currentTarget.value);
      }}
      onKeyDown={(event) => {
        if (!composes(event)) return onKeyDown?.(event);
        event.stopPropagation(); // these keys are the input method's
        if (event.key === "Enter") event.preventDefault();
      }}
      {...others}
    />
  );
  if (!options.current) return input;
  return (
    <>
      {input}
      <datalist id={id}>
        {options.current.map((word) => (
          <option key={word} value={word} />
        ))}
      </datalist>
    </>
  );
}

const isField = (target: EventTarget | undefined): target is HTMLElement =>
  target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement;

/**
 * Undo and redo in a text field belong to the field. JupyterLab listens on the document, before
 * the field does, takes them for the notebook's, and forbids the field its own.
 */
export function keepUndo(root: HTMLElement): Cleanup {
  const inside = (event: Event) => {
    const [target] = event.composedPath();
    return isField(target) && root.contains(target);
  };
  const onKey = (event: KeyboardEvent) => {
    const undoes = (event.ctrlKey || event.metaKey) && /^[zy]$/i.test(event.key);
    if (undoes && inside(event)) event.stopImmediatePropagation();
  };
  const onBefore = (event: InputEvent) => {
    if (/^history/.test(event.inputType) && inside(event)) event.stopImmediatePropagation();
  };
  window.addEventListener("keydown", onKey, true);
  window.addEventListener("beforeinput", onBefore, true);
  return () => {
    window.removeEventListener("keydown", onKey, true);
    window.removeEventListener("beforeinput", onBefore, true);
  };
}
