"""Candidates that are put together from words: a thing and what it is like, or where it is."""

from __future__ import annotations

from collections import Counter
from itertools import product
from string import Formatter
from typing import TYPE_CHECKING

import torch

from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.candidates.source import Candidates, CandidateSource
from semlens_widgets.labels.hypernyms import kinds_of, parents
from semlens_widgets.labels.words import class_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from semlens_widgets.labels.candidates.source import Looked

_MOST_PHRASES = 20_000
_MOST_EACH = 10
_OBJECT = "object"
#: What the packaged words for a part of a caption are kinds of.
_ROOTS = {
    "attribute": ("colour", "pattern", "texture", "material"),
    _OBJECT: (
        *("animal", "plant", "food", "person", "clothing", "jewellery", "vehicle", "building"),
        *("furniture", "container", "tool", "machine", "device", "instrument", "weapon", "toy"),
        *("sports equipment", "household item", "natural object", "shape"),
    ),
    "scene": ("scene", "weather"),
}


class Compositions(CandidateSource):
    """Every attribute with every object, such as “red ball”, and each of them alone.

    An attribute or an object alone comes first, so that a phrase is the label where it scores more
    than its words. A phrase is a kind of its object.

    Parameters
    ----------
    attributes
        Words that go before an object, such as colours.
    objects
        Words for things.

    Raises
    ------
    ValueError
        If either is empty, or there would be more than 20,000 phrases.
    """

    name = "compositions"

    def __init__(self, attributes: Sequence[str], objects: Sequence[str]) -> None:
        self.attributes = check_candidates(attributes)
        self.objects = check_candidates(objects)
        count = len(self.attributes) * len(self.objects)
        if count > _MOST_PHRASES:
            raise ValueError(
                f"compositions: {len(self.attributes):,} attributes and {len(self.objects):,} "
                f"objects make {count:,} phrases, more than {_MOST_PHRASES:,}; give fewer of "
                "either, or choose among them for each neuron by CaptionTemplates(words=...)."
            )

    def candidates(self, looked: Looked) -> Candidates:  # noqa: ARG002 - whatever they are
        """Return attributes, objects, then the phrases, those of the first object first."""
        phrases = {
            f"{attribute} {thing}": thing
            for thing in self.objects
            for attribute in self.attributes
            if attribute != thing
        }
        names = dict.fromkeys((*self.attributes, *self.objects, *phrases))
        return Candidates(tuple(names), parents={**phrases, **parents()})


class CaptionTemplates(CandidateSource):
    """For each neuron, short captions of the words that its concept examples are most like.

    No model is asked but the foundation model. The words are those with the highest centred cosine
    to the mean of the neuron's examples. Candidates are the names of the examples' classes that are
    words, the most frequent first; these words; and the templates filled with each choice of them,
    where a class of one word is an object too (one of several, such as “striped ring”, says already
    what it is like). As candidates are chosen for the neuron, even a false one may lie above what
    random words score.

    Parameters
    ----------
    templates
        Captions with ``{attribute}``, ``{object}``, ``{scene}``, or the names in `words`.
    words
        By the name of a part, the words for it. By default the packaged ones: colours, patterns,
        textures and materials; animals, things and shapes; scenes and weather.
    each
        How many words are taken for a part, and how many classes, from 1 to 10. Every caption of
        any neuron is scored for all neurons: with more words, that takes longer.

    Raises
    ------
    ValueError
        If a template names no part, or one without words, or `each` is out of range.
    TypeError
        If `templates` or the words of a part are one string.
    """

    name = "captions"

    def __init__(
        self,
        templates: Sequence[str] = ("{attribute} {object}", "{object} in {scene}"),
        *,
        words: Mapping[str, Sequence[str]] | None = None,
        each: int = 2,
    ) -> None:
        if isinstance(templates, str):
            raise TypeError(f"templates must be a list of captions: [{templates!r}].")
        if isinstance(each, bool) or not isinstance(each, int) or not 1 <= each <= _MOST_EACH:
            raise ValueError(f"each={each!r} must be a whole number from 1 to {_MOST_EACH}.")
        self.words = {
            part: check_candidates(known)
            for part, known in (words or {p: kinds_of(*r) for p, r in _ROOTS.items()}).items()
        }
        self.templates = {template: _parts_of(template, self.words) for template in templates}
        self.each = each

    def candidates(self, looked: Looked) -> Candidates:
        """Return every neuron's own captions; none for a neuron without examples."""
        used = [part for part in self.words if any(part in has for has in self.templates.values())]
        nearest = {part: self._nearest(looked, self.words[part]) for part in used}
        above: dict[str, str] = {}
        own: dict[int, tuple[str, ...]] = {}
        for row in range(len(looked.neurons)):
            chosen = {part: words[row] for part, words in nearest.items()}
            classes = self._classes(looked.example_classes(row))
            if _OBJECT in chosen:
                single = (name for name in classes if len(name.split()) == 1)
                chosen[_OBJECT] = tuple(dict.fromkeys((*single, *chosen[_OBJECT])))
            filled = dict(self._filled(chosen))
            above |= filled
            alone = (word for words in chosen.values() for word in words)
            own[row] = tuple(dict.fromkeys((*classes, *alone, *filled)))
        names = dict.fromkeys(name for mine in own.values() for name in mine)
        return Candidates(tuple(names), own, {**above, **parents()})

    def _nearest(self, looked: Looked, words: Sequence[str]) -> list[tuple[str, ...]]:
        """Return each neuron's most alike words, the first of equals first; none if unknown."""
        likeness = looked.likeness(words)
        order = likeness.nan_to_num(-torch.inf).sort(dim=1, descending=True, stable=True).indices
        known = (~likeness.isnan().any(1)).tolist()
        return [
            tuple(words[at] for at in best) if there else ()
            for best, there in zip(order[:, : self.each].tolist(), known, strict=True)
        ]

    def _classes(self, classes: Sequence[str]) -> tuple[str, ...]:
        often = Counter(name for name in classes if name).most_common()  # equals: first seen first
        return class_words(name for name, _ in often)[: self.each]

    def _filled(self, chosen: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, str]]:
        """Fill the templates; give each caption with the object in it, "" if there is none."""
        for template, parts in self.templates.items():
            for words in product(*(chosen[part] for part in parts)):
                if len(set(words)) < len(words):
                    continue  # such as “orange orange”
                filling = dict(zip(parts, words, strict=True))
                caption = template.format(**filling)
                thing = filling.get(_OBJECT, "")
                if caption not in words:  # the template is more than a word
                    yield caption, thing


def _parts_of(template: str, known: Mapping[str, object]) -> tuple[str, ...]:
    """Return the parts that a template names, each once.

    Raises
    ------
    ValueError
        If it names none, or one that is not known.
    """
    names = ", ".join(f"{{{part}}}" for part in known)
    try:
        fields = list(Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"templates: {template!r} makes no sense ({error}).") from None
    parts = [field for _, field, _, _ in fields if field is not None]
    plain = all(not spec and not conversion for _, _, spec, conversion in fields)
    if not parts or not plain or not set(parts) <= set(known):
        raise ValueError(f"templates: {template!r} must be a caption with some of {names} in it.")
    return tuple(dict.fromkeys(parts))
