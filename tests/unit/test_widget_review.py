"""The table of labels: what it answers, what becomes of labels, and what undoes it."""

from __future__ import annotations

import base64
import csv
import io

import numpy as np
import pytest
import traitlets

import semlens_widgets as slw
from semlens_widgets.labels.scorers import scorer_of
from semlens_widgets.widgets._steps import Step, Steps
from tests.unit.panel_world import EVIL, Asker

NAMES = ["red", "green", "blue", "lime"]


@pytest.fixture
def lens(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="csp", threshold=-1.0)  # every neuron has a label
    return lens


@pytest.fixture
def view(lens):
    return slw.LabelTable(lens)


@pytest.fixture
def ask(view, monkeypatch):
    return Asker(view, monkeypatch)


def give(ask, rows, how, label="", theirs="ask"):
    return ask("give_labels", rows=rows, how=how, label=label, theirs=theirs)[0]


def in_force(lens, *rows):
    frame = lens.neurons.iloc[list(rows)]
    return list(zip(frame["label"], frame["source"], strict=True))


def columns(ask):
    """The answer as rows of texts and numbers, decoded as it is declared."""
    said, (codes, numbers, flags) = ask("review")
    flags = np.frombuffer(flags, np.uint8)
    codes = np.frombuffer(codes, np.uint32).reshape(6, len(flags))
    numbers = np.frombuffer(numbers, np.float32).reshape(4, len(flags))
    names = (said["layers"], None, said["sources"], *[said["names"]] * 3)
    texts = [
        [code if known is None else known[code] for code in column.tolist()]
        for known, column in zip(names, codes, strict=True)
    ]
    keys = ("layer", "neuron", "source", "label", "said", "runner_up")
    return said, dict(zip(keys, texts, strict=True)), numbers, flags


def test_unknown_options_and_wrong_values_are_refused(lens):
    assert lens.review(layer="seen", show="people").layer == "seen"
    with pytest.raises(traitlets.TraitError, match="Did you mean 'seen'"):
        slw.LabelTable(lens, layer="sen")
    with pytest.raises(TypeError, match="no option 'layr'"):
        slw.LabelTable(lens, layr="seen")
    with pytest.raises(TypeError, match=r"lens\.trust"):
        slw.LabelTable(lens, trust={"lead": 1})
    with pytest.raises(ValueError, match="no column 'runner_up'"):
        slw.LabelTable(lens, trust=lens.neurons)


def test_the_columns_are_those_of_the_lens(lens, ask):
    lens.set_labels({("seen", 0): "crimson", ("seen", 1): ""})
    said, texts, numbers, _ = columns(ask)
    table = lens.neurons
    assert texts["layer"] == table["layer"].tolist()
    assert texts["neuron"] == table["neuron"].tolist()
    assert texts["label"] == table["label"].tolist()
    assert texts["source"] == table["source"].tolist()
    assert texts["said"] == lens.scorer_labels()["label"].tolist()
    assert np.array_equal(
        numbers[:3].T, table[["score", "margin", "chance"]].to_numpy(np.float32), equal_nan=True
    )
    assert not said["judged"]
    assert set(texts["runner_up"]) == {""}
    assert np.isnan(numbers[3]).all()


def test_unsure_are_what_chance_reaches_and_never_a_persons(lens, ask):
    lens.label(NAMES, scorer="csp", threshold=0.9)
    table = lens.neurons
    lens.set_label(*table.loc[0, ["layer", "neuron"]], "crimson")
    _, _, _, flags = columns(ask)
    table = lens.neurons
    expected = (table["label"] == "unknown") | (table["score"] <= table["chance"])
    expected &= table["source"] != "person"
    assert expected.any()
    assert ((flags & 1) != 0).tolist() == expected.tolist()


