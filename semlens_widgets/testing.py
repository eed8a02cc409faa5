"""Audits as tests: a file that a team versions, one test for each class in it.

>>> import pytest
>>> from semlens_widgets.testing import audit_cases  # doctest: +SKIP
>>> @pytest.mark.parametrize("case", audit_cases("audits.yaml"))  # doctest: +SKIP
... def test_the_class_rests_on_what_it_should(case, lens):
...     case.check(lens)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semlens_widgets.labels.concepts import SIDES, check_apart, read_concepts, read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from _pytest.mark.structures import ParameterSet

    from semlens_widgets.analysis.conditions import CheckResult
    from semlens_widgets.labels.concepts import Concepts
    from semlens_widgets.lens.lens import SemanticLens

_NEEDED = ("target", "valid", "spurious", "check")
_KNOWN = (*_NEEDED, "name", "scorer", "templates")
_BOUNDS = ("max_spurious", "min_valid", "max_unexpected", "layer", "allow", "baseline")


@dataclass(frozen=True)
class AuditCase:
    """One class, what it should rest on and what not, and the conditions.

    Attributes
    ----------
    name
        What the test is called.
    target, valid, spurious
        As in :meth:`semlens_widgets.SemanticLens.audit`.
    conditions
        As in :meth:`semlens_widgets.lens.audited.Audit.check`.
    options
        ``scorer`` and ``templates``, if given.
    """

    name: str
    target: str | int
    valid: Concepts
    spurious: Concepts
    conditions: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self, lens: SemanticLens) -> CheckResult:
        """Audit the class and ask the conditions.

        Raises
        ------
        CheckFailed
            If one fails, or cannot be told.
        """
        audit = lens.audit(self.target, self.valid, self.spurious, **self.options)
        return audit.check(**self.conditions)


def audit_cases(path: str | Path) -> list[ParameterSet]:
    """Read audits from a YAML file, each as a parameter of a test that is called as the class.

    Parameters
    ----------
    path
        A list of audits, each with ``target``, ``valid``, ``spurious`` and ``check``, whose entries
        are the conditions: ``max_spurious: 0.1``. A ``baseline`` is a file beside this one.

    Raises
    ------
    ValueError
        If the file is no such list; the message names the audit and the word.
    """
    import pytest

    file = Path(path)
    content = read_yaml(file, "audits")
    if not isinstance(content, list) or not content:
        raise ValueError(f"audits: {file.name!r} must hold a list of audits.")
    cases = [_case(one, number, file) for number, one in enumerate(content, 1)]
    names = [case.name for case in cases]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"audits: {name!r} stands there twice; give each a name of its own.")
    return [pytest.param(case, id=case.name) for case in cases]


def _case(given: Any, number: int, file: Path) -> AuditCase:
    where = f"audits: entry {number} of {file.name!r}"
    if not isinstance(given, dict):
        raise ValueError(f"{where} must have {', '.join(_NEEDED)}; it is {given!r}.")
    _refuse_unknown(given, _KNOWN, where)
    for name in _NEEDED:
        if name not in given:
            raise ValueError(f"{where} has no {name!r}.")
    conditions = given["check"]
    if not isinstance(conditions, dict) or not conditions:
        raise ValueError(f"{where}: 'check' must name conditions, such as max_spurious: 0.1.")
    _refuse_unknown(conditions, _BOUNDS, f"{where}: 'check'")
    if "baseline" in conditions:
        conditions = {**conditions, "baseline": file.parent / str(conditions["baseline"])}
    valid, spurious = (read_concepts(given[side], side, of=where) for side in SIDES)
    check_apart(valid, spurious)
    options = {name: given[name] for name in ("scorer", "templates") if name in given}
    name = str(given.get("name", given["target"]))
    return AuditCase(name, given["target"], valid, spurious, conditions, options)


def _refuse_unknown(given: dict[Any, Any], known: tuple[str, ...], where: str) -> None:
    for key in given:
        if key not in known:
            close = get_close_matches(str(key), known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"{where} has {key!r}; there are {', '.join(known)}.{hint}")
