// The box for what is searched, and the layer it is searched in.
import type { Finder } from "./finder";
import { Icon } from "./icons";
import "./search.css";

export function SearchBox({ finder, layers }: { finder: Finder; layers: string[] }) {
  const { text, layer, pending, searching, submit, clear } = finder;
  return (
    <form
      class="slw-search"
      role="search"
      aria-busy={pending.value}
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <Icon name="search" />
      <span class="slw-search-words">
        <input
          class="slw-input"
          type="text"
          placeholder="Search neurons by concept"
          aria-label="Search neurons by concept"
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
          onKeyDown={({ key, currentTarget }) => {
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
