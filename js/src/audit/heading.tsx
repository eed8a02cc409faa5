// What the audit is of, and what can be done with all of it.
import { Choice } from "../shared/controls";
import { Icon } from "../shared/icons";
import { toBits } from "../source/bits";
import type { AuditRow, AuditSaid } from "../source/messages";
import type { History } from "./history";

/** As `Audit.flagged`: what fits something spurious, less what was set aside. */
const MISFITS: readonly string[] = ["spurious", "both"];
const SET_ASIDE: readonly string[] = ["reject", "ignore"];

export const flagged = (rows: readonly AuditRow[], decisionOf: (neuron: number) => string) =>
  rows.filter(({ verdict, neuron }) =>
    MISFITS.includes(verdict) && !SET_ASIDE.includes(decisionOf(neuron)));

interface HeadingProps {
  audit: AuditSaid;
  history: History;
  layer: string;
  showLayer: (name: string) => void;
  /** The layer's neurons; null: not here yet. */
  rows: AuditRow[] | null;
  decisionOf: (neuron: number) => string;
  select: (bits: DataView) => void;
  /** Make another audit; nothing where that cannot be done. */
  again: (() => void) | undefined;
}

export function Heading(props: HeadingProps) {
  const { audit, history, layer, showLayer, rows, decisionOf, select, again } = props;
  const step = (name: "undo" | "redo", does: string, able: boolean, keys: string) => (
    <button
      type="button"
      class="slw-button slw-button-icon"
      aria-label={does}
      title={`${does} (${keys})`}
      disabled={!able}
      onClick={history[name]}
    >
      <Icon name={name} />
    </button>
  );
  const found = rows && flagged(rows, decisionOf);
  return (
    <header class="slw-audit-heading">
      <h2 class="slw-title">On what “<bdi>{audit.target}</bdi>” rests</h2>
      <p class="slw-small slw-muted">
        {audit.images === 1 ? "1 image" : `${audit.images.toLocaleString("en")} images`} of the class, neurons compared with words by {audit.scorer}
      </p>
      <div class="slw-controls" role="toolbar" aria-label="Audit">
        <Choice
          label="Layer"
          options={audit.layers.map(({ name }) => [name, name] as const)}
          value={layer}
          onChange={showLayer}
        />
        {step("undo", "Undo the last decision", history.canUndo.value, "Ctrl+Z")}
        {step("redo", "Redo the decision", history.canRedo.value, "Ctrl+Shift+Z")}
        {found && (
          <button
            type="button"
            class="slw-button"
            title="What fits something spurious here and is not set aside"
            disabled={found.length === 0}
            onClick={() => select(
              new DataView(toBits(audit.neurons, [], found.map(({ row }) => row), true)),
            )}
          >
            <Icon name="check" />
            Select {found.length} flagged
          </button>
        )}
        <span class="slw-spring" />
        {again && (
          <button type="button" class="slw-button" onClick={again}>
            <Icon name="search" />
            Another audit
          </button>
        )}
      </div>
    </header>
  );
}
