// Copying the view, as the Python that shows it again.
import { useEffect, useState } from "preact/hooks";
import { Icon } from "../shared/icons";
import type { Model } from "../source/model";
import { python, readView, type Parts } from "./view-state";

/** As a browser without the clipboard's permission still lets text be copied. */
function copyBySelection(text: string): boolean {
  const area = Object.assign(document.createElement("textarea"), { value: text });
  area.style.cssText = "position: fixed; opacity: 0";
  document.body.append(area);
  area.select();
  const copied = document.execCommand("copy");
  area.remove();
  return copied;
}

async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

export function CopyState({ model, parts }: { model: Model<any>; parts: Parts | null }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (said === "") return;
    const timer = setTimeout(() => setSaid(""), 2500);
    return () => clearTimeout(timer);
  }, [said]);
  const onClick = async () => {
    if (!parts) return;
    const text = `lens.explore(state=${python(readView(model, parts))})`;
    setSaid((await copy(text)) ? "Copied" : "Not allowed");
  };
  return (
    <>
      <button
        type="button"
        class="slw-button"
        disabled={!parts}
        title="Copy the Python that shows this view again"
        aria-label="Copy state"
        onClick={() => void onClick()}
      >
        <Icon name={said === "Copied" ? "check" : "copy"} />
        <span>{said || "Copy state"}</span>
      </button>
      <span class="slw-hidden" role="status">{said}</span>
    </>
  );
}
