"""What all widgets share: construction, requests, errors, the trait for a neuron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pandas as pd
import pytest
import traitlets

from semlens_widgets.widgets._base import Handler, LensWidget, Reply, asset
from semlens_widgets.widgets._requests import close_matches, describe

if TYPE_CHECKING:
    from collections.abc import Mapping


class Lens:
    layers = ("layer3", "layer4")
    neurons = pd.DataFrame({"layer": ["layer3", "layer3", "layer4"], "neuron": [0, 1, 0]})

    def on_labels(self, callback):
        return lambda: None


class Probe(LensWidget):
    _esm = "export default { render() {} }"
    size = traitlets.Int(3).tag(sync=True)

    def _double(self, params: Mapping[str, Any]) -> Reply:
        return {"twice": 2 * params["value"]}, [b"bytes"]

    def _fail(self, params: Mapping[str, Any]) -> Reply:
        raise KeyError("layer9")

    _requests: ClassVar[Mapping[str, Handler]] = {"double": _double, "fail": _fail}


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Probe:
    widget = Probe(Lens())
    replies: list[tuple[Any, Any]] = []
    monkeypatch.setattr(widget, "send", lambda *message: replies.append(message))
    widget.replies = replies
    return widget


def ask(probe: Any, method: str, **params: Any) -> tuple[Any, Any]:
    message = {"kind": "request", "id": 7, "method": method, "params": params}
    probe._answer(probe, message, [])
    return probe.replies[-1]


class Shell:
    """A notebook's shell, as IPython has it."""

    execution_count = 1
    user_ns: ClassVar[dict[str, Any]] = {}

    def __init__(self) -> None:
        self.after: list[Any] = []
        self.events = self

    def get_parent(self) -> Any:
        return {"metadata": {"cellId": "c1"}}

    def register(self, _event: str, function: Any) -> None:
        self.after.append(function)

    def unregister(self, _event: str, function: Any) -> None:
        self.after.remove(function)


def test_a_cell_run_again_closes_nothing(monkeypatch: pytest.MonkeyPatch):
    # Boxes, attributes, caches, other notebooks: nobody knows what still shows a widget.
    shell = Shell()
    monkeypatch.setattr("IPython.core.getipython.get_ipython", lambda: shell)
    holder = type("Holder", (), {})()
    for shell.execution_count in (1, 2, 3):
        widget = Probe(Lens())
        holder.first = getattr(holder, "first", widget)
        for function in list(shell.after):
            function(None)
    assert holder.first.comm is not None


def test_unknown_options_are_refused_with_close_matches():
    with pytest.raises(TypeError, match=r"Probe has no option 'sise'\. Did you mean 'size'"):
        Probe(Lens(), sise=4)
    assert Probe(Lens(), size=4).size == 4


@pytest.mark.parametrize("name", ["_esm", "comm", "keys", "log"])
def test_plumbing_is_no_option(name):
    with pytest.raises(TypeError, match="no option"):
        Probe(Lens(), **{name: "x"})


def test_repr_is_stable_and_has_no_address(probe):
    assert repr(probe) == "Probe(no neuron)"
    probe.active = ("layer4", 0)
    assert repr(probe) == "Probe(layer4 / 0)"


def test_a_request_gets_its_result_and_buffers(probe):
    content, buffers = ask(probe, "double", value=4)
    assert content == {"kind": "reply", "id": 7, "result": {"twice": 8}}
    assert buffers == [b"bytes"]


def test_what_a_handler_raises_becomes_the_reply(probe):
    content, buffers = ask(probe, "fail")
    assert content["error"] == {"type": "KeyError", "message": "layer9"}
    assert "result" not in content
    assert buffers == []


def test_an_unknown_method_is_an_error_reply(probe):
    content, _ = ask(probe, "explode")
    assert content["error"]["message"] == "Probe cannot answer 'explode'."