def test_trust_speaks_of_the_labels_that_it_judged(lens, view, ask):
    trust = lens.trust(resamples=3)
    view.trust = trust
    said, texts, numbers, flags = columns(ask)
    assert said["judged"]
    assert texts["runner_up"] == trust["runner_up"].tolist()
    assert np.array_equal(numbers[3], trust["lead"].to_numpy(np.float32), equal_nan=True)
    assert (flags[~trust["known"].to_numpy()] & 1).all()
    give(ask, [0], "set", "crimson")
    _, texts, numbers, flags = columns(ask)
    assert texts["runner_up"] == ["", *trust["runner_up"][1:]]
    assert np.isnan(numbers[3][0])
    assert flags[0] == 2
    revision = view._revision
    ask("judge_labels")
    assert view._revision > revision
    assert "crimson" in view.trust["label"].tolist()


def test_offers_are_the_best_others_and_the_first_examples(lens, ask):
    give(ask, [1], "set", "crimson")
    offers, _ = ask("offers", rows=[0, 1])
    for row, offer in enumerate(offers):
        layer, neuron = lens.neurons.loc[row, ["layer", "neuron"]]
        scores = lens.scores(layer, neuron, NAMES, scorer=scorer_of("csp")).sort_values(
            "score", ascending=False, kind="stable"
        )
        others = scores[scores["candidate"] != lens.neurons["label"][row]]
        assert [one["label"] for one in offer["choices"]] == others["candidate"].tolist()
        assert [one["score"] for one in offer["choices"]] == pytest.approx(others["score"].tolist())
        assert offer["samples"] == lens.examples(layer, neuron)["sample"].head(3).tolist()
    error, _ = ask("offers", rows=[0, 10_000])
    assert "between 0 and" in error["message"]


def test_without_the_foundation_model_runs_are_what_there_is_to_choose(lens):
    lens.label(["blue", "lime"], scorer="csp", run="second")
    first, second = (lens.labels.query(f"run == {run!r}")["label"] for run in ("csp", "second"))
    opened = slw.open(lens.store.path)
    for row, (layer, neuron) in enumerate(lens.neurons[["layer", "neuron"]].to_numpy().tolist()):
        choices = opened.label_choices([(layer, neuron)])
        in_force = second.iloc[row]
        wanted = [name for name in (first.iloc[row],) if name not in (in_force, "unknown")]
        assert choices["label"].tolist() == wanted
        assert choices["score"].isna().all()


def test_to_accept_is_to_make_the_scorers_label_a_persons(lens, view, ask):
    before = lens.neurons
    assert give(ask, [0, 1], "accept") == {"changed": 2, "people": 0, "without": 0, "asked": False}
    after = lens.neurons
    assert after["label"].tolist() == before["label"].tolist()
    assert in_force(lens, 0, 1) == [(label, "person") for label in before["label"][:2]]
    assert after["score"].tolist() == before["score"].tolist()
    assert view._undo == "accept"
    ask("step_labels", back=True)
    assert lens.neurons.equals(before)


def test_what_has_no_label_is_not_accepted_and_that_is_said(lens, ask):
    lens.label(NAMES, scorer="csp", threshold=9.0)
    assert set(lens.neurons["label"]) == {"unknown"}
    given = give(ask, [0, 1, 2], "accept")
    assert given == {"changed": 0, "people": 0, "without": 3, "asked": False}
    assert "person" not in lens.neurons["source"].tolist()


