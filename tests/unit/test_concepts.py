"""Lists of concepts, as a person or a team's file gives them."""

import re

import pytest

from semlens_widgets.labels.concepts import check_apart, read_concepts

BOTH = """
valid:
  striped: [striped, stripes]
  star:
spurious:
  - watermark
"""


def test_a_list_is_its_own_phrases():
    assert read_concepts(["water  mark", "hand"], "spurious") == {
        "water mark": ("water mark",),
        "hand": ("hand",),
    }


def test_a_concept_keeps_its_phrases():
    given = {"people": ["person", "a hand", "person"], "text": "writing"}
    assert read_concepts(given, "spurious") == {
        "people": ("person", "a hand"),
        "text": ("writing",),
    }


@pytest.mark.parametrize("ending", ["yaml", "YML"])
def test_a_file_of_both_sides_or_of_one(tmp_path, ending):
    file = tmp_path / f"ox.{ending}"
    file.write_text("valid:\n  ox: [ox, horns]\n  fur: fur\nspurious: [person]\n")
    assert read_concepts(file, "valid") == {"ox": ("ox", "horns"), "fur": ("fur",)}
    assert read_concepts(str(file), "spurious") == {"person": ("person",)}
    file.write_text("- person\n- hand\n")
    assert read_concepts(file, "spurious") == {"person": ("person",), "hand": ("hand",)}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            "valdi: [ox]\nspurious: [person]\n",
            "'valdi'.*'valid' and 'spurious'.*Did you mean 'valid'",
        ),
        ("valdi: [ox]\nspurius: [person]\n", "'valdi'. Did you mean 'valid'"),
        ("spurious: [person]\n", "has no section 'valid'"),
        ("valid: [ox\nspurious: [person]\n", r"'concepts.yaml' is no YAML, line \d+, column \d+"),
        ("valid: [ox, 7]\n", "7 is not a text.*quote"),
        ("valid: [ox, no]\n", "False is not a text.*quote"),
        ("valid:\n", "there is no concept"),
        ("valid:\n  ox:\n", "'ox' has no phrases"),
        ("", "there is no concept"),
        ("just words\n", "a list of words"),
    ],
)
def test_a_file_with_a_fault_is_refused_by_name(tmp_path, content, said):
    file = tmp_path / "concepts.yaml"
    file.write_text(content)
    with pytest.raises((ValueError, TypeError), match=re.compile(said, re.DOTALL)):
        read_concepts(file, "valid")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"valid: there is no file 'gone.yaml'") as caught:
        read_concepts(tmp_path / "gone.yaml", "valid")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "there is no concept"),
        ({}, "there is no concept"),
        (["a", " "], "blank"),
        (["Star", "star"], "'star' stands there twice"),
        ({"a": "star", "b": ["Star"]}, "the phrase 'star' stands for several"),
        ({"a": []}, "'a' has no phrases"),
        ("watermark", "a list of words"),
        (7, "a list of words"),
        (["a", None], "None is not a text"),
        ({"a": [1]}, "1 is not a text"),
    ],
)
def test_a_list_with_a_fault_is_refused(given, said):
    with pytest.raises((ValueError, TypeError), match=f"spurious.*{said}"):
        read_concepts(given, "spurious")


@pytest.mark.parametrize(
    ("valid", "spurious", "said"),
    [
        ({"Text": ("a",)}, {"text": ("b",)}, "concept 'text'"),
        ({"a": ("Text",)}, {"b": ("text",)}, "phrase 'text'"),
    ],
)
def test_what_is_on_both_sides_is_refused(valid, spurious, said):
    with pytest.raises(ValueError, match=said):
        check_apart(valid, spurious)
    check_apart(valid, {"c": ("d",)})
