// The traits of semlens_widgets/widgets/map.py.
import type { LabelsTrait, Embedded } from "../source/columns";
import type { Filter } from "./filter";
import type { Neuron } from "../source/model";

export interface ColumnInfo {
  name: string;
  title: string;
  kind: "category" | "number";
  /** Nothing to colour by yet. */
  empty: boolean;
}

export type Tool = "pan" | "lasso" | "box";

export interface MapTraits {
  active: Neuron | null;
  highlight: DataView;
  color_by: string;
  size_by: string | null;
  opacity_by: string | null;
  filter: Filter;
  contours: boolean;
  region_labels: boolean;
  tool: Tool;
  height: number;
  _count: number;
  _layers: string[];
  _columns: ColumnInfo[];
  _labels: LabelsTrait | null;
  _data: Embedded;
  /** What a person should know of the filter. */
  _said: string;
  /** One bit per row. */
  _selected: DataView;
  /** Whether the map has a box for a search of its own. */
  _search_box: boolean;
  /** Counts the times the kernel has read the neurons. */
  _revision: number;
}
