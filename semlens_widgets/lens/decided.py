"""Decisions that were made in a page without a kernel, brought back into their analysis."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import holds_half
from semlens_widgets.store.decisions import DECISIONS

if TYPE_CHECKING:
    from semlens_widgets.lens.audited import Audit


def import_decisions(audit: Audit, path: str | Path) -> int:
    """Take over decisions from the JSON file that a page saved, all of them or none.

    A decision that is in force already stays as it is.

    Returns
    -------
    int
        How many are other ones now.

    Raises
    ------
    ValueError
        If the file holds no such decisions, or is of an audit of another class.
    KeyError, IndexError
        If it names a neuron that the analysis has not.
    StoreError
        If the analysis is open for reading only.
    """
    name = Path(path).name
    target, decisions = _read(Path(path), name)
    if target != str(audit.target):
        raise ValueError(
            f"{name}: these decisions are of an audit of {target!r}, not of {str(audit.target)!r}."
        )
    for one in decisions:
        audit.reader.row(one["layer"], one["neuron"])
    frame = audit.neurons
    columns = (frame[column] for column in ("layer", "neuron", "decision", "note"))
    kept = {
        (layer, int(neuron)): (said, why) for layer, neuron, said, why in zip(*columns, strict=True)
    }
    changed = 0
    for one in decisions:
        key, said = (one["layer"], one["neuron"]), (one["decision"], one["note"])
        if kept[key] != said:
            audit.decide(*key, *said)
            changed += 1
    return changed


def _read(path: Path, name: str) -> tuple[str, list[dict[str, Any]]]:
    try:
        found = json.loads(path.read_text("utf-8"))
        target, decisions = found["target"], found["decisions"]
        if not isinstance(target, str) or not all(_is_decision(one) for one in decisions):
            raise TypeError
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{name} holds no decisions. Give the file that “Save decisions” in a page wrote."
        ) from error
    return target, decisions


def _is_decision(one: Any) -> bool:
    return (
        isinstance(one, dict)
        and isinstance(one.get("layer"), str)
        and type(one.get("neuron")) is int
        and one.get("decision") in DECISIONS
        and isinstance(one.get("note"), str)
        and not holds_half(one["note"])
    )