def test_a_rejected_label_is_none_and_stays_none(lens, view, ask, tmp_path):
    give(ask, [0, 2], "reject")
    assert in_force(lens, 0, 2) == [("", "person")] * 2
    assert lens.neurons["score"][[0, 2]].isna().all()
    lens.label(NAMES[:3], scorer="csp")  # whatever the scorer says
    assert in_force(lens, 0, 2) == [("", "person")] * 2
    again = slw.open(lens.store.path)
    assert in_force(again, 0, 2) == [("", "person")] * 2
    trust = lens.trust(resamples=2)
    assert trust["score"][[0, 2]].isna().all()
    assert not trust["known"][[0, 2]].any()
    lens.export_labels(tmp_path / "labels.csv")
    text = (tmp_path / "labels.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(rows[at]["label"], rows[at]["source"]) for at in (0, 2)] == [("", "person")] * 2
    assert lens.import_labels(tmp_path / "labels.csv").empty
    give(ask, [0, 2], "clear")
    assert "person" not in lens.neurons["source"].tolist()
    assert set(lens.import_labels(tmp_path / "labels.csv")["label"]) == {""}
    assert in_force(lens, 0, 2) == [("", "person")] * 2


def test_one_label_for_many_is_one_step(lens, view, ask):
    before, heard = lens.neurons, []
    lens.on_labels(lambda: heard.append(1))
    assert give(ask, [0, 1, 2], "set", f"  {EVIL}  ")["changed"] == 3
    assert in_force(lens, 0, 1, 2) == [(EVIL, "person")] * 3
    assert heard == [1]
    assert view._undo == f"set “{EVIL}”"
    ask("step_labels", back=True)
    assert lens.neurons.equals(before)
    assert (view._undo, view._redo) == ("", f"set “{EVIL}”")
    error, _ = ask("give_labels", rows=[0], how="set", label="  ", theirs="ask")
    assert "Which label?" in error["message"]


@pytest.mark.parametrize(
    ("rows", "how", "said"),
    [([], "accept", "one or more"), (None, "accept", "one or more"), ([-1], "accept", "between"),
     ([True], "accept", "one or more"), ([0], "drop", "must be accept")],
)  # fmt: skip
def test_what_makes_no_sense_changes_nothing(lens, ask, rows, how, said):
    before = lens.neurons
    error, _ = ask("give_labels", rows=rows, how=how, label="", theirs="replace")
    assert said in error["message"]
    assert lens.neurons.equals(before)


def test_labels_of_people_are_replaced_only_if_that_is_asked(lens, view, ask):
    lens.set_labels({("seen", 0): "crimson", ("seen", 1): ""})
    rows = lens.neurons.query("layer == 'seen'").index[:3].tolist()
    before = lens.neurons
    given = give(ask, rows, "set", "rose")
    assert given == {"changed": 0, "people": 2, "without": 0, "asked": True}
    assert lens.neurons.equals(before)
    assert view._undo == ""
    given = give(ask, rows, "set", "rose", "keep")
    assert given == {"changed": 1, "people": 2, "without": 0, "asked": False}
    assert in_force(lens, *rows) == [("crimson", "person"), ("", "person"), ("rose", "person")]
    # What was given here may be changed here without a question.
    assert give(ask, rows[2:], "set", "moss")["changed"] == 1
    assert give(ask, rows, "reject", theirs="replace")["changed"] == 2
    assert {label for label, _ in in_force(lens, *rows)} == {""}
    # Not so what somebody else gave since.
    lens.set_label("seen", 2, "teal")
    assert give(ask, [rows[2]], "accept")["asked"]


def test_many_steps_are_undone_and_done_again(lens, view, ask):
    moments = [lens.neurons]
    for rows, how, label in (([0, 1], "accept", ""), ([1, 2], "reject", ""), ([0], "set", "rose")):
        give(ask, rows, how, label)
        moments.append(lens.neurons)
    for back, at in [
        (True, 2),
        (True, 1),
        (False, 2),
        (True, 1),
        (True, 0),
        (False, 1),
        (False, 2),
    ]:
        ask("step_labels", back=back)
        assert lens.neurons.equals(moments[at])
    assert (view._undo, view._redo) == ("reject", "set “rose”")
    give(ask, [3], "reject")
    assert view._redo == ""
    error, _ = ask("step_labels", back=False)
    assert "nothing to do again" in error["message"]


def test_what_others_changed_since_is_not_undone(lens, ask):
    give(ask, [0, 1], "set", "rose")
    layer, neuron = lens.neurons.loc[0, ["layer", "neuron"]]
    lens.set_label(layer, neuron, "teal")
    assert ask("step_labels", back=True)[0] == {
        "changed": 1, "people": 0, "without": 1, "asked": False,
    }  # fmt: skip
    assert lens.neurons["label"][0] == "teal"
    assert lens.neurons["source"][1] == "csp"


def test_labels_changed_elsewhere_are_asked_for_again(lens, view):
    before = view._revision
    lens.set_label("seen", 0, "crimson")
    assert view._revision == before + 1
    view.close()
    lens.set_label("seen", 0, "rose")
    assert view._revision == before + 1


def send(ask, text, theirs="ask"):
    data = text if isinstance(text, bytes) else text.encode()
    return ask("read_labels", data=base64.b64encode(data).decode(), theirs=theirs)[0]


def test_a_file_goes_out_and_comes_back_and_is_undone(lens, view, ask):
    name, (data,) = ask("label_file")
    assert name == {"name": "labels.csv"}
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert [row["label"] for row in rows] == lens.neurons["label"].tolist()
    assert send(ask, data)["changed"] == 0
    assert view._undo == ""
    before = lens.neurons
    rows[0]["label"], rows[1]["label"] = "rose", EVIL
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    assert send(ask, text.getvalue())["changed"] == 2
    assert in_force(lens, 0, 1) == [("rose", "person"), (EVIL, "person")]
    assert view._undo == "labels from a file"
    ask("step_labels", back=True)
    assert lens.neurons.equals(before)


def test_a_files_clash_with_people_is_asked_about(lens, ask):
    lens.set_label("seen", 0, "crimson")
    text = "layer,neuron,label\nseen,0,rose\nseen,1,moss\n"
    before = lens.neurons
    assert send(ask, text) == {"changed": 0, "people": 1, "without": 0, "asked": True}
    assert lens.neurons.equals(before)
    assert send(ask, text, "keep")["changed"] == 1
    assert send(ask, text, "replace")["changed"] == 1
    ask("step_labels", back=True)
    assert lens.neurons.query("layer == 'seen' and neuron == 0")["label"].item() == "crimson"


def test_what_is_wrong_with_a_file_is_said_line_by_line(lens, ask):
    before = lens.neurons
    lines = [f"nowhere,{at},{EVIL}" for at in range(9)]
    said = send(ask, "\n".join(["layer,neuron,label", "seen,0,rose", *lines]))["message"].split(
        "\n"
    )
    assert said[0] == "The file, line 3: there is no neuron 'nowhere' '0' here."
    assert said[5].startswith("The file, line 8:")
    assert said[6:] == ["... and 3 more"]
    assert (
        "not in UTF-8" in send(ask, "layer,neuron,label\nseen,0,grün".encode("latin-1"))["message"]
    )
    assert "did not arrive" in ask("read_labels", data="%", theirs="ask")[0]["message"]
    assert lens.neurons.equals(before)


def test_repr_and_still_picture(lens, view):
    assert repr(view) == f"LabelTable({len(lens.neurons)} of {len(lens.neurons)} neurons labelled)"
    assert view._preview()[:4] == b"\x89PNG"


def test_steps_know_what_is_their_own():
    steps, key = Steps(), ("a", 0)
    assert not steps.own(key, None)
    steps.did(Step("one", {key: None}, {key: "x"}))
    steps.did(Step("two", {key: "x"}, {key: "y"}))
    assert steps.own(key, "y")
    assert not steps.own(key, "x")
    assert steps.to_say({key: "y"}, back=True) == {key: "x"}
    assert steps.to_say({key: "z"}, back=True) == {}
    assert steps.stepped(back=True) == 1
    assert steps.titles == ("one", "two")
    assert steps.own(key, "x")
