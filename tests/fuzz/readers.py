"""The files that people write: concepts and audits in YAML, words, labels, answers of raters."""

from __future__ import annotations

import tempfile
from pathlib import Path

import yaml
from hypothesis import strategies as st

from semlens_widgets.labels.candidates.word_file import read_word_file
from semlens_widgets.labels.concepts import read_concepts
from semlens_widgets.lens.label_file import read_label_file
from semlens_widgets.lens.study_file import read_answers
from semlens_widgets.lens.study_page import AskedTask, Key, read_key
from semlens_widgets.testing import audit_cases
from tests.fuzz.texts import TEXTS

_KEY = Key("abc", 3, (AskedTask("a", 0, 1), AskedTask("", -1, 2)), {})
READERS = {
    "concepts.yaml": lambda path: read_concepts(path, "valid"),
    "audits.yaml": audit_cases,
    "words.txt": read_word_file,
    "words.csv": read_word_file,
    "labels.csv": lambda path: read_label_file(path, {("a", 0), ("a", 1)}),
    "answers.csv": lambda path: read_answers([path], _KEY),
    "key.json": read_key,
}
_KEYS = st.sampled_from(
    ["valid", "spurious", "target", "check", "max_spurious", "baseline", "name", "vlaid", "layer"]
)
_LEAVES = TEXTS | st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.dates()
_TREES = st.recursive(
    _LEAVES,
    lambda below: (
        st.lists(below, max_size=4)
        | st.dictionaries(_KEYS | TEXTS | st.integers(), below, max_size=5)
    ),
    max_leaves=12,
)
_AUDIT = st.fixed_dictionaries(
    {"target": _LEAVES, "valid": _TREES, "spurious": _TREES, "check": _TREES},
    optional={"name": _LEAVES, "scorer": _TREES, "templates": _TREES},
)
_ROW = st.lists(TEXTS | st.sampled_from(["a", "0", "1", "abc", "person", '"']), max_size=6)
_TABLE = st.tuples(
    st.sampled_from(
        [
            "layer,neuron,label",
            "layer;neuron;label;source",
            "label,parent",
            "word",
            "study,rater,task,choice,seconds",
            "label,label",
        ]
    ),
    st.lists(_ROW.map(",".join), max_size=5),
).map(lambda parts: "\n".join([parts[0], *parts[1]]))
_YAML = (_TREES | st.lists(_AUDIT, max_size=2)).map(
    lambda tree: yaml.dump(tree, allow_unicode=True)
)
_SNIPPETS = st.lists(
    st.sampled_from(
        [
            "valid: ",
            "spurious: ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            "&a ",
            "*a",
            "!!python/object:os.system ",
            "? ",
            "|\n",
            ">\n",
            "<<: *a",
            "%YAML 9.9\n",
            "---\n",
            "\t",
            "  ",
            "\n",
            "#",
            "2001-99-99",
            "!!timestamp x",
            "!!int a",
            "!!binary ?",
            "0x",
            "!!float b",
            "!!set {a}",
            "!!omap [a]",
            "!!pairs [a]",
            '"',
            "'",
        ]
    )
    | TEXTS,
    max_size=14,
).map("".join)
_CONTENT = (_YAML | _TABLE | _SNIPPETS | TEXTS).map(
    lambda text: text.encode("utf-8", "surrogatepass")
) | st.binary(max_size=200)
CASES = st.tuples(st.sampled_from(list(READERS)), _CONTENT)


def check(case):
    """A file is read, or refused by a message that names it, on lines a person can read."""
    name, content = case
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        refused = None
        try:
            READERS[name](path)
        except (ValueError, TypeError) as error:
            refused = error
    assert type(refused) in {type(None), ValueError, TypeError}, refused
    said = str(refused or name)
    assert name in said or said.startswith(("The concept", "The phrase", "audits")), said
