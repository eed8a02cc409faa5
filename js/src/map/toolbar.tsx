// The map's controls: what the points show, what dragging does, zoom and picture.
import { useSignal } from "@preact/signals";
import type { ComponentChild } from "preact";
import { useEffect, useRef } from "preact/hooks";
import {
  BoxIcon, DisplayIcon, FitIcon, LassoIcon, MinusIcon, MoveIcon, PictureIcon, PlusIcon,
} from "./icons";
import type { MapState } from "./state";
import type { ColumnInfo, Tool as ToolName } from "./traits";

interface Props {
  state: MapState;
  zoom: (direction: 1 | -1) => void;
  save: () => void;
}

export function Toolbar({ state, zoom, save }: Props) {
  const tool = (name: ToolName, label: string, icon: ComponentChild) => (
    <Tool label={label} pressed={state.tool.value === name} onClick={() => state.set("tool", name)}>
      {icon}
    </Tool>
  );
  return (
    <div class="slw-map-toolbar" role="toolbar" aria-label="Map">
      <label class="slw-map-colorby">
        <span class="slw-muted">Colour by</span>
        <Columns columns={state.columns.value} value={state.colorBy.value}
          choose={(name) => state.set("color_by", name!)} />
      </label>
      <Display state={state} />
      <span class="slw-map-space" />
      <Group label="Tool">
        {tool("pan", "Move (drag)", <MoveIcon />)}
        {tool("lasso", "Lasso: Shift adds, Alt removes", <LassoIcon />)}
        {tool("box", "Box: Shift adds, Alt removes", <BoxIcon />)}
      </Group>
      <Group label="Zoom" more="slw-map-zoom">
        <Tool label="Zoom out (−)" onClick={() => zoom(-1)}><MinusIcon /></Tool>
        <Tool label="Zoom in (+)" onClick={() => zoom(1)}><PlusIcon /></Tool>
        <Tool label="Fit" onClick={state.fit}><FitIcon /></Tool>
      </Group>
      <Tool label="Save as PNG" onClick={save}><PictureIcon /></Tool>
    </div>
  );
}

interface ColumnsProps {
  columns: readonly ColumnInfo[];
  value: string | null;
  /** What choosing no column is called, where one can. */
  none?: string;
  choose: (name: string | null) => void;
}

const Columns = ({ columns, value, none, choose }: ColumnsProps) => (
  <select class="slw-select" value={value ?? ""}
    onChange={(event) => choose(event.currentTarget.value || null)}>
    {none && <option value="">{none}</option>}
    {columns.map(({ name, title, empty }) => (
      <option key={name} value={name} disabled={empty}>
        {empty ? `${title} (none yet)` : title}
      </option>
    ))}
  </select>
);

/** A panel under its button: size, opacity, contours and names. */
function Display({ state }: { state: MapState }) {
  const open = useSignal(false);
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!open.value) return undefined;
    const outside = (event: Event) => {
      if (!event.composedPath().includes(place.current!)) open.value = false;
    };
    document.addEventListener("pointerdown", outside);
    return () => document.removeEventListener("pointerdown", outside);
  }, [open.value]);
  const numbers = state.columns.value.filter(({ kind }) => kind === "number");
  const changed = state.sizeBy.value !== null || state.opacityBy.value !== null ||
    state.contours.value || !state.regionLabels.value;
  return (
    <div ref={place} class="slw-map-display"
      onKeyDown={(event) => {
        if (event.key !== "Escape" || !open.value) return;
        open.value = false;
        place.current?.querySelector("button")?.focus();
        event.stopPropagation();
      }}>
      <button type="button" class="slw-button" aria-expanded={open.value} data-changed={changed}
        onClick={() => (open.value = !open.value)}>
        <DisplayIcon /> <span>Display</span>
      </button>
      {open.value && (
        <div class="slw-map-panel" role="group" aria-label="Display">
          <label>
            <span>Size by</span>
            <Columns columns={numbers} value={state.sizeBy.value} none="All alike"
              choose={(name) => state.set("size_by", name)} />
          </label>
          <label>
            <span>Opacity by</span>
            <Columns columns={numbers} value={state.opacityBy.value} none="All alike"
              choose={(name) => state.set("opacity_by", name)} />
          </label>
          <label class="slw-map-check">
            <input type="checkbox" checked={state.contours.value}
              onChange={(event) => state.set("contours", event.currentTarget.checked)} />
            <span>Density contours</span>
          </label>
          <label class="slw-map-check">
            <input type="checkbox" checked={state.regionLabels.value}
              onChange={(event) => state.set("region_labels", event.currentTarget.checked)} />
            <span>Names of regions</span>
          </label>
        </div>
      )}
    </div>
  );
}

interface GroupProps {
  label: string;
  more?: string;
  children: ComponentChild;
}

const Group = ({ label, more = "", children }: GroupProps) => (
  <div class={`slw-map-group ${more}`} role="group" aria-label={label}>{children}</div>
);

interface ToolProps {
  label: string;
  pressed?: boolean;
  onClick: () => void;
  children: ComponentChild;
}

const Tool = ({ label, pressed, onClick, children }: ToolProps) => (
  <button type="button" class="slw-button slw-button-icon" title={label} aria-label={label}
    {...(pressed === undefined ? {} : { "aria-pressed": pressed })} onClick={onClick}>
    {children}
  </button>
);
