"""Conditions of an audit, and the audit as JSON, which a later one may be compared with."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semlens_widgets.analysis.conditions import (
    CheckResult,
    Condition,
    at_least,
    at_most,
    not_run,
)
from semlens_widgets.errors import CheckFailed, named
from semlens_widgets.labels.words import RANDOM_WORDS
from semlens_widgets.lens.audit_frames import SET_ASIDE
from semlens_widgets.lens.opening import unfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from semlens_widgets.lens.audited import Audit

#: Images below which no share can be told.
FEWEST = 10
_FORMAT = 1
_AS_BEFORE = ", as before,"


def unchecked(audit: Audit) -> list[str]:
    """Say what an audit could not tell, in sentences."""
    said = _of_words(audit)
    unknown = np.isnan(audit.aligned.valid.score) | np.isnan(audit.aligned.spurious.score)
    for name, layer in audit.shares.layers.items():
        if count := int(unknown[layer].sum()):
            said.append(f"{count} neurons of {name} could not be compared with words.")
        if silent := audit.shares.silent(name):
            said.append(f"On {silent} images nothing in {name} speaks for the class.")
        if error := audit.shares.of_rest(name):
            said.append(
                f"Of the relevance in {name}, {100 * error.value:.0f} % is on what its units do "
                "not reconstruct."
            )
    last = audit.shares.layers[audit.last_layer]
    for concept, fits in audit.reliance.fits.items():
        if not fits[last].any():
            said.append(
                f"No neuron of {audit.last_layer} fits {concept!r} better than random words do: "
                "it is not there, or the foundation model does not know it."
            )
    if not audit.reliance.shown:
        said.append("There are too few other images to tell what a concept does to the class.")
    if len(audit.images) < FEWEST:
        said.append(f"{_counted(audit)} too few to tell shares by.")
    if ";" in audit.method:  # what is not exact in it follows
        said.append(f"Relevance was propagated by {audit.method}.")
    return said


def _of_words(audit: Audit) -> list[str]:
    """Say what speaks against the foundation model, on these images and of these phrases."""
    said = unfit(audit.reader.store)
    if said:
        said += " What neurons and images show, by words, may be wrong: see lens.domain_check()."
    return [one for one in (said, str(audit.unread)) if one]


def check(
    audit: Audit,
    bounds: Mapping[str, float | None],
    layer: str,
    allow: Sequence[str | tuple[str, int]],
    baseline: str | Path | None,
) -> CheckResult:
    """Ask conditions of an audit; see :meth:`Audit.check`."""
    asked = _asked(bounds, baseline)
    if layer not in audit.reader.spans:
        raise ValueError(f"layer={layer!r} is not one of {list(audit.reader.spans)}.")
    accepted, left_out = _allowed(audit, allow)
    before = None if baseline is None else _read(Path(baseline), audit, layer)
    left_out |= audit.neurons["decision"].isin(SET_ASIDE).to_numpy()
    conditions: list[Condition] = []
    for concept in audit.spurious:
        if concept in accepted:
            conditions.append(Condition(f"reliance on {concept!r}", "pass", "accepted, not asked"))
            continue
        if "spurious" in asked:
            conditions.append(_rests(audit, concept, "", layer, left_out, asked["spurious"]))
        if before is not None:
            bound = before.get(concept)
            conditions.append(_rests(audit, concept, _AS_BEFORE, layer, left_out, bound))
    conditions += [
        _shares(audit, name, layer, left_out, asked[name])
        for name in ("valid", "unexpected")
        if name in asked
    ]
    count = int(left_out[audit.shares.layers[layer]].sum())
    parts = [f"audit of {audit.target!r} at {layer}", f"{len(audit.images)} images"]
    parts += [f"{count} neuron{'' if count == 1 else 's'} left out"] if count else []
    parts += ["the foundation model does not fit"] if unfit(audit.reader.store) else []
    result = CheckResult(", ".join(parts), tuple(conditions))
    if not result.passed:
        raise CheckFailed(result)
    return result


def _asked(bounds: Mapping[str, float | None], baseline: str | Path | None) -> dict[str, float]:
    asked = {name: bound for name, bound in bounds.items() if bound is not None}
    if not asked and baseline is None:
        raise ValueError(
            "check: nothing is asked. Give max_spurious, min_valid, max_unexpected or a baseline."
        )
    for name, bound in asked.items():
        if isinstance(bound, bool) or not 0 <= bound <= 1:
            raise ValueError(f"check: the bound of {name}, {bound!r}, must lie from 0 to 1.")
    return asked


def _rests(
    audit: Audit,
    concept: str,
    what: str,
    layer: str,
    left_out: NDArray[np.bool_],
    bound: float | None,
) -> Condition:
    """Ask that the class does not rest on a concept."""
    name = f"reliance on {concept!r}{what}"
    if bound is None:
        return not_run(name, "the baseline does not tell")
    if len(audit.images) < FEWEST:
        return not_run(name, _too_few(audit))
    if all(_is_any_word(audit, phrase) for phrase in audit.spurious[concept]):
        return not_run(name, f"the foundation model does not know {concept!r}")
    found = audit.reliance.of(concept, layer, without=left_out)
    if found is None:
        return not_run(name, "there are too few images of other classes")
    condition = at_most(name, found, bound)
    if audit.reliance.fits[concept][audit.shares.layers[layer]].any():
        return condition
    return replace(condition, found=f"{condition.found}, no neuron fits it")


def _is_any_word(audit: Audit, phrase: str) -> bool:
    """Whether a phrase is read as most words are of which the foundation model knows nothing."""
    return any(
        phrase in group and len(group) > len(RANDOM_WORDS) / 2 for group in audit.unread.alike
    )


def _shares(
    audit: Audit, verdict: str, layer: str, left_out: NDArray[np.bool_], bound: float
) -> Condition:
    """Ask for the share of relevance on neurons of a verdict."""
    if len(audit.images) < FEWEST:
        return not_run(verdict, _too_few(audit))
    theirs = (audit.neurons["verdict"] == verdict).to_numpy()
    if verdict == "unexpected":
        theirs = theirs & ~left_out
    found = audit.shares.of(layer, theirs[audit.shares.layers[layer]])
    return (at_least if verdict == "valid" else at_most)(verdict, found, bound)


def _too_few(audit: Audit) -> str:
    return f"{_counted(audit)} too few, {FEWEST} are needed"


def _counted(audit: Audit) -> str:
    return "1 image is" if len(audit.images) == 1 else f"{len(audit.images)} images are"


def _allowed(
    audit: Audit, allow: Sequence[str | tuple[str, int]]
) -> tuple[set[str], NDArray[np.bool_]]:
    """Return the concepts that are accepted, and the neurons."""
    if isinstance(allow, str):
        raise TypeError(f"allow must be a list: [{allow!r}].")
    concepts: set[str] = set()
    neurons = np.zeros(len(audit.neurons), bool)
    for one in allow:
        if not isinstance(one, str):
            layer, neuron = one
            neurons[audit.reader.row(layer, neuron)] = True
        elif one in audit.spurious:
            concepts.add(one)
        else:
            raise ValueError(
                f"allow: {one!r} is not one of the spurious concepts {named(list(audit.spurious))}."
            )
    return concepts, neurons


def to_json(audit: Audit, path: str | Path | None) -> str:
    """Return an audit as JSON; see :meth:`Audit.to_json`."""
    settings = audit.reader.store.settings
    content = {
        "format": _FORMAT,
        "version": release("semlens-widgets"),
        "target": audit.target,
        "output": audit.output,
        "made_with": {
            name: settings[name]
            for name in ("weights", "architecture", "layers", "pooling", "pictures", "foundation")
            if name in settings
        },
        "scored_by": audit.scored_by,
        "method": audit.method,
        "valid": audit.valid,
        "spurious": audit.spurious,
        "images": len(audit.images),
        "summary": _records(audit.summary),
        "concepts": _records(audit.concepts),
        "neurons": _records(audit.neurons),
        "unchecked": audit.unchecked,
    }
    text = json.dumps(content, indent=1, ensure_ascii=False, default=_plain)
    if path is not None:
        Path(path).write_text(text + "\n", encoding="utf-8")
    return text


def release(package: str) -> str:
    """Return which release of a package this is; code on the path alone does not tell."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _records(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.round(6).astype(object).where(frame.notna(), None).to_dict("records")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _read(path: Path, audit: Audit, layer: str) -> dict[str, float]:
    """Return how far an earlier audit says that the class rests on each spurious concept."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        rows = [row for row in content["concepts"] if row["layer"] == layer]
        form, target = content["format"], content["target"]
    except FileNotFoundError:
        raise ValueError(f"baseline: there is no file {path.name!r}.") from None
    except (json.JSONDecodeError, KeyError, TypeError, UnicodeDecodeError):
        raise ValueError(f"baseline: {path.name!r} is no audit; to_json() writes one.") from None
    if form != _FORMAT:
        raise ValueError(
            f"baseline: {path.name!r} has format {form}, this release reads {_FORMAT}."
        )
    if target != audit.target:
        raise ValueError(f"baseline: {path.name!r} is of {target!r}, not of {audit.target!r}.")
    if not rows:
        raise ValueError(f"baseline: {path.name!r} says nothing of layer {layer!r}.")
    return {row["concept"]: row["reliance"] for row in rows if row["reliance"] is not None}
