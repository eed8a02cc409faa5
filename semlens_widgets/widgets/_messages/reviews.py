"""What is said of labels in a table, many of which a person changes at once."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict  # which keeps its bases, also before Python 3.12

from semlens_widgets.widgets._messages.kinds import Action, Nothing, Question


class Reviewed(TypedDict):
    """The labels of all neurons; the buffers are columns, with one entry for each row.

    Codes (uint32): layer and source in their lists; neuron, its number; label, what the scorer said
    and the runner-up in ``names``. Numbers (float32): score, margin, chance, lead. Flags (uint8):
    1 unsure, 2 changed here, 4 dead. ``judged`` is whether the lead and runner-up are known.
    """

    layers: list[str]
    sources: list[str]
    names: list[str]
    judged: bool


class Rows(TypedDict):
    """Rows of the neurons."""

    rows: list[int]


class LabelChoice(TypedDict):
    """A label to choose; without a score where it is of another scorer."""

    label: str
    score: float | None


class Offer(TypedDict):
    """What is shown of a neuron in its row: examples, and other labels, best first."""

    samples: list[int]
    choices: list[LabelChoice]


class GiveLabels(Rows):
    """What is to become of labels; ``label`` is what is set, and empty otherwise.

    ``accept``: what the scorer said becomes a person's; ``reject``: none fits; ``clear``: a
    person's word is taken back. ``theirs`` says what to do where people gave another.
    """

    how: Literal["accept", "reject", "set", "clear"]
    label: str
    theirs: Literal["ask", "keep", "replace"]


class GivenLabels(TypedDict):
    """What has become of labels.

    ``people`` counts those that people gave, which were left; with ``asked`` nothing was changed
    because of them. ``without`` counts what else was left: nothing to accept there, or changed
    since.
    """

    changed: int
    people: int
    without: int
    asked: bool


class Back(TypedDict):
    """Whether a step is undone, or done again."""

    back: bool


class LabelFileName(TypedDict):
    """What to call the file that the buffer holds."""

    name: str


class LabelFileRead(TypedDict):
    """A file of labels, in base 64, and what to do where people gave another."""

    data: str
    theirs: Literal["ask", "keep", "replace"]


QUESTIONS = {
    "review": Question(Nothing, Reviewed),
    "offers": Question(Rows, list[Offer]),
    "label_file": Question(Nothing, LabelFileName),
}
ACTIONS = {
    "give_labels": Action(GiveLabels, GivenLabels, limit=120),
    "step_labels": Action(Back, GivenLabels, limit=120),
    "read_labels": Action(LabelFileRead, GivenLabels, limit=120),
    "judge_labels": Action(Nothing, Nothing, limit=600),
}
