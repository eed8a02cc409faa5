// Line icons on a 16 px grid, drawn in the text colour.

const PATHS = {
  relevance: "M8 2.5c3 2.6 4.2 4.6 4.2 6.6a4.2 4.2 0 0 1-8.4 0c0-1.3.6-2.4 1.6-3.3.3 1 .8 1.6 1.5 2C6.6 6 7 4.2 8 2.5Z",
  crop: "M4.5 1.5v10h10M1.5 4.5h10v10",
  outline: "M5.5 2.6C8 1.4 12.2 2 13.4 5c1.2 3-.6 5.2-2.6 6.6-2.1 1.5-5.8 2.3-7.6.4C1.4 10 2.3 4.2 5.5 2.6Z",
  beside: "M2 3.5h5v9H2zM9 3.5h5v9H9z",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  file: "M8 10.5V2.5m-3 3 3-3 3 3M2.5 10.5v3h11v-3",
  retry: "M13 8a5 5 0 1 1-1.5-3.6M13 2v3h-3",
  close: "m4 4 8 8m0-8-8 8",
  previous: "M10 3 5 8l5 5",
  next: "m6 3 5 5-5 5",
  back: "M13 8H3m4.5-4.5L3 8l4.5 4.5",
  forward: "M3 8h10M8.5 3.5 13 8l-4.5 4.5",
  search: "m14 14-3.6-3.6M11.5 7a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0Z",
  similar: "M6 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9Zm4 2a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9Z",
  undo: "M4 6.5h6a3.5 3.5 0 0 1 0 7H6M6.8 3.5l-3 3 3 3",
  redo: "M12 6.5H6a3.5 3.5 0 0 0 0 7h4M9.2 3.5l3 3-3 3",
  check: "m3 8.5 3.2 3.2L13 4.8",
  plus: "M8 3v10M3 8h10",
  centre: "M8 1.5v3m0 7v3M1.5 8h3m7 0h3M10.5 8a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0Z",
  warning: "M8 5.5v3.2m0 2.3v.1M7.1 2.5 1.7 12a1 1 0 0 0 .9 1.5h10.8a1 1 0 0 0 .9-1.5L8.9 2.5a1 1 0 0 0-1.8 0Z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" class="slw-icon">
      <path
        d={PATHS[name]}
        fill="none"
        stroke="currentColor"
        stroke-width="1.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      />
    </svg>
  );
}
