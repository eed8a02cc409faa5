"""What all vision-language models have in common as sources of candidate labels."""

from __future__ import annotations

import json
import tomllib
import warnings
from abc import abstractmethod
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import VlmUnavailable
from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.candidates.answers import MOST_WORDS, Parsed, parse_answer
from semlens_widgets.labels.candidates.grids import GRID_SIDE, grid
from semlens_widgets.labels.candidates.source import Candidates, CandidateSource, HasLooked

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence

    import pandas as pd
    from PIL import Image

    from semlens_widgets.labels.candidates.source import Looked

_MOST_CONCEPTS = 10
_MEASURED = 8  # calls whose size stands for all


@cache
def _prompts() -> dict[str, str]:
    with Path(__file__).with_name("prompts.toml").open("rb") as file:
        return tomllib.load(file)


@dataclass(frozen=True)
class Question:
    """What a model is asked about one neuron.

    Attributes
    ----------
    system, text
        The prompt.
    grids
        The picture of its concept examples, and that of its contrastive examples if both are shown.
    fingerprint
        Tells it from any other question to any other model.
    """

    system: str
    text: str
    grids: tuple[Image.Image, ...] = field(repr=False)
    fingerprint: str = ""


@dataclass(frozen=True)
class Said:
    """What came of a question: an answer, or why there is none.

    Attributes
    ----------
    text
        The answer.
    error
        Why there is none, as a clause; empty if there is one.
    hopeless
        Whether any other question would meet the same.
    waited
        Whether the model was given time, in vain.
    """

    text: str = ""
    error: str = ""
    hopeless: bool = False
    waited: bool = False


@dataclass(frozen=True)
class Preview:
    """What asking about all neurons takes, before anything is asked.

    Attributes
    ----------
    calls
        Questions to ask; neurons with the same examples share one.
    cached
        Neurons whose answers are kept.
    without
        Neurons that have no examples to show.
    images
        Grids in each call, at most.
    image_side
        Pixels of a grid's side.
    bytes_per_call
        What is sent with each call, on average; 0 if nothing leaves this machine.
    """

    calls: int
    cached: int
    without: int
    images: int
    image_side: int
    bytes_per_call: int

    def __str__(self) -> str:
        """Say it in a sentence or two."""
        grids = f"{self.images} grid{'s' * (self.images != 1)}"
        size = f"{self.image_side} x {self.image_side} pixels"
        said = f"{self.calls} calls with {grids} of {size}"
        if self.calls and self.bytes_per_call:
            whole = self.calls * self.bytes_per_call / 1e6
            said += f", {self.bytes_per_call / 1e3:.0f} kB each, {whole:.1f} MB in all"
        said += f"; {self.cached} answers are kept already."
        return said + (f" Neurons without examples: {self.without}." if self.without else "")


