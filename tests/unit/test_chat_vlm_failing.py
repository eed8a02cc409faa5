"""A chat endpoint that is down, slow or busy: what becomes of the neurons, and what is kept."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.labels.candidates import chat
from semlens_widgets.store import locks
from tests.unit.chat_server import Reply, chat_server, closed_port, colour_analysis, looks, refused

pytestmark = pytest.mark.filterwarnings("ignore:The text encoder")  # this one knows four colours


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr(chat, "_FIRST_WAIT", 0.02)


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    """One for all: each test has a server of its own, which is asked anew."""
    return colour_analysis(tmp_path_factory.mktemp("colours"))


def vlm(server, **changes):
    return slw.ChatVLM("eye-1", **{"base_url": server.url, "timeout": 5} | changes)


def test_where_nobody_answers_the_first_question_says_so(lens, monkeypatch):
    monkeypatch.setattr(chat, "_FIRST_WAIT", 60.0)  # nor is anybody waited for
    lens.label(["red"])
    before = lens.neurons
    model = slw.ChatVLM("eye-1", base_url=closed_port())
    with pytest.raises(slw.VlmUnavailable, match=r"'eye-1' at http.*the server is not running\. "):
        lens.label(model)
    assert lens.neurons.equals(before)
    assert model.report["error"].ne("").all()


def test_a_server_that_goes_down_leaves_what_it_said(lens):
    def play(number, asked):
        if number == 3:
            threading.Thread(target=server.stop).start()
        return looks(number, asked)

    with chat_server(play) as server:
        model = vlm(server, concurrency=1, retries=1, also=["grey"])
        with pytest.warns(UserWarning, match="have the words of also= alone.*connection refused"):
            found = lens.label(model, threshold=-np.inf)
    assert found["label"].tolist()[:3] == ["red", "green", "blue"]
    report = model.report
    assert report["error"].eq("").sum() >= 4
    assert report["error"].iloc[-1].startswith("nothing answers there")
    with chat_server(looks) as other:  # as if it were up again
        model._endpoint.address = f"{other.url}/chat/completions"
        lens.label(model, threshold=-np.inf)
        assert len(other.asked) == report["error"].ne("").sum()


def drips(over):
    """Send a byte now and then, each of them soon."""

    def drip(write):
        for _ in range(40):
            if over.wait(0.05):
                return
            write(b" ")

    return Reply(drip=drip)


@pytest.mark.parametrize("late", [lambda over: over.wait(5) and Reply(), drips])
def test_a_slow_answer_is_not_waited_for(lens, late):
    over = threading.Event()

    def play(number, asked):  # slow at the second question, and at its repetition
        return late(over) if number in {1, 2} else looks(number, asked)

    with chat_server(play) as server:
        model = vlm(server, timeout=0.3, retries=1, concurrency=1)
        with pytest.warns(UserWarning, match=r"1 of 7 .*no answer within 0\.3 seconds"):
            lens.label(model)
        over.set()
    assert len(server.asked) == 7
    assert model.report["error"].ne("").tolist() == [row == 1 for row in range(7)]


def test_a_server_that_is_slow_from_the_start_ends_it(lens):
    over = threading.Event()
    with chat_server(lambda *_: over.wait(5) and Reply()) as server:
        with pytest.raises(slw.VlmUnavailable, match="no answer within"):
            lens.label(vlm(server, timeout=0.1, retries=2))
        over.set()
    assert len(server.asked) == 6  # two questions


def test_a_busy_server_is_asked_again_when_it_says(lens):
    def play(number, asked):
        return refused(429, "slow down", Retry_After="1") if number == 1 else looks(number, asked)

    with chat_server(play) as server:
        lens.label(vlm(server, concurrency=1))
    moments = [asked.moment for asked in server.asked]
    assert len(moments) == 7
    assert server.asked[1].raw == server.asked[2].raw
    assert moments[2] - moments[1] >= 1


@pytest.mark.parametrize("wait", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT", "inf"])
def test_a_server_that_says_to_wait_long_is_left(lens, wait):
    with chat_server(lambda *_: refused(429, "quota", Retry_After=wait)) as server:
        with pytest.raises(slw.VlmUnavailable, match=r"429: quota; it says to wait \w+ seconds"):
            lens.label(vlm(server))
        assert len(server.asked) == 2


@pytest.mark.parametrize("wait", ["soon", "nan", "-5"])
def test_a_wait_that_is_none_is_a_growing_one(lens, wait, monkeypatch):
    monkeypatch.setattr(chat, "_FIRST_WAIT", 0.1)

    def play(number, asked):
        return refused(500, "oops", Retry_After=wait) if number in {1, 2} else looks(number, asked)

    with chat_server(play) as server:
        lens.label(vlm(server, concurrency=1))
    moments = [asked.moment for asked in server.asked]
    assert len(moments) == 8
    if wait != "-5":
        assert moments[2] - moments[1] >= 0.1
        assert moments[3] - moments[2] >= 0.2


@pytest.mark.parametrize("status", [401, 402, 404])
def test_what_would_meet_every_question_is_met_once(lens, status):
    with chat_server(lambda *_: refused(status, "no such thing")) as server:
        with pytest.raises(slw.VlmUnavailable, match=f"status {status}: no such thing"):
            lens.label(vlm(server))
        assert len(server.asked) == 1


def test_after_five_failures_in_a_row_the_rest_is_not_asked(lens):
    def play(number, asked):
        return looks(number, asked) if number == 0 else Reply(b"<html>")

    with chat_server(play) as server:
        model = vlm(server, concurrency=1)
        with pytest.warns(UserWarning, match="5 of 7 neurons"):
            lens.label(model)
        assert len(server.asked) == 6
    with chat_server(lambda *_: Reply(b"<html>")) as server:
        model = vlm(server, n=1, concurrency=1)
        with pytest.raises(slw.VlmUnavailable, match="it answered with a web page; base_url may"):
            lens.label(model)
        assert len(server.asked) == 5
    assert model.report["error"].iloc[-1].startswith("not asked, after others failed: it answered")


@pytest.mark.parametrize("status", [403, 500])
def test_pictures_that_are_always_refused_keep_nobody_from_a_label(lens, status):
    """Not even if they are all that is left to ask about, or come first."""
    refusing = {"green", "blue"}

    def play(_number, asked):
        if asked.colour() in refusing:
            return refused(status, "no such picture")
        return looks(_number, asked)

    with chat_server(play) as server:
        for _ in range(2):
            with pytest.warns(UserWarning, match="neurons got no candidate"):
                found = lens.label(vlm(server, retries=0), threshold=-np.inf)
            assert found["label"].tolist()[:4] == ["red", "unknown", "unknown", "red"]
        refusing.clear()
        refusing.add("green")
        with pytest.warns(UserWarning, match="neurons got no candidate"):
            found = lens.label(vlm(server, retries=0), threshold=-np.inf)
        assert found["label"].tolist()[:4] == ["red", "unknown", "blue", "red"]


def test_an_answer_that_cannot_be_written_now_is_written_with_the_next(lens, monkeypatch):
    import filelock

    monkeypatch.setattr(locks, "_PATIENCE", 0.1)
    before = len(lens.store.frame("answers")) if lens.store.has("answers") else 0
    with chat_server(looks) as server:
        with (
            filelock.FileLock(lens.store.path / ".lock"),  # as another process
            pytest.raises(slw.StoreError, match="Another process is writing"),
        ):
            lens.label(vlm(server, concurrency=1))
        assert len(server.asked) == 1
        lens.label(vlm(server))
        assert len(server.asked) == 6
    assert len(lens.store.frame("answers")) == before + 6


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"base_url": "localhost:11434"}, "give an address such as"),
        ({"base_url": "ftp://localhost/v1"}, "give an address such as"),
        ({"base_url": "http://localhost:port/v1"}, "give an address such as"),
        ({"base_url": "http://me:pass@localhost/v1"}, "without name, password, query"),
        ({"base_url": "http://localhost/v1?key=1"}, "without name, password, query"),
        ({"n": 0}, "n=0 must be"),
        ({"n": True}, "n=True must be"),
        ({"timeout": 0}, "timeout=0 must be"),
        ({"timeout": float("nan")}, "timeout=nan must be"),
        ({"retries": -1}, "retries=-1 must"),
        ({"concurrency": 0}, "concurrency=0 must"),
        ({"options": {"stop": {1}}}, "must be JSON"),
        ({"model": " "}, "give the name"),
        ({"also": [""]}, "entry 0 is empty"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(changes, words):
    with pytest.raises(ValueError, match=words):
        slw.ChatVLM(**{"model": "eye-1", "base_url": "http://localhost/v1"} | changes)
