// The box for what is searched, and the layer it is searched in.
import type { Hit } from "../source/messages";
import type { Finder } from "./finder";
import { Icon } from "./icons";
import { TextField } from "./text-field";
import "./search-box.css";

interface SearchBoxProps {
  finder: Finder;
  layers: string[];
  /** Look at the best hit of the search that is shown. */
  choose?: (hit: Hit) => void;
  /** Go from the box into the list of hits; false where there is none. */
  enter?: () => boolean;
}

export function SearchBox({ finder, layers, choose, enter }: SearchBoxProps) {
  const { text, layer, pending, searching, found, submit, clear } = finder;
  /** Enter searches; where that is done, it goes to the best hit. */
  const onEnter = () => {
    const words = text.peek().trim();
    const best = !pending.peek() && found.peek()?.of === `“${words}”` && found.peek()!.hits[0];
    if (best && choose) choose(best);
    else submit();
  };
  return (
    <form
      class="slw-search"
      role="search"
      aria-busy={pending.value}
      onSubmit={(event) => {
        event.preventDefault();
        onEnter();
      }}
    >
      <Icon name="search" />
      <span class="slw-search-words">
        <TextField
          label="Search neurons by concept"
          placeholder="Search neurons by concept"
          value={text.value}
          onText={(typed) => (text.value = typed)}
          onKeyDown={(event) => {
            const { key, currentTarget } = event;
            if (key === "ArrowDown" && enter?.()) event.preventDefault();
            // Emptying what is empty already ends a search for neurons like another.
            const emptied = currentTarget.value === "" && (key === "Backspace" || key === "Delete");
            if (emptied) clear();
          }}
        />
        {searching.value && (
          <button
            type="button"
            class="slw-button slw-button-icon slw-button-plain"
            title="End the search (Escape)"
            aria-label="End the search"
            onClick={({ currentTarget }) => {
              currentTarget.form!.querySelector("input")!.focus();
              clear();
            }}
          >
            <Icon name="close" />
          </button>
        )}
      </span>
      {layers.length > 1 && (
        <select
          class="slw-select"
          aria-label="Search in layer"
          value={layer.value}
          onChange={(event) => (layer.value = event.currentTarget.value)}
        >
          <option value="">All layers</option>
          {layers.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </select>
      )}
    </form>
  );
}
