// What is to be audited: a class, and what it should and should not rest on.
import { useEffect, useState } from "preact/hooks";
import { Failure } from "../shared/controls";
import { TextField } from "../shared/text-field";
import type { AuditAsked } from "../source/messages";
import { asError } from "../source/resources";
import { Refused, type Progress, type Source } from "../source/source";

const SIDES = [
  ["valid", "Should rest on", "star, stripes"],
  ["spurious", "Should not rest on", "watermark\nlight: bright background, dark background"],
] as const;

interface FormProps {
  source: Source;
  /** What was asked last. */
  asked: AuditAsked;
  /** Called with what was asked once the kernel has audited it. */
  done: (asked: AuditAsked) => void;
  /** Go back to the audit that there is; nothing where there is none. */
  leave?: (() => void) | undefined;
}

export function Form({ source, asked, done, leave }: FormProps) {
  const [given, setGiven] = useState(asked);
  const [classes, setClasses] = useState<string[]>([]);
  const [state, setState] = useState<"ready" | Progress | Error>("ready");
  useEffect(() => {
    // Without them a name can be typed all the same.
    source.ask("classes", {}).then(({ result }) => setClasses(result), () => {});
  }, [source]);
  const busy = state !== "ready" && !(state instanceof Error);
  const change = (part: Partial<AuditAsked>) => {
    setGiven((now) => ({ ...now, ...part }));
    if (!busy) setState("ready"); // what was wrong was so before
  };
  const audit = async () => {
    setState({ done: 0, total: 0 });
    try {
      await source.act("make_audit", given, setState);
      done(given);
    } catch (error) {
      setState(asError(error));
    }
  };
  return (
    <form
      class="slw-audit-form"
      aria-label="What to audit"
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy) void audit();
      }}
    >
      <h2 class="slw-title">On what does a class rest?</h2>
      <label class="slw-field">
        <span>Class</span>
        <TextField
          label="Class"
          placeholder={classes[0] ?? "name of an output"}
          value={given.target}
          offered={classes}
          onText={(target) => change({ target })}
        />
      </label>
      {SIDES.map(([side, label, placeholder]) => (
        <label class="slw-field" key={side}>
          <span>{label}</span>
          <textarea
            class="slw-input"
            rows={3}
            dir="auto"
            spellcheck={false}
            placeholder={placeholder}
            value={given[side]}
            onInput={({ currentTarget }) => change({ [side]: currentTarget.value })}
          />
        </label>
      ))}
      <p class="slw-small slw-muted">
        Words between commas are concepts of their own; a line “name: phrase, phrase” is one concept
        with several phrases.
      </p>
      {state instanceof Error && (
        <Failure error={state} retry={() => void audit()}>
          {state instanceof Refused && state.type === "Timeout" &&
            "If it is only busy, the audit shows here when it is done. "}
        </Failure>
      )}
      <p class="slw-audit-go">
        <button type="submit" class="slw-button" aria-disabled={busy}>
          {busy ? "Auditing …" : "Audit"}
        </button>
        {leave && !busy && (
          <button type="button" class="slw-button slw-button-plain" onClick={leave}>
            Back to the audit
          </button>
        )}
        {busy && (
          <span class="slw-small slw-muted" role="status">
            {state.total > 0 ? (
              <>
                <progress value={state.done} max={state.total} aria-label="Images asked about" />{" "}
                {state.done.toLocaleString("en")} of {state.total.toLocaleString("en")} images
              </>
            ) : "comparing neurons with words"}
          </span>
        )}
      </p>
    </form>
  );
}
