"""What the foundation model makes of texts: embedded once, and checked for what gets lost."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.inputs.foundation import checked_templates, embed_prompts
from semlens_widgets.labels.scorer import text_directions

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence

    from torch import Tensor

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.lens.reader import AnalysisReader

_MOST_TEXTS = 50_000
_MOST_KEPT = 48
_ALIKE = 1e-6  # rounding moves unit vectors by less, another word by more
_MOST_NAMED = 5
_LONGEST_NAMED = 60
Kept = TypeVar("Kept")
_AT_ONCE = 128  # texts, before somebody else has a turn
# Labels are given in a thread while a panel asks in another; not held while anything is computed
# but the embeddings of a few texts.
_LOCK = threading.Lock()
_NEXT = threading.Lock()


@contextmanager
def _in_turn() -> Iterator[None]:
    """Hold the lock; who waits for it comes before who had it last."""
    with _NEXT:
        _LOCK.acquire()
    try:
        yield
    finally:
        _LOCK.release()


@dataclass(frozen=True)
class TextCheck:
    """What a text encoder loses of texts.

    Attributes
    ----------
    cut
        Texts that are longer than the encoder reads, each with the part that it reads.
    alike
        Groups of texts that the encoder cannot tell apart: all their scores are the same.
    """

    cut: Mapping[str, str] = field(default_factory=dict)
    alike: tuple[tuple[str, ...], ...] = ()

    def about(self, names: Collection[str]) -> TextCheck:
        """Return what concerns some of the texts."""
        return TextCheck(
            {name: kept for name, kept in self.cut.items() if name in names},
            tuple(group for group in self.alike if not set(group).isdisjoint(names)),
        )

    def __str__(self) -> str:
        """Say it in a sentence or two; empty if nothing is lost."""
        said = []
        if self.cut:
            parts = [
                f"{_short(name)} is read up to {_end(kept)}" for name, kept in self.cut.items()
            ]
            said.append(f"The text encoder cuts long texts: {_some(parts)}.")
        if self.alike:
            groups = [_some([_short(name) for name in group], " = ") for group in self.alike]
            said.append(
                f"The text encoder cannot tell these apart, they score the same: {_some(groups)}."
            )
        return " ".join(said)


def _some(parts: Sequence[str], between: str = "; ") -> str:
    more = len(parts) - _MOST_NAMED
    return between.join(parts[:_MOST_NAMED]) + (f"{between}and {more} more" if more > 0 else "")


def _short(name: str) -> str:
    if len(name) <= _LONGEST_NAMED:
        return repr(name)
    half = _LONGEST_NAMED // 2
    return repr(f"{name[:half]} ... {name[-half:]}")


def _end(kept: str) -> str:
    return repr(kept if len(kept) <= _LONGEST_NAMED else f"... {kept[-_LONGEST_NAMED // 2 :]}")


class Words:
    """Text embeddings and what follows from them for all neurons, each computed once.

    A label typed beside a thousand others costs one text; a change of scorer costs none.
    """

    def __init__(self, reader: AnalysisReader, foundation: FoundationModel) -> None:
        self.reader = reader
        self.foundation = foundation
        self._known: dict[tuple[str, ...], tuple[dict[str, int], Tensor]] = {}
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()  # least recently used first
        self._under_way: dict[Hashable, threading.Lock] = {}

    def prompts(self, names: Sequence[str], templates: Sequence[str] | None) -> Tensor:
        """Embed texts, averaged over the templates, ``(texts, dim)`` of unit length."""
        key = self.sentences(templates)
        parts = []
        # A word that is typed while thousands are embedded comes between them.
        for at in range(0, max(1, len(names)), _AT_ONCE):
            with _in_turn():
                parts.append(self._prompts(names[at : at + _AT_ONCE], key))
        return torch.cat(parts)

    def _prompts(self, names: Sequence[str], key: tuple[str, ...]) -> Tensor:
        places, vectors = self._known.get(key, ({}, torch.empty(0, self.foundation.dim)))
        new = [name for name in dict.fromkeys(names) if name not in places]
        if new:
            if len(places) + len(new) > _MOST_TEXTS:
                return self._embed(names, key)
            vectors = torch.cat([vectors, self._embed(new, key)])
            places |= {name: len(places) + at for at, name in enumerate(new)}
            self._known[key] = (places, vectors)
        return vectors[[places[name] for name in names]]

    def _embed(self, names: Sequence[str], templates: tuple[str, ...]) -> Tensor:
        return text_directions(embed_prompts(self.foundation, names, templates).cpu())

    def check(self, names: Sequence[str], templates: Sequence[str] | None) -> TextCheck:
        """Find which of the texts the encoder cuts or cannot tell apart."""
        key = self.sentences(templates)
        return self.once(
            ("check", tuple(names), key),
            lambda: TextCheck(
                cut=self._cut(names, key),
                alike=tuple(
                    tuple(names[at] for at in group)
                    for group in alike_rows(self.prompts(names, templates))
                ),
            ),
        )

    def warn_once(self, names: Sequence[str], templates: Sequence[str] | None) -> None:
        """Warn of what is lost, once for the same texts: a panel asks at every key."""
        key = (tuple(names), self.sentences(templates))

        def warn() -> bool:
            if said := str(self.check(names, templates)):
                warnings.warn(said, stacklevel=7)
            return True

        self.once(("warned", key), warn)

    def _cut(self, names: Sequence[str], templates: tuple[str, ...]) -> dict[str, str]:
        """Name the texts that are cut in some sentence, each with the least that is read of it."""
        kept_text = getattr(self.foundation, "kept_text", None)
        if kept_text is None:  # a model of the person's own, which cannot tell
            return {}
        cut: dict[str, str] = {}
        for template in templates:
            given = [template.replace("{}", name) for name in names]
            start = template.index("{}")
            for name, sentence, kept in zip(names, given, kept_text(given), strict=True):
                if kept != sentence:
                    read = kept[start : start + len(name)]
                    cut[name] = min(cut.get(name, read), read, key=len)
        return cut

    @staticmethod
    def sentences(templates: Sequence[str] | None) -> tuple[str, ...]:
        """Return the templates, by default the text alone.

        On photographs, sentences around a word made searches worse, and labels neither better nor
        worse.
        """
        return ("{}",) if templates is None else checked_templates(templates)

    def knows(self, key: Hashable) -> bool:
        """Say whether :meth:`once` has computed something and still keeps it."""
        return key in self._kept

    def once(self, key: Hashable, compute: Callable[[], Kept]) -> Kept:
        """Return what was computed for a key, or compute it; what was not used lately is dropped.

        A prior of all neurons, or what random words score. Who asks for the same meanwhile waits
        for it; who asks for something else does not: labelling all neurons takes long, and a
        person types.
        """
        with _in_turn():
            mine = self._under_way.setdefault(key, threading.Lock())
        with mine:
            try:
                with _in_turn():
                    if key in self._kept:
                        self._kept.move_to_end(key)
                        known: Kept = self._kept[key]
                        return known
                found = compute()
                with _in_turn():
                    self._kept[key] = found
                    while len(self._kept) > _MOST_KEPT:
                        self._kept.popitem(last=False)
                return found
            finally:
                self._under_way.pop(key, None)


def needed(reader: AnalysisReader, foundation: FoundationModel | None) -> FoundationModel:
    """Return the foundation model, or say how to give it."""
    if foundation is None:
        raise LensUnavailable(
            "New words and images need the foundation model "
            f"{reader.store.settings['foundation']!r}: open(path, foundation=OpenClip(...))."
        )
    return foundation


def alike_rows(vectors: Tensor, tolerance: float = _ALIKE) -> list[list[int]]:
    """Group the rows of ``(N, D)`` that differ by no more than `tolerance` in any coordinate.

    Returns
    -------
    list of list of int
        Groups of two or more, by their first member.
    """
    # Along any line, rows that are alike lie close together: few pairs are left to compare.
    generator = torch.Generator().manual_seed(0)
    line = torch.randn(vectors.shape[1], dtype=torch.float64, generator=generator)
    place, order = (vectors.double() @ line).sort()
    reach = tolerance * float(line.abs().sum())
    first = list(range(len(vectors)))  # of its group, for every row

    def root(row: int) -> int:
        while first[row] != row:
            row = first[row]
        return row

    step = 1
    while step < len(order):
        near = torch.nonzero(place[step:] - place[:-step] <= reach)[:, 0]
        if not len(near):
            break
        one, other = order[near], order[near + step]
        same = (vectors[one] - vectors[other]).abs().amax(1) <= tolerance
        for a, b in zip(one[same].tolist(), other[same].tolist(), strict=True):
            low, high = sorted((root(a), root(b)))
            first[high] = low
        if same.any():  # one of each pair stands for both
            stays = torch.ones(len(order), dtype=torch.bool)
            stays[near[same] + step] = False
            place, order, step = place[stays], order[stays], 1
        else:
            step += 1
    if first == list(range(len(first))):
        return []
    groups: dict[int, list[int]] = {}
    for row in range(len(first)):
        groups.setdefault(root(row), []).append(row)
    return [group for group in groups.values() if len(group) > 1]
