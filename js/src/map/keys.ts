// The keyboard on the stage: the arrows move the view, and what is nearest its centre is pointed at.
import { batch } from "@preact/signals";
import { pan } from "./camera";
import { isShown } from "./emphasis";
import type { Stage } from "./stage";
import type { Cleanup } from "../source/model";

const PAN_STEP = 48;
const AIM_REACH = 60;

export const HELP =
  "Arrow keys move, plus and minus zoom, 0 shows all. Enter picks the neuron nearest to the " +
  "pointer or the centre, Space adds it to the selection or takes it out, A selects what is in " +
  "view, brackets step through the neurons, Escape clears. Drag with Shift to select.";

/** `cancel` drops what the pointer drags and says whether there was anything. */
export function listenToKeys(stage: Stage, cancel: () => boolean): Cleanup {
  const { state, host } = stage;

  /** Tell those who do not see it what is pointed at. */
  const speak = (row: number) => {
    const label = row < 0 ? "" : state.labelOf(row) || "no label";
    state.spoken.value = row < 0 ? "No neuron near the centre" : `${state.nameOf(row)}: ${label}`;
  };
  const aim = () => {
    const { width, height } = state.size.value;
    stage.aiming = true;
    state.hover.value = stage.rowAt(width / 2, height / 2, AIM_REACH);
    speak(state.hover.value);
    stage.schedule();
  };
  const shift = (dx: number, dy: number) => batch(() => {
    state.look(pan(state.camera.value, state.size.value, dx, dy));
    aim();
  });
  const zoom = (direction: 1 | -1) => batch(() => {
    stage.zoom(direction);
    if (stage.aiming) aim();
  });
  /** The row pointed at, else the one nearest to the centre. */
  const nearest = () => {
    const { width, height } = state.size.value;
    return state.hover.value >= 0
      ? state.hover.value
      : stage.rowAt(width / 2, height / 2, Math.hypot(width, height));
  };
  const pick = () => {
    const row = nearest();
    if (row < 0) return;
    state.hover.value = row;
    state.pick(row);
  };
  const toggle = () => {
    const row = nearest();
    if (row < 0) return;
    state.hover.value = row;
    const taken = state.selection.value.includes(row);
    state.select([row], taken ? "remove" : "add");
    state.spoken.value = `${state.nameOf(row)} ${taken ? "taken out of" : "added to"} the selection`;
  };
  const selectView = () => {
    const { camera, size, x, y, emphasis } = state;
    const half = camera.value.zoom * Math.min(size.value.width, size.value.height) / 2;
    const [reachX, reachY] = [size.value.width / 2 / half, size.value.height / 2 / half];
    const rows: number[] = [];
    for (let row = 0; row < x.value.length; row++) {
      const inside = Math.abs(x.value[row]! - camera.value.x) <= reachX &&
        Math.abs(y.value[row]! - camera.value.y) <= reachY;
      if (inside && isShown(emphasis.value.level[row]!)) rows.push(row);
    }
    state.select(rows);
  };
  const escape = () => {
    if (cancel()) return;
    stage.aiming = false;
    stage.schedule();
    state.spoken.value = "";
    if (state.hover.value >= 0) state.hover.value = -1;
    else if (state.selection.value.length > 0) state.clearSelection();
    else host.blur();
  };

  const actions: Record<string, () => void> = {
    ArrowLeft: () => shift(PAN_STEP, 0),
    ArrowRight: () => shift(-PAN_STEP, 0),
    ArrowUp: () => shift(0, PAN_STEP),
    ArrowDown: () => shift(0, -PAN_STEP),
    "+": () => zoom(1),
    "=": () => zoom(1),
    "-": () => zoom(-1),
    "0": () => state.look(null),
    "[": () => state.step(-1),
    "]": () => state.step(1),
    a: selectView,
    " ": toggle,
    Enter: pick,
    Escape: escape,
  };
  const onKey = (event: KeyboardEvent) => {
    // On many keyboards brackets need AltGr, which counts as Ctrl and Alt.
    const modified = event.ctrlKey || event.metaKey || event.altKey;
    if ((modified && !event.getModifierState("AltGraph")) || event.target !== host) return;
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    // JupyterLab has its own meaning for Enter, Escape and the arrows.
    event.stopPropagation();
    action();
  };
  const onBlur = () => {
    stage.aiming = false;
    state.spoken.value = "";
    stage.schedule();
  };
  host.addEventListener("keydown", onKey);
  host.addEventListener("blur", onBlur);
  return () => {
    host.removeEventListener("keydown", onKey);
    host.removeEventListener("blur", onBlur);
  };
}
