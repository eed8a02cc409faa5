"""A study: what its page tells and what not, and what comes of raters whose skill is known."""

from __future__ import annotations

import base64
import csv
import json
import re
from hashlib import sha256

import numpy as np
import pytest

import semlens_widgets as slw
from semlens_widgets.lens.study_page import read_key
from tests.colour_world import ColourFoundation, ColourNet, colour_images, to_tensor
from tests.unit.test_audit_report import Page

HEAD = "study,rater,task,choice,seconds,position\n"


@pytest.fixture(scope="module")
def lens(tmp_path_factory):
    images = slw.ImageDataset.from_list(colour_images(), [i % 3 for i in range(60)], [*"rgb"])
    target = slw.TargetModel(
        ColourNet(), ["seen", "mixed"], transform=to_tensor, name="ColourNet", poles="positive"
    )
    folder = tmp_path_factory.mktemp("study") / "analysis"
    return slw.SemanticLens(target, images, ColourFoundation(), path=folder, n_examples=6).run()


@pytest.fixture(scope="module")
def study(lens, tmp_path_factory):
    return lens.study(5, tmp_path_factory.mktemp("page") / "study.html", examples=3, tasks=8)


def data_of(page: str) -> dict:
    return json.loads(re.search(r'id="study">(.*?)</script>', page)[1])


def write(path, key, rater, choices) -> str:
    """What the page would give a rater who chose so, by task."""
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file)
        lines.writerow(HEAD.strip().split(","))
        for place, (task, choice) in enumerate(choices.items()):
            lines.writerow([key.study, rater, task + 1, choice, 2.5, place + 1])
    return str(path)


def test_the_page_runs_alone_and_does_not_hold_what_is_right(study):
    source = study.page.read_text(encoding="utf-8")
    page, key, held = Page(source), read_key(study.key), data_of(source)
    policy = next(one for tag, one in page.tags if one.get("http-equiv"))["content"]
    script = re.findall(r"<script>(.*?)</script>", source, re.DOTALL)
    assert f"sha256-{base64.b64encode(sha256(script[0].encode()).digest()).decode()}" in policy
    assert len(script) == 1
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert {tag for tag, _ in page.tags}.isdisjoint({"link", "iframe", "a", "img"})
    assert not re.search(r"https?:", source)
    assert set(held) == {"study", "choices", "tasks", "pictures"}
    assert held["study"] == key.study
    for place, (task, asked) in enumerate(zip(held["tasks"], key.tasks, strict=True)):
        assert len(task) == key.choices == 4
        if not asked.layer:  # the one picture that is shown once
            alone = [task.count(one) for one in task].index(1)
            assert alone + 1 == asked.right, place
    for word in ("seen", "mixed", "ColourNet", '"right"', '"odd"'):
        assert word not in source


def test_the_key_names_the_picture_that_is_no_example(lens, study):
    held, key = data_of(study.page.read_text(encoding="utf-8")), read_key(study.key)
    for task, asked in zip(held["tasks"], key.tasks, strict=True):
        if asked.layer:
            own = lens.examples(asked.layer, asked.neuron)["sample"].tolist()
            theirs = [base64.b64encode(one).decode() for one in lens.thumbnail_jpegs(own)]
            foreign = [held["pictures"][one] not in theirs for one in task]
            assert foreign == [place + 1 == asked.right for place in range(4)]


def test_a_seed_draws_the_same_and_another_study_is_not_written_over(lens, study):
    first = study.page.read_bytes(), study.key.read_bytes()
    again = lens.study(5, study.page, examples=3, tasks=8)
    assert (again.page.read_bytes(), again.key.read_bytes()) == first
    with pytest.raises(FileExistsError, match="the key of another study"):
        lens.study(5, study.page, examples=3, tasks=8, seed=1)
    assert study.key.read_bytes() == first[1]


def test_random_images_may_be_intruders(lens, tmp_path):
    made = lens.study(3, tmp_path / "random.html", intruder="random", catch=0, layer="seen")
    assert {one.layer for one in read_key(made.key).tasks} == {"seen"}
    assert (made.neurons, made.catch) == (3, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"n": 99}, r"n=99, but \d neurons are alive"),
        ({"n": 0}, "n=0 must be a whole number, 1 or more"),
        ({"n": 3, "examples": 9}, "examples=9 must be a whole number, 2 to 8"),
        ({"n": 3, "intruder": "cat"}, "intruder='cat' must be 'neuron' or 'random'"),
    ],
)
def test_what_cannot_be_asked_is_refused(lens, tmp_path, wrong, said):
    with pytest.raises(ValueError, match=said):
        lens.study(path=tmp_path / "study.html", **wrong)
    assert not (tmp_path / "study.html").exists()


