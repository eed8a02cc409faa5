// Where candidate labels come from: typed, pasted, a file, what the lens knows.
import { useRef, useState } from "preact/hooks";
import { addCandidates } from "./candidate-list";
import type { ContrastProps } from "./contrast";
import { Icon } from "../shared/icons";
import { setTraitSoon } from "../source/model";
import { asError } from "../source/resources";
import { TextField } from "../shared/text-field";

interface Vocabulary {
  words: string[];
  total: number;
}

/** As many known labels are offered while typing. */
const OFFERED = 20;
const LARGEST_FILE = 1_000_000;

export function AddCandidate({ model, source, scoring, candidates, message, revision }: ContrastProps) {
  const [text, setText] = useState("");
  const [learnt, setLearnt] = useState<(Vocabulary & { at: number }) | null>(null);
  const file = useRef<HTMLInputElement>(null);
  const known = learnt?.at === revision.value ? learnt : null;
  const add = (input: string) => {
    const added = addCandidates(scoring.listed.value, input);
    message.value = added.message;
    if (added.candidates.length > scoring.listed.value.length) {
      setTraitSoon(model, "candidates", added.candidates);
    }
    if (input.trim() !== "") setText("");
  };
  const type = (typed: string) => {
    setText(typed);
    message.value = ""; // it was about what was typed before
  };
  const onPaste = (event: ClipboardEvent) => {
    const pasted = event.clipboardData?.getData("text") ?? "";
    if (!/[\n\r,;]/.test(pasted)) return;
    event.preventDefault(); // an input would join the lines
    add(pasted);
  };
  const learn = async (): Promise<Vocabulary | null> => {
    if (known) return known;
    const at = revision.peek();
    try {
      const { result } = await source.ask("vocabulary", {}, { version: at });
      setLearnt({ ...result, at });
      return result;
    } catch (error) {
      message.value = asError(error).message;
      return null;
    }
  };
  const useAll = async () => {
    const vocabulary = await learn();
    if (!vocabulary) return;
    const { words, total } = vocabulary;
    if (words.length === 0) message.value = "The lens knows no labels yet: lens.label([...]).";
    else setTraitSoon(model, "candidates", words);
    if (words.length < total) message.value = `The first ${words.length} of ${total} labels.`;
  };
  const onFile = async (list: File | undefined) => {
    if (!list) return;
    if (list.size > LARGEST_FILE) message.value = "A list of labels may have 1 MB at most.";
    else add((await list.text()).trimEnd()); // the last line's end begins no other
  };
  const typed = text.trim().toLowerCase();
  const offered = typed
    ? (known?.words ?? []).filter((word) => word.toLowerCase().includes(typed)).slice(0, OFFERED)
    : [];
  return (
    <form
      class="slw-add"
      onSubmit={(event) => {
        event.preventDefault();
        add(text);
      }}
    >
      <TextField
        label="Add candidate labels, separated by commas"
        placeholder="Try another label"
        offered={offered}
        value={text}
        onFocus={() => void learn()}
        onText={type}
        onPaste={onPaste}
      />
      <button type="submit" class="slw-button">
        <Icon name="plus" />
        Add
      </button>
      <button
        type="button"
        class="slw-button"
        title="Score all labels that the lens knows"
        onClick={() => void useAll()}
      >
        {known ? `All ${known.total}` : "All known"}
      </button>
      <button
        type="button"
        class="slw-button"
        title="Add the labels of a text file: one per line, or separated by commas"
        onClick={() => file.current?.click()}
      >
        <Icon name="file" />
        File
      </button>
      <input
        ref={file}
        type="file"
        accept=".txt,.csv,text/plain,text/csv"
        hidden
        onChange={({ currentTarget }) => {
          void onFile(currentTarget.files?.[0]);
          currentTarget.value = "";
        }}
      />
      {candidates.value.length > 0 && (
        <button
          type="button"
          class="slw-button"
          title="Forget this list: suggest the best known labels for each neuron"
          onClick={() => {
            message.value = "";
            setTraitSoon(model, "candidates", []);
          }}
        >
          Suggest
        </button>
      )}
    </form>
  );
}
