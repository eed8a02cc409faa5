"""Candidate labels that a person wrote into a file."""

from __future__ import annotations

import pytest

import semlens_widgets as slw
from semlens_widgets.labels.candidates.word_file import read_word_file

SEMICOLONS = (
    '\ufeffN;Parent;Label\r\n";";;animal\r\n;animal;dog\r\n\r\n;dog;beagle\r\n'
    ";animal; cat\r\n;;big\u00a0ball\r\n"
)


@pytest.fixture
def written(tmp_path):
    def write(content: str | bytes, name: str = "words.txt"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return write


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tree.txt", "animal\n  dog\n    beagle\n  cat\nbig  ball\n"),
        ("tabs.txt", "animal\n\tdog\n\t\tbeagle\n\tcat\nbig\tball"),
        ("dos.txt", "\ufeffanimal\r\n\r\n  dog\r\n # no\r\n    beagle\r\n  cat\r\nbig ball\r\n"),
        ("old.txt", "animal\r  dog\r    beagle\r  cat\rbig ball"),
        ("twice.txt", "animal\n dog\n  beagle\n cat\nbig ball\nanimal\n dog"),
        (
            "table.csv",
            "# said\nlabel,parent\nanimal,\ndog,animal\nbeagle,dog\ncat , animal\nbig ball\n",
        ),
        ("TABLE.CSV", SEMICOLONS),
    ],
)
def test_a_list_a_tree_and_a_table_say_the_same(written, name, content):
    found = read_word_file(written(content, name))
    assert list(found.items()) == [
        ("animal", ""),
        ("dog", "animal"),
        ("beagle", "dog"),
        ("cat", "animal"),
        ("big ball", ""),
    ]


def test_a_table_may_name_a_parent_later_and_hold_commas(written):
    file = written('label,parent\n"tench, a fish",fish\nfish,\n', "table.csv")
    assert read_word_file(file) == {"tench, a fish": "fish", "fish": ""}


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", "", "there is no label in it"),
        ("a.txt", "# said\n\n", "there is no label in it"),
        ("a.csv", "label,parent\n", "there is no label in it"),
        ("a.txt", "  dog\ncat", "line 1: indented as no line above"),
        ("a.txt", "animal\n    dog\n  cat", "line 3: indented as no line above"),
        ("a.txt", "animal\n  dog\n\tcat", "line 3: indented by tabs here and by blanks"),
        ("a.txt", "animal\n  dog\nplant\n  dog", "line 4: 'dog' stands below 'plant', in line 2"),
        ("a.txt", "animal\n  dog\ndog", "line 3: 'dog' stands below nothing, in line 2"),
        ("a.txt", "dog\n  dog", "line 2: 'dog' stands below 'dog', in line 1 below nothing"),
        ("a.txt", "a\nb\x00c", "line 2: '\\\\x00' is no part"),
        ("a.txt", b"caf\xe9", "not in UTF-8"),
        ("a.csv", "name,parent\ndog,", "no column 'label'.*it names 'name', 'parent'"),
        ("a.csv", "label,parent\nanimal,\n,animal", "line 3: there is no label"),
        ("a.csv", "label,parent\n\ndog,animal", "line 3: 'animal', above 'dog', is no label"),
        ("a.csv", "label,parent\ndog,cat\ncat,dog", "line 2: dog < cat < dog is a circle"),
        ("a.csv", "label,parent\ndog,dog", "line 2: dog < dog is a circle"),
        ("a.csv", "label\ntench, a fish", "line 2: 2 fields, but the first line names 1"),
        ("a.csv", 'label\n"dog', "line 2: no CSV"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_line(written, name, content, said):
    with pytest.raises(ValueError, match=said):
        read_word_file(written(content, name))


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="there is no such file"):
        slw.Vocabulary.from_file(tmp_path / "words.txt")
    with pytest.raises(ValueError, match="cannot be read"):
        slw.Vocabulary.from_file(tmp_path)


def test_a_lens_chooses_from_a_file(colour_lens, written):
    lens = colour_lens().run()
    frame = lens.label(slw.Vocabulary.from_file(written("# mine\nred\ngreen\n\nblue\n")))
    assert lens.vocabulary == ("red", "green", "blue")
    assert frame["label"].tolist() == lens.label(["red", "green", "blue"])["label"].tolist()


def test_parents_are_given_checked_or_those_of_the_package(written):
    assert slw.Vocabulary(["a", "b"], {"a": "b"}).candidates(None).parents == {"a": "b"}
    tree = slw.Vocabulary.from_file(written("a\n b"))
    assert tree.candidates(None).parents == {"a": "", "b": "a"}
    assert slw.Vocabulary.from_file(written("dog\ncat")).candidates(None).parents is None
    with pytest.raises(ValueError, match="parents: a < b < a is a circle"):
        slw.Vocabulary(["a"], {"a": "b", "b": "a"})