@pytest.mark.parametrize("message", [None, "text", {"kind": "reply"}, {"id": 3}])
def test_other_messages_are_left_alone(probe, message):
    probe._answer(probe, message, [])
    assert probe.replies == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read /home/someone/data/img 3.png", "cannot read img 3.png"),
        (r"no file C:\Users\someone\run.lance here", "no file run.lance here"),
        ("shape and/or texture, 3/4 of it", "shape and/or texture, 3/4 of it"),
        ("layer1/conv/relu has no neuron", "layer1/conv/relu has no neuron"),
        ("see https://example.org/a/b", "see https://example.org/a/b"),
        ("cannot read /data/caf\udce9.png", "cannot read caf\ufffd.png"),
    ],
)
def test_messages_hold_no_machine_paths(text, shown):
    assert describe(ValueError(text)) == {"type": "ValueError", "message": shown}


def test_an_error_without_text_is_named():
    assert describe(RuntimeError()) == {"type": "RuntimeError", "message": "RuntimeError"}


def test_active_takes_a_pair_a_list_or_none(probe):
    for value in [("layer3", 1), ["layer3", 1]]:
        probe.active = value
        assert probe.active == ("layer3", 1)
    assert probe.get_state("active") == {"active": {"layer": "layer3", "neuron": 1}}
    probe.active = None
    assert probe.get_state("active") == {"active": None}


def test_active_comes_back_from_the_browser(probe):
    probe.set_state({"active": {"layer": "layer4", "neuron": 0}})
    assert probe.active == ("layer4", 0)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (("layer33", 0), "Did you mean 'layer3'"),
        (("layer4", 1), "layer 'layer4' has no neuron 1"),
        (("layer4", -1), "has no neuron -1"),
        ("layer4", "a neuron"),
        (17, "a neuron"),
    ],
)
def test_active_must_be_a_neuron_of_the_lens(probe, value, message):
    with pytest.raises(traitlets.TraitError, match=message):
        probe.active = value
    assert probe.active is None


def test_close_matches_fall_back_to_what_is_known():
    assert close_matches("zzz", ["a", "b"]) == " Known: 'a', 'b'."
    assert close_matches("clarty", ["clarity", "max"]) == " Did you mean 'clarity'?"


def test_a_missing_bundle_says_how_to_build_it():
    assert "pip install -e ." in str(asset("no-such-widget.js"))
    assert asset("no-such-widget.css") == ""


def test_a_still_picture_goes_beside_the_widget(monkeypatch, probe):
    data, _ = probe._repr_mimebundle_()
    assert "image/png" not in data
    monkeypatch.setattr(probe, "_preview", lambda: b"PNG")
    data, _ = probe._repr_mimebundle_()
    assert data["image/png"] == "UE5H"
    assert "application/vnd.jupyter.widget-view+json" in data


def test_a_picture_that_fails_does_not_keep_the_widget_from_its_cell(monkeypatch, caplog):
    probe = Probe(Lens())
    monkeypatch.setattr(probe, "_preview", lambda: 1 / 0)
    data, _ = probe._repr_mimebundle_()
    assert "image/png" not in data
    assert "application/vnd.jupyter.widget-view+json" in data
    assert "Probe has no still picture" in caplog.text


def test_an_error_about_a_name_that_is_no_text_can_be_sent():
    message = describe(OSError("cannot read 'caf\udce9.jpg'"))["message"]
    assert message == "cannot read 'caf\ufffd.jpg'"
    message.encode("utf-8")


def test_the_still_picture_has_an_output_of_its_own(monkeypatch, probe):
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "semlens_widgets.widgets._base.display", lambda data, **_: shown.append(data)
    )
    monkeypatch.setattr(probe, "_preview", lambda: b"PNG")
    monkeypatch.setattr(Probe, "_summary", lambda _self: '<b> & "c"')
    probe._ipython_display_()
    widget, still = shown
    assert "application/vnd.jupyter.widget-view+json" in widget
    assert "image/png" not in widget
    assert still["image/png"] == "UE5H"
    assert still["text/html"].count("<") == 1
    assert f"slw-still-{probe.model_id}" in still["text/html"]
    assert probe.get_state()["_still"] == probe.model_id
    monkeypatch.setattr(probe, "_preview", lambda: None)
    probe._ipython_display_()
    assert len(shown) == 3
