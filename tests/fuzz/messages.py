"""What a browser sends to every widget: as it is declared, nearly so, and anything else."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from pathlib import Path
from queue import Queue
from typing import Any

from hypothesis import strategies as st

import semlens_widgets as slw
from semlens_widgets.widgets import Explorer, NeuronMap
from semlens_widgets.widgets._messages import ACTIONS, QUESTIONS
from semlens_widgets.widgets._views import VIEWS
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor
from tests.fuzz.texts import TEXTS
from tests.unit.evolution_world import steps

_PATIENCE = 120  # seconds for what is done in a thread of its own
#: What a person may read; other exceptions say that something was not thought of.
_FOR_PEOPLE = {
    "CheckFailed", "EmbeddingError", "IndexError", "KeyError", "LabelsClash", "LensUnavailable",
    "ModelError", "Stopped", "StoreError", "TraitError", "TypeError", "UnreadableImage",
    "ValueError", "VlmUnavailable", "WeightsUnavailable",
}  # fmt: skip
_WORDS = ("red", "green", "blue", "seen", "mixed", "table", "one", "two", "csp", "plain", "zero")
_WORDS += ("person", "average", "semantic", "accept", "replace", "keep", "everyday", "classes")
_WORDS += ("name: red, green", "score", "x", "unsure", "epoch 0")
_SMALL = st.integers(-2, 8) | st.integers()
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)  # JSON has no others
_JSON = st.recursive(
    st.none() | st.booleans() | _SMALL | _FLOATS | TEXTS | st.sampled_from(_WORDS),
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(
            TEXTS | st.sampled_from(["layer", "neuron", "samples"]), below, max_size=4
        )
    ),
    max_leaves=8,
)
st.register_type_strategy(int, _SMALL)
st.register_type_strategy(float, _FLOATS)
st.register_type_strategy(str, st.sampled_from(_WORDS) | TEXTS)
_DECLARED = {name: st.from_type(one.params) for name, one in (QUESTIONS | ACTIONS).items()}


def _mixed(declared: dict[str, Any], odd: dict[str, Any]) -> dict[str, Any]:
    """Put something else in the place of some parameters."""
    names = list(declared)
    return declared | {names[at % len(names)]: value for at, value in odd.items() if names}


def _requests(method: str) -> st.SearchStrategy[tuple[bool, Any]]:
    declared = _DECLARED.get(method, st.just({}))
    odd = st.tuples(declared, st.dictionaries(st.integers(0, 5), _JSON, min_size=1, max_size=2))
    return st.one_of(
        st.tuples(st.just(True), declared),
        st.tuples(st.just(False), odd.map(lambda pair: _mixed(*pair))),
        st.tuples(st.just(False), _JSON),
    )


def _lens(folder: Path, name: str, pruned: int = -1) -> slw.SemanticLens:
    model = ColourNet()
    if pruned >= 0:
        model.seen.weight.data[pruned] = 0
    target = slw.TargetModel(
        model, ["seen", "mixed"], transform=to_tensor, outputs=["red", "green"], poles="positive"
    )
    images = slw.ImageDataset.from_list(
        colour_images(24), [i % 3 for i in range(24)], ["red", "green", "blue"]
    )
    lens = slw.SemanticLens(
        target, images, ColourFoundation(), path=folder / name, n_examples=3
    ).run()
    lens.label(["red", "green", "blue"], scorer="csp")
    return lens


def _widgets() -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    lens, other = _lens(folder, "one"), _lens(folder, "two", 1)
    views = {name: kind(lens) for name, kind in VIEWS.items()}
    views["audit"].audit = lens.audit("red", ["red"], ["green", "blue"])
    views["trace"].trace = lens.trace("red", keep=0.7)
    views |= {"map": NeuronMap(lens), "explorer": Explorer(lens)}
    views["compare"] = slw.compare({"one": lens, "two": other}).view()
    return views | {"evolution": slw.evolution(steps(folder / "steps")).show()}


_WIDGETS = _widgets()
_SENT: Queue[Any] = Queue()
for _widget in _WIDGETS.values():
    _widget.send = lambda *message: _SENT.put(message)
_PAIRS = [
    (name, method)
    for name, widget in _WIDGETS.items()
    for method in (*type(widget)._requests, *type(widget)._actions)
]
_AIMED = st.sampled_from(_PAIRS).flatmap(
    lambda pair: st.tuples(st.just(pair[0]), st.just(pair[1]), _requests(pair[1]))
)
_KIND = st.sampled_from(["request", "stop", "reply"]) | _JSON
_MESSAGE = st.fixed_dictionaries(
    {}, optional={"kind": _KIND, "id": _JSON, "method": st.sampled_from(_WORDS) | _JSON,
                  "params": _JSON}
)  # fmt: skip
CASES = _AIMED | st.tuples(st.sampled_from(list(_WIDGETS)), st.none(), _MESSAGE | _JSON)


def check(case):
    """A request is answered once, in JSON that can be sent, and a refusal is one for people."""
    name, method, asked = case
    widget = _WIDGETS[name]
    if method is None:
        message, as_declared = asked, False
    else:
        as_declared, params = asked
        message = {"kind": "request", "id": 7, "method": method, "params": params}
    message = json.loads(json.dumps(message))
    while not _SENT.empty():  # of a case that failed
        _SENT.get()
    widget._answer(widget, message, [])
    asks = isinstance(message, dict) and message.get("kind") == "request"
    if not asks or not isinstance(message.get("id"), int):
        assert _SENT.empty()
        return
    reply, buffers = _reply()
    assert reply["id"] == message.get("id")
    # As a kernel sends it.
    json.dumps(reply, ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogateescape")
    assert all(isinstance(one, bytes) for one in buffers)
    assert ("result" in reply) != ("error" in reply)
    if error := reply.get("error"):
        assert error["message"].strip()
        assert "/tmp" not in error["message"]  # noqa: S108 - no folder of this machine
        assert not as_declared or error["type"] in _FOR_PEOPLE, error
        inner = re.search("out of (range|bounds)|object has no|NoneType", error["message"])
        assert not as_declared or not inner, error
    assert _SENT.empty()


def _reply() -> tuple[dict[str, Any], list[bytes]]:
    while True:
        reply, *buffers = _SENT.get(timeout=_PATIENCE)
        if reply["kind"] == "reply":  # not how far it is
            return reply, buffers[0]