def test_intervals_hold_the_skill_of_simulated_raters(lens, study, tmp_path):
    """Twenty studies of five neurons, which raters know so well as drawn for each."""
    key, lots = read_key(study.key), np.random.default_rng(0)
    inside, neurons = 0, 0
    for _ in range(20):
        places = sorted({(one.layer, one.neuron) for one in key.tasks if one.layer})
        skill = dict(zip(places, lots.uniform(0.2, 1, len(places)), strict=True))
        files = []
        for rater in range(6):
            choices = {}
            for task, one in enumerate(key.tasks):
                others = [at for at in range(1, 5) if at != one.right]
                knows = lots.random() < skill.get((one.layer, one.neuron), 1)
                choices[task] = one.right if knows else lots.choice(others)
            files.append(write(tmp_path / f"{rater}.csv", key, f"r{rater}", choices))
        found = lens.study_results(files, study.key)
        assert not found.raters["excluded"].any()
        for row in found.neurons.itertuples():
            assert row.answers == 6 * 8
            inside += row.low <= skill[row.layer, row.neuron] <= row.high
            neurons += 1
    assert inside / neurons >= 0.9


def test_who_fails_catch_trials_counts_nowhere(lens, study, tmp_path):
    key = read_key(study.key)
    right = {task: one.right for task, one in enumerate(key.tasks)}
    wrong = {task: one.right % 4 + 1 for task, one in enumerate(key.tasks)}
    catch = [task for task, one in enumerate(key.tasks) if not one.layer]
    files = [
        write(tmp_path / "a.csv", key, "good", right),
        write(tmp_path / "b.csv", key, "careless", wrong),
        write(tmp_path / "c.csv", key, "barely", right | {catch[0]: wrong[catch[0]]}),
        write(tmp_path / "d.csv", key, "=none", {0: 1} if 0 not in catch else {1: 1}),
        write(tmp_path / "e.csv", key, "good", dict(list(right.items())[:5])),  # once more
    ]
    found = lens.study_results(files, study.key)
    table = found.raters.set_index("rater")
    assert table["excluded"].to_dict() == {
        "good": False,
        "careless": True,
        "barely": False,  # 5 of 6
        "=none": True,
    }
    assert table.loc["barely", ["caught", "catch"]].tolist() == [5, 6]
    assert found.neurons["right"].tolist() == [1] * 5
    assert found.neurons["answers"].tolist() == [2 * 8] * 5
    assert found.agreement.value == 1
    assert np.isnan(found.correlations["rho"]).all()  # all neurons are alike
    assert found.chance == 0.25
    assert any("careless, who had 0 of 6 catch trials right" in one for one in found.said)
    alone = lens.study_results(files[1:2], study.key)
    assert alone.neurons["answers"].sum() == 0
    assert "No rater is left" in repr(alone)
    assert not lens.study_results(files[:4], study.key, catch_right=0).raters["excluded"].any()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("other,ann,1,1,2.5,1", "line 2: it answers the study 'other'"),
        ("{study},,1,1,2.5,1", "line 2: the rater '' must be a name"),
        ("{study},ann,99,1,2.5,1", r"line 2: the task '99' is none of 1 to 46"),
        ("{study},ann,1,5,2.5,1", "line 2: the choice '5' is none of 1 to 4"),
        ("{study},ann,1,1.0,2.5,1", r"the choice '1\.0' is none"),
        ("{study},ann,1,1,nan,1", "the seconds 'nan' are no number"),
        ("{study},ann,1", "the choice '' is none of 1 to 4"),
        ("{study},ann,1,1,2.5,1\n{study},ann,1,1,2.5,1", "line 3: 'ann' has answered task 1"),
        ("", "no file has an answer"),
    ],
)
def test_a_wrong_line_is_named(lens, study, tmp_path, line, said):
    file = tmp_path / "wrong.csv"
    file.write_text(HEAD + line.replace("{study}", read_key(study.key).study), encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        lens.study_results([file], study.key)


def test_files_that_differ_or_are_of_something_else_are_refused(lens, study, tmp_path):
    key = read_key(study.key)
    files = [write(tmp_path / f"{at}.csv", key, "ann", {0: at}) for at in (1, 2)]
    with pytest.raises(ValueError, match=r"2\.csv, line 2: 'ann' answered task 1 differently in"):
        lens.study_results(files, study.key)
    with pytest.raises(TypeError, match="answers must be a list"):
        lens.study_results(files[0], study.key)
    with pytest.raises(ValueError, match="not the key of a study"):
        lens.study_results(files, files[0])
    other = json.loads(study.key.read_text()) | {"made_with": {"weights": "other"}}
    (tmp_path / "other.key.json").write_text(json.dumps(other))
    with pytest.raises(ValueError, match="an analysis with other weights"):
        lens.study_results(files[:1], tmp_path / "other.key.json")
