"""Many labels of people at once, and labels as a file that is edited in a spreadsheet."""

from __future__ import annotations

import csv

import pytest

NAMES = ["red", "green", "blue"]


@pytest.fixture
def lens(colour_lens):
    lens = colour_lens().run()
    lens.label(NAMES, scorer="correlation")
    return lens


def label_of(lens, layer, neuron):
    return lens.neurons.query(f"layer == {layer!r} and neuron == {neuron}")["label"].item()


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write(path, *lines, **how):
    path.write_text("\n".join(lines), **({"encoding": "utf-8"} | how))
    return path


def test_many_labels_are_one_change_that_can_be_undone(lens):
    lens.set_label("seen", 0, "crimson")
    before, heard = lens.neurons, []
    lens.on_labels(lambda: heard.append(1))
    undo = lens.set_labels({("seen", 0): None, ("seen", 1): " moss ", ("mixed", 1): "teal"})
    assert undo == {("seen", 0): "crimson", ("seen", 1): None, ("mixed", 1): None}
    assert heard == [1]
    assert label_of(lens, "seen", 1) == "moss"
    assert label_of(lens, "seen", 0) in NAMES
    score = lens.scores("mixed", 1, ["teal"], scorer="correlation")["score"].item()
    assert lens.neurons.query("label == 'teal'")["score"].item() == pytest.approx(score, abs=1e-6)
    lens.set_labels(undo)
    assert lens.neurons.equals(before)


def test_one_wrong_neuron_changes_none(lens):
    before = lens.neurons
    with pytest.raises((KeyError, IndexError, ValueError)):
        lens.set_labels({("seen", 0): "crimson", ("seen", 99): "moss"})
    with pytest.raises(ValueError, match="empty or invisible"):
        lens.set_labels({("seen", 0): "crimson", ("seen", 1): " "})
    assert lens.neurons.equals(before)


@pytest.mark.parametrize(
    "label", ["=1+1", "+x", "-dark-", "@sum", "'=1", "''-", "'70s car", 'a "quoted", thing', "żółw"]
)
def test_a_file_gives_back_what_was_written_and_is_no_formula(lens, tmp_path, label):
    lens.set_label("seen", 1, label)
    path = tmp_path / "labels.csv"
    lens.export_labels(path)
    rows = rows_of(path)
    assert len(rows) == len(lens.neurons)
    assert not any(row["label"][:1] in set("=+-@") for row in rows)
    assert lens.import_labels(path).empty  # nothing was edited
    lens.clear_label("seen", 1)
    changed = lens.import_labels(path)
    assert changed[["layer", "neuron", "label"]].to_numpy().tolist() == [["seen", 1, label]]
    assert label_of(lens, "seen", 1) == label


def test_what_was_edited_is_a_persons(lens, tmp_path):
    path = tmp_path / "labels.csv"
    lens.export_labels(path)
    edited = path.read_text(encoding="utf-8").splitlines()
    cells = edited[1].split(",")
    edited[1] = ",".join([*cells[:2], "crimson", *cells[3:]])
    path.write_text("\ufeff" + "\r\n".join(edited).replace(",", ";"), encoding="utf-8")
    before = lens.neurons["label"].tolist()
    changed = lens.import_labels(path)
    assert changed.to_dict("records") == [
        {"layer": cells[0], "neuron": int(cells[1]), "before": cells[2], "label": "crimson"}
    ]
    assert lens.neurons["label"].tolist() == ["crimson", *before[1:]]
    assert lens.neurons["source"].tolist().count("person") == 1


def test_labels_of_people_are_replaced_only_if_that_is_asked(lens, tmp_path):
    lens.set_label("seen", 0, "crimson")
    path = write(tmp_path / "a.csv", "label,neuron,layer", "rose,0,seen", "moss,1,seen")
    before = lens.neurons
    with pytest.raises(ValueError, match=r"1 neurons have other labels .* seen 0 \('crimson'"):
        lens.import_labels(path)
    assert lens.neurons.equals(before)
    assert lens.import_labels(path, theirs="keep")["label"].tolist() == ["moss"]
    assert label_of(lens, "seen", 0) == "crimson"
    assert lens.import_labels(path, theirs="replace")["before"].tolist() == ["crimson"]
    assert label_of(lens, "seen", 0) == "rose"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["layer,neuron", "seen,0"], "no column 'label'"),
        ([""], "it names nothing"),
        (["layer,neuron,label", "seen,0,red", "nowhere,0,red"], "line 3: there is no neuron"),
        (["layer,neuron,label", "seen,-1,red"], "line 2: there is no neuron"),
        (["layer,neuron,label", "seen,1.0,red"], "line 2: there is no neuron"),
        (["layer,neuron,label", "seen,0,rose", "seen,0,moss"], "line 3: seen 0 has been named"),
        (["layer,neuron,label", "seen"], "line 2: there is no neuron 'seen' ''"),
        (["layer,neuron,label", "seen,0,\u200b"], "line 2: the label is no text"),
    ],
)
def test_a_file_that_makes_no_sense_names_the_line_and_changes_nothing(lens, tmp_path, lines, said):
    before = lens.neurons
    with pytest.raises(ValueError, match=said):
        lens.import_labels(write(tmp_path / "a.csv", *lines))
    assert lens.neurons.equals(before)


def test_another_encoding_is_said(lens, tmp_path):
    path = write(tmp_path / "a.csv", "layer,neuron,label", "seen,0,grün", encoding="latin-1")
    with pytest.raises(ValueError, match="not in UTF-8"):
        lens.import_labels(path)


def test_rows_without_a_label_are_passed_over(lens, tmp_path):
    path = write(tmp_path / "a.csv", "layer,neuron,label", "seen,0,", "seen,1,moss")
    assert lens.import_labels(path)["label"].tolist() == ["moss"]
