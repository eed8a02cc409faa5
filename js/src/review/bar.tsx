// What is to become of the labels selected, and what was done to them.
import { useState } from "preact/hooks";
import { Failure } from "../shared/controls";
import { count } from "../shared/format";
import { Icon } from "../shared/icons";
import { TextField } from "../shared/text-field";
import type { Work } from "./work";

interface BarProps {
  work: Work;
  selected: readonly number[];
  /** How many of them are not among the rows shown. */
  hidden: number;
  undoes: string;
  redoes: string;
}

/** Undo and redo, and what all of the selected are to become. */
export function Bar({ work, selected, hidden, undoes, redoes }: BarProps) {
  const [text, setText] = useState("");
  const none = selected.length === 0;
  const set = () => {
    if (none || text.trim() === "") return;
    work.give("set", selected, text);
    setText("");
  };
  const give = (how: "accept" | "reject" | "clear", name: string, title: string) => (
    <button type="button" class="slw-button" disabled={none} title={title} onClick={() => work.give(how, selected)}>
      {how !== "clear" && <Icon name={how === "accept" ? "check" : "close"} />}
      {name}
    </button>
  );
  const step = (name: "undo" | "redo", does: string, of: string, keys: string) => (
    <button
      type="button"
      class="slw-button slw-button-icon"
      aria-label={does}
      title={of ? `${does}: ${of} (${keys})` : does}
      disabled={of === ""}
      onClick={work[name]}
    >
      <Icon name={name} />
    </button>
  );
  return (
    <div class="slw-controls slw-review-bar" role="toolbar" aria-label="What the selected labels become">
      {step("undo", "Undo", undoes, "Ctrl+Z")}
      {step("redo", "Redo", redoes, "Ctrl+Shift+Z")}
      <span class="slw-review-count" aria-live="polite">
        <b>{selected.length.toLocaleString("en")}</b> selected
        {hidden > 0 && <span class="slw-muted"> ({hidden.toLocaleString("en")} not shown)</span>}
      </span>
      {give("accept", "Accept", "What the scorer says becomes a person's label (key a)")}
      {give("reject", "Reject", "No label fits (key r)")}
      {give("clear", "Take back", "What people said is taken back: the scorer's label counts again (key u)")}
      <span class="slw-review-set">
        <TextField
          label="One label for all selected"
          placeholder="one label for all selected"
          value={text}
          onText={setText}
          onKeyDown={(event) => event.key === "Enter" && set()}
        />
        <button type="button" class="slw-button" disabled={none || text.trim() === ""} onClick={set}>Set</button>
      </span>
    </div>
  );
}

/** What was done, what went wrong, and what is to be decided first. */
export function Told({ work }: { work: Work }) {
  const [asking, failed, progress] = [work.asking.value, work.failed.value, work.progress.value];
  return (
    <>
      {failed && <Failure error={failed.error} retry={failed.again} />}
      {asking && (
        <div class="slw-notice" role="alertdialog" aria-label="Labels that people gave">
          <span class="slw-notice-text">
            <strong>
              {asking.wanted} {count(asking.people, "label")} of these {asking.people === 1 ? "was" : "were"} given by people.
            </strong>
            {" "}Nothing has been changed yet.
          </span>
          <span class="slw-controls-row">
            <button type="button" class="slw-button" onClick={() => asking.answer("replace")}>Overwrite</button>
            <button type="button" class="slw-button" onClick={() => asking.answer("keep")}>Keep theirs</button>
            <button type="button" class="slw-button" onClick={() => asking.answer(null)}>Cancel</button>
          </span>
        </div>
      )}
      <p class="slw-small slw-muted slw-review-told" role="status">
        {progress ? `Judging labels${progress.total ? `: ${progress.done.toLocaleString("en")} of ${progress.total.toLocaleString("en")}` : " …"}`
          : work.busy.value ? "Working …" : work.said.value}
      </p>
    </>
  );
}
