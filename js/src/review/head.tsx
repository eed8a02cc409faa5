// Which labels are shown, and the file that they travel in.
import { useRef } from "preact/hooks";
import { Choice } from "../shared/controls";
import { count } from "../shared/format";
import { TextField } from "../shared/text-field";
import type { Labels, Shown } from "./labels";
import type { Work } from "./work";

const SHOWN = [
  ["all", "all"],
  ["unknown", "unknown or unsure"],
  ["close", "closest tenth"],
  ["people", "by people"],
  ["none", "no label fits"],
  ["changed", "changed here"],
  ["selected", "selected"],
] as const;

interface HeadProps {
  labels: Labels;
  layer: string | null;
  setLayer(name: string | null): void;
  show: Shown;
  setShow(which: Shown): void;
  text: string;
  setText(text: string): void;
  listed: number;
  work: Work;
  /** Whether labels can be changed, and how far to trust them can be found out. */
  changes: boolean;
  judges: boolean;
}

export function Head(props: HeadProps) {
  const { labels, layer, setLayer, show, setShow, text, setText, listed, work, changes, judges } = props;
  const chooser = useRef<HTMLInputElement>(null);
  return (
    <div class="slw-controls slw-review-heading" role="toolbar" aria-label="Which labels are shown">
      <Choice
        label="Layer"
        options={[["", "all"] as const, ...labels.layers.map((name) => [name, name] as const)]}
        value={layer ?? ""}
        onChange={(name) => setLayer(name || null)}
      />
      <Choice<Shown>
        label="Show"
        title="Unsure labels fit no better than chance; the closest are those whose lead is smallest"
        options={SHOWN}
        value={show}
        onChange={setShow}
      />
      <span class="slw-review-find">
        <TextField label="Labels or neurons that contain" placeholder="find in labels" value={text} onText={setText} />
      </span>
      <span class="slw-muted" aria-live="polite">{count(listed, "neuron")}</span>
      <span class="slw-spring" />
      <span class="slw-controls-row">
        {!labels.judged && judges && (
          <button
            type="button"
            class="slw-button"
            title="Draw the evidence anew, many times: runner-up and lead of every label. It takes a while."
            disabled={work.busy.value}
            onClick={work.judge}
          >
            How sure?
          </button>
        )}
        <button type="button" class="slw-button" title="Save the labels as a CSV file" onClick={work.save}>
          Export CSV
        </button>
        {changes && (
          <button
            type="button"
            class="slw-button"
            title="Take labels from a CSV file"
            onClick={() => chooser.current!.click()}
          >
            Import CSV
          </button>
        )}
      </span>
      <input
        ref={chooser}
        type="file"
        class="slw-hidden"
        accept=".csv,text/csv"
        tabIndex={-1}
        aria-label="A CSV file of labels"
        onChange={({ currentTarget }) => {
          const file = currentTarget.files?.[0];
          if (file) work.read(file);
          currentTarget.value = ""; // the same file once more is a change, too
        }}
      />
    </div>
  );
}
