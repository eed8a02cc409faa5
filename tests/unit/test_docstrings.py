"""Every public name says what it is, what it takes, and what it raises."""

from __future__ import annotations

import ast
import inspect
import re
from functools import cached_property
from textwrap import dedent

import pytest
from ipywidgets import DOMWidget
from torch import nn
from typing_extensions import is_protocol

import semlens_widgets as slw
from semlens_widgets import demo
from semlens_widgets.inputs.units import Directions, SparseEncoder
from semlens_widgets.lens.audited import Audit
from semlens_widgets.lens.intervention import Intervention
from semlens_widgets.lens.judgement import Judged
from semlens_widgets.lens.studied import StudyResults
from semlens_widgets.lens.study import Study

#: These mean the same wherever they stand; the first page of the reference says what.
EVERYWHERE = {"layer", "neuron", "sample", "samples", "path", "texts", "templates", "foundation"}
#: What somebody who adds a scorer, a source or a generator is given; CONTRIBUTING says what it is.
EVERYWHERE |= {"block", "evidence", "looked"}
#: What methods return and is no name of the package; the reference has it.
RETURNED = (Audit, Directions, Intervention, Judged, SparseEncoder, Study, StudyResults)


def own(kind: type) -> list[type]:
    """The classes of this package that make up a class, itself first."""
    return [base for base in kind.__mro__ if base.__module__.startswith("semlens_widgets")]


def public() -> dict[str, object]:
    """Every public name, and the public methods and properties that each class has of its own."""
    found = {name: getattr(slw, name) for name in slw.__all__}
    found |= {f"demo.{name}": getattr(demo, name) for name in demo.__all__}
    found |= {kind.__name__: kind for kind in RETURNED}
    found = {name: what for name, what in found.items() if callable(what)}
    for name, kind in list(found.items()):
        if isinstance(kind, type):
            for base in own(kind):
                methods = {key: getattr(kind, key) for key in vars(base) if key[0] != "_"}
                found |= {
                    f"{name}.{key}": method
                    for key, method in methods.items()
                    if (inspect.isroutine(method) or isinstance(method, property | cached_property))
                    and not hasattr(DOMWidget, key)
                    and not hasattr(nn.Module, key)
                }
    return found


PUBLIC = public()
every = pytest.mark.parametrize("name", sorted(PUBLIC))


def told(name: str) -> str:
    """The documentation of a name, of what a method stands in for, and of what it refers to."""
    owner, _, method = name.rpartition(".")
    kind = PUBLIC.get(owner)
    if not isinstance(kind, type):
        return inspect.getdoc(PUBLIC[name]) or ""
    text = "\n".join(inspect.getdoc(getattr(base, method, None)) or "" for base in own(kind))
    others = [f"{owner}.{other}" for other in re.findall(r":meth:`(\w+)`", text)]
    others += re.findall(r":func:`semlens_widgets\.(\w+)`", text)
    return "\n".join([text, *(inspect.getdoc(PUBLIC[at]) or "" for at in others if at in PUBLIC)])


def function_of(what: object) -> object:
    """What is called when the name is."""
    if isinstance(what, property | cached_property):
        return None
    if isinstance(what, type):
        see = re.search(r"\b([Mm]ade by|see :func:)", inspect.getdoc(what) or "")
        if see or issubclass(what, Exception | KeyboardInterrupt) or is_protocol(what):
            return None  # no person makes one
        made = [vars(base)["__init__"] for base in own(what) if "__init__" in vars(base)]
        return made[0] if made and "<string>" not in made[0].__code__.co_filename else None
    return inspect.unwrap(what)


def test_there_are_many():
    assert len(PUBLIC) > 300


@every
def test_it_says_what_it_is(name):
    assert len(told(name).split()) > 2


@every
def test_it_names_what_it_takes(name):
    function = function_of(PUBLIC[name])
    if function is None:
        return
    taken = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        and parameter.name not in EVERYWHERE | {"self", "cls"}
        and parameter.name[0] != "_"
    ]
    missing = [one for one in taken if not re.search(rf"\b{one}\b", told(name))]
    assert not missing


@every
def test_it_names_what_it_raises(name):
    function = function_of(PUBLIC[name])
    if function is None:
        return
    tree = ast.parse(dedent(inspect.getsource(function)))
    raised = {
        node.exc.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id[0].isupper()
    }
    missing = [one for one in raised if not re.search(rf"\b{one}\b", told(name))]
    assert not missing