class VisionLanguageSource(CandidateSource):
    """For each neuron, what a vision-language model names when it sees the neuron's examples.

    The model sees a grid of the nine most activating examples, after the labelling of
    arXiv 2604.22477. Its answer is kept in the analysis as soon as it is there, so that each
    question is asked once, and parsed strictly.

    Parameters
    ----------
    n
        How many concepts it is asked for.
    contrast
        Show a grid of contrastive examples beside, and ask for what the first has and the second
        has not. A neuron without any is asked about with one grid.
    also
        Words that are candidates for every neuron, beside its own.
    """

    def __init__(self, *, n: int, contrast: bool, also: Sequence[str]) -> None:
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= _MOST_CONCEPTS:
            raise ValueError(f"n={n!r} must be a whole number from 1 to {_MOST_CONCEPTS}.")
        self.n = n
        self.contrast = contrast
        self.also = check_candidates(also) if len(also) else ()
        self._report: list[tuple[str, int, Parsed, str]] = []

    @property
    @abstractmethod
    def model_name(self) -> str:
        """What messages call the model."""

    @abstractmethod
    def _identity(self) -> dict[str, Any]:
        """Return, as JSON, what answers depend on beside prompt and pictures."""

    @abstractmethod
    def _ask(
        self, questions: Iterator[Question], keep: Callable[[str, str], None]
    ) -> Generator[tuple[str, Said]]:
        """Ask questions, and yield the fingerprint of each and what came of it, in any order.

        Parameters
        ----------
        questions
            No two alike. Taken when there is room for one, as each holds pictures.
        keep
            To be told fingerprint and answer, as soon as an answer is there; from any thread.

        Raises
        ------
        VlmUnavailable
            If the first question shows that no question will be answered.
        """

    def _sent(self, question: Question) -> int:  # noqa: ARG002 - to another machine
        """Return how many bytes leave this machine with a question."""
        return 0

    # -- before ----------------------------------------------------------------------------------

    def preview(self, of: Looked | HasLooked) -> Preview:
        """Count what asking would take; nothing is asked.

        Parameters
        ----------
        of
            The lens.
        """
        looked = of.looked if isinstance(of, HasLooked) else of
        cached = without = sent = 0
        new: set[str] = set()
        for _, question in self._questions(looked):
            if question is None:
                without += 1
            elif looked.answers.get(question.fingerprint) is not None:
                cached += 1
            elif question.fingerprint not in new:
                sent += self._sent(question) if len(new) < _MEASURED else 0
                new.add(question.fingerprint)
        per_call = sent // min(len(new), _MEASURED) if new else 0
        return Preview(len(new), cached, without, 1 + self.contrast, GRID_SIDE, per_call)

    def _questions(self, looked: Looked) -> Iterator[tuple[int, Question | None]]:
        """Put the question about every neuron; None where there is nothing to show."""
        identity = self._identity()
        for row in range(len(looked.neurons)):
            pictures = [looked.example_pictures(row)]
            if not pictures[0]:
                yield row, None
                continue
            if self.contrast and (others := looked.contrast_pictures(row)):
                pictures.append(others)
            texts = _prompts()
            text = texts["both" if len(pictures) > 1 else "examples"]
            text = text.format(n=self.n, words=MOST_WORDS)
            grids = tuple(map(grid, pictures))
            seen = [sha256(image.tobytes()).hexdigest() for image in grids]
            asked = json.dumps([identity, texts["system"], text, GRID_SIDE, seen], sort_keys=True)
            yield row, Question(texts["system"], text, grids, sha256(asked.encode()).hexdigest())

    # -- asking ----------------------------------------------------------------------------------

    def candidates(self, looked: Looked) -> Candidates:
        """Ask about every neuron whose answer is not kept yet; see :attr:`report` for each.

        Raises
        ------
        VlmUnavailable
            If the model gives no answer at all. Answers that came are kept.
        ValueError
            If no neuron got a candidate of its own.

        Warns
        -----
        UserWarning
            If some got none.
        """
        said: dict[int, Said] = {}
        alike: dict[str, list[int]] = {}  # rows by their question
        answers: dict[str, Said] = {}
        neurons = looked.neurons

        def missing() -> Iterator[Question]:
            for row, question in self._questions(looked):
                if question is None:
                    said[row] = Said(error="it has no concept examples")
                elif question.fingerprint in alike:
                    alike[question.fingerprint].append(row)
                elif (known := looked.answers.get(question.fingerprint)) is not None:
                    said[row] = Said(known)
                else:
                    alike[question.fingerprint] = [row]
                    yield question

        looked.tell(0, len(neurons))
        try:
            with closing(self._ask(missing(), looked.answers.__setitem__)) as asked:
                for fingerprint, answer in asked:
                    answers[fingerprint] = answer
                    known = len(said) + sum(len(alike[done]) for done in answers)
                    looked.tell(known, len(neurons))
        finally:
            said |= {row: answer for done, answer in answers.items() for row in alike[done]}
            self._report = [
                (*neuron, *self._judged(said.get(row, Said(error="not asked"))))
                for row, neuron in enumerate(neurons)
            ]
        own = {row: parsed.kept for row, (_, _, parsed, _) in enumerate(self._report)}
        names = tuple(dict.fromkeys(name for kept in own.values() for name in kept))
        if all(error for *_, error in self._report):
            raise unavailable(self.model_name, self._fault(0))
        if not names:
            raise ValueError(
                f"candidates: no answer of {self.model_name} holds a concept. The first neuron: "
                f"{self._fault(0)}. The source's report has all."
            )
        self._warn_of([row for row, kept in own.items() if not kept])
        everyone = tuple(dict.fromkeys([*names, *self.also]))
        return Candidates(everyone, {row: [*kept, *self.also] for row, kept in own.items()})

    def _judged(self, said: Said) -> tuple[Parsed, str]:
        if said.error:
            return Parsed(), said.error
        return parse_answer(said.text, self.n), ""

    def _warn_of(self, without: Sequence[int]) -> None:
        if not without:
            return
        left = "have the words of also= alone" if self.also else 'stay "unknown"'
        warnings.warn(
            f"{len(without)} of {len(self._report)} neurons got no candidate from "
            f"{self.model_name} and {left}. The first: {self._fault(without[0])}. The source's "
            "report has all.",
            stacklevel=7,
        )

    def _fault(self, row: int) -> str:
        """Say why a neuron has no candidate of its own."""
        _, _, parsed, error = self._report[row]
        return error or str(parsed.rejected[0])

    @property
    def report(self) -> pd.DataFrame:
        """What came of the last asking, one row per neuron.

        Columns: layer, neuron, candidates (tuple of what was kept), rejected (tuple of text and
        reason), error (why there is no answer; empty if there is one).
        """
        import pandas as pd

        rows = [
            (layer, neuron, parsed.kept, tuple(map(str, parsed.rejected)), error)
            for layer, neuron, parsed, error in self._report
        ]
        return pd.DataFrame(rows, columns=["layer", "neuron", "candidates", "rejected", "error"])


def unavailable(name: str, error: str) -> VlmUnavailable:
    """Return the error that ends asking."""
    return VlmUnavailable(
        f"{name} gives no answer: {error}. Answers that came before are kept; asking again goes on "
        "from there."
    )
