"""The key of a chat endpoint, which its server sees and nobody else."""

from __future__ import annotations

import copy
import logging
import pickle
import traceback

import pytest

import semlens_widgets as slw
from semlens_widgets.labels.candidates import chat
from tests.unit.chat_server import Reply, chat_server, closed_port, looks, refused, said

pytestmark = pytest.mark.filterwarnings("ignore:The text encoder")  # this one knows four colours
KEY = "sk-Z9Y8secretX7"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(chat, "_FIRST_WAIT", 0.02)


@pytest.fixture
def lens(colour_lens):
    return colour_lens().run()


def vlm(server, **changes):
    return slw.ChatVLM("eye-1", **{"base_url": server.url, "timeout": 5} | changes)


def test_the_key_goes_to_the_server_and_nowhere_else(lens, caplog, capfd):
    """Whatever the server does with it, and whoever looks."""
    caplog.set_level(logging.DEBUG)
    replies = [
        said("red"),
        said(f"red, {KEY}, {KEY.lower()}"),
        refused(400, f"Bearer {KEY} is odd"),
        Reply(f"<html>{KEY}".encode()),
        refused(500, f"{KEY} {KEY}"),
        refused(500, f"{KEY} {KEY}"),
        Reply(b"", 302, {"Location": f"http://localhost/{KEY}"}),
    ]
    seen = []
    with chat_server(lambda number, _: replies[min(number, 6)]) as server:
        model = vlm(server, api_key=KEY, concurrency=1, retries=1)
        with pytest.warns(UserWarning, match="neurons got no") as warned:
            lens.label(model)
        assert {asked.headers["Authorization"] for asked in server.asked} == {f"Bearer {KEY}"}
    seen += [str(one.message) for one in warned]
    for reply in (refused(401, f"wrong key {KEY}"), replies[-1]):
        with chat_server(lambda *_, reply=reply: reply) as server:
            model = vlm(server, api_key=f" {KEY}\n")
            with pytest.raises(slw.VlmUnavailable) as raised:
                lens.label(model)
            seen.append(whole_traceback(raised.value))
            assert len(server.asked) == 1
    with pytest.raises(slw.VlmUnavailable) as raised:
        lens.label(slw.ChatVLM("eye-1", base_url=closed_port(), api_key=KEY))
    seen += [whole_traceback(raised.value), repr(raised.value)]
    seen += [repr(model), str(vars(model)), repr(model._key), str(model._key), f"{model._key:}"]
    seen += [str(vars(model._endpoint)), str(model.preview(lens)), model.report.to_csv()]
    seen += [caplog.text, *capfd.readouterr(), str(lens.labels.to_dict()), str(lens.labelled_by)]
    files = [file for file in lens.store.path.rglob("*") if file.is_file()]
    assert any("answers.lance" in str(file) for file in files)
    seen += [file.read_bytes().decode("latin-1") for file in files]
    for text in seen:
        assert KEY.lower() not in text.lower()
    for give_away in (pickle.dumps, copy.deepcopy, copy.copy):
        with pytest.raises(TypeError, match="not pickled or copied"):
            give_away(model._key)


def whole_traceback(error: BaseException | None) -> str:
    """All that a debugger would show: every frame of every cause, with what its variables hold."""
    shown = []
    while error is not None:
        lines = traceback.TracebackException.from_exception(error, capture_locals=True)
        lines.stack = [frame for frame in lines.stack if "tests/" not in frame.filename]
        shown += map(str, lines.stack)
        shown += [str(frame.locals) for frame in lines.stack]
        error = error.__cause__ or error.__context__
    assert len(shown) > 2
    return "\n".join(shown)


@pytest.mark.parametrize("key", [f"{KEY}\nHost: evil", f"{KEY} x", f"{KEY}é", 5])
def test_a_key_that_is_none_is_refused_without_showing_it(key):
    with pytest.raises(ValueError, match="printable ASCII without blanks") as raised:
        slw.ChatVLM("eye-1", base_url="http://localhost/v1", api_key=key)
    assert KEY not in whole_traceback(raised.value)
    assert KEY not in str(raised.value)


def test_no_server_is_shown_the_key_of_another(lens, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OTHER", "sk-of-other")
    with chat_server(looks) as server:
        lens.label(vlm(server))
        lens.label(vlm(server, key_variable="OTHER", n=1))
        lens.label(vlm(server, api_key="", n=2))
    shown = [asked.headers.get("Authorization") for asked in server.asked]
    assert shown == [None] * 6 + ["Bearer sk-of-other"] * 6 + [None] * 6
    openai = slw.ChatVLM("eye-1", base_url="https://api.openai.com/v1/")
    assert openai._key.header() == {"Authorization": "Bearer sk-of-openai"}
    with pytest.raises(ValueError, match="variable 'NOT_SET' is not set"):
        slw.ChatVLM("eye-1", base_url="https://example.org/v1", key_variable="NOT_SET")
    with pytest.raises(ValueError, match=r"'example\.org' would get the key over an open line"):
        slw.ChatVLM("eye-1", base_url="http://example.org/v1", api_key=KEY)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_nobody_else_is_shown_key_and_pictures(lens, monkeypatch, status):
    """Neither whom the server points at, nor a proxy that stands between here and here."""
    with chat_server(looks) as other:
        monkeypatch.setenv("http_proxy", other.url)
        away = Reply(b"", status, {"Location": f"{other.url}/chat/completions"})
        with chat_server(lambda *_: away) as server:
            with pytest.raises(slw.VlmUnavailable, match="points at another address"):
                lens.label(vlm(server, api_key=KEY))
            assert len(server.asked) == 1
        assert other.asked == []
