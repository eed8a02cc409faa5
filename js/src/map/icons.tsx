// Line icons on a 16 px grid, drawn in the text colour.
const icon = (...paths: string[]) => (
  <svg viewBox="0 0 16 16" fill="none" stroke="currentColor" stroke-width="1.4"
    stroke-linecap="round" stroke-linejoin="round" aria-hidden="true" focusable="false">
    {paths.map((d) => <path key={d} d={d} />)}
  </svg>
);

export const MoveIcon = () =>
  icon("M8 2v12M2 8h12", "M6 4l2-2 2 2M6 12l2 2 2-2M4 6L2 8l2 2M12 6l2 2-2 2");
export const LassoIcon = () =>
  icon("M4.4 9.6C2.9 8.9 2 7.9 2 6.700 2 4.400 4.700 2.500 8 2.500s6 1.900 6 4.200-2.700 4.200-6 4.200c-.7 0-1.300-.1-1.900-.2",
    "M5.400 12.200a1.300 1.300 0 1 0-1-2.400 1.300 1.300 0 0 0 1 2.400z", "M4.800 12.300c.2.8-.1 1.300-.8 1.700");
export const PlusIcon = () => icon("M8 3.500v9M3.500 8h9");
export const MinusIcon = () => icon("M3.500 8h9");
export const FitIcon = () =>
  icon("M2.500 6V2.500H6M10 2.500h3.500V6M13.500 10v3.500H10M6 13.500H2.500V10");
export const CloseIcon = () => icon("M4.500 4.500l7 7M11.500 4.500l-7 7");
export const BoxIcon = () => icon("M2.500 3.500h11v9h-11z");
export const DisplayIcon = () =>
  icon("M2.500 4.500h5M11.500 4.500h2M2.500 11.500h2M8.500 11.500h5", "M9.500 2.800a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400z",
    "M6.500 9.800a1.700 1.700 0 1 0 0 3.400 1.700 1.700 0 0 0 0-3.400z");
export const PictureIcon = () => icon("M8 2.500v7.500M5 7l3 3 3-3", "M2.500 11v2.500h11V11");
