"""What a page without a kernel needs to score labels and to search by itself.

For some neurons of a lens and for some texts. All else the page refuses, and says why.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import torch

from semlens_widgets.inputs.foundation import TEMPLATES
from semlens_widgets.labels.assign import UNKNOWN, chance_level
from semlens_widgets.labels.correlation import correlations
from semlens_widgets.labels.csp import projection
from semlens_widgets.labels.evidence import embedded, in_parts, some_neurons, these_neurons
from semlens_widgets.labels.recognition import Recognition
from semlens_widgets.labels.scorer import TINY, Competing, Explaining
from semlens_widgets.labels.scorers import SCORERS, scorer_of
from semlens_widgets.labels.weights import Weighting, example_weights
from semlens_widgets.labels.words import RANDOM_WORDS, default_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.labels.evidence import Embedded, Evidence
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.parts import Parts
    from semlens_widgets.lens.reader import AnalysisReader

Arrays = dict[str, "NDArray[Any]"]

#: So many texts travel if nobody asks for more.
MOST_TEXTS = 320
#: In the place of an image: there is none, or there is one that does not travel. Others count on.
ABSENT, BEHIND, FIRST = 0, 1, 2
_MIDDLE = 1 << 15  # is 0 among numbers that are kept in sixteen bits
_SHARES = 65_534  # of a share in sixteen bits; the one above is NaN
_COMPARED = 32  # texts that tell whether the text encoder knows capitals


def portable(
    lens: SemanticLens,
    rows: Sequence[int],
    texts: Sequence[str] = (),
    examples: int | None = None,
    *,
    sentences: Sequence[str] | None = None,
) -> tuple[dict[str, Any], Arrays]:
    """Return what answers questions on some neurons without a kernel; see ``js/src/page``.

    Scores are those of the lens to 1e-4. Of the recognition there are those by the labels' settings
    alone. CLIP-Dissect does not travel: its scores depend on all neurons and on which candidates
    stand beside each other.

    Parameters
    ----------
    lens
        With its foundation model.
    rows
        Of the neurons in ``lens.neurons``.
    texts
        Words that are to travel in any case, such as a panel's candidates. The neurons' labels do,
        too; and up to 320 in all, words that labels were chosen from, and then packaged ones. Where
        these are too many: each neuron's best word, then each one's second best, and so on.
    examples
        Of how many of the concept examples, by rank, the embeddings travel; all by default, and
        where fewer would be no less to carry. Of the others only sums do, by the ways of weighing
        that the scorers have by default and that of the labels: they cannot be left out, and have
        no part of a score of their own.
    sentences
        Templates that are to travel beside those which have a name; by default those of the labels.

    Returns
    -------
    meta : dict
        JSON: names, settings, and what is not there.
    arrays : dict
        By name, of float32, float16 (embeddings as they are stored, to be brought to unit length),
        uint16 and uint32. Where there is a ``name.scale``, by which the rows of ``name`` are to be
        multiplied, 32768 stands for 0.

    Raises
    ------
    LensUnavailable
        If the analysis was opened without its foundation model.
    ValueError
        If there is no neuron, or a number of examples makes no sense.
    IndexError
        If there is no such row.
    """
    parts = lens._parts  # noqa: SLF001 - the same house
    reader, words = parts.reader, parts.words()
    chosen = _checked(rows, len(reader.neurons))
    kept = _kept(parts, chosen, examples)
    names = _travelling(parts, chosen, texts)
    by = _recognition(parts)
    sets = _sets(parts, sentences)
    ways = get_args(Weighting) if kept == reader.ranks else _ways(parts)
    evidence = reader.evidence
    some = these_neurons(evidence, chosen)
    arrays: Arrays = {
        "mean": evidence.images.mean[None].numpy(),
        "directions": reader.directions[chosen].numpy(),
        "correlation": reader.activation_directions[chosen].numpy(),
        "activations": evidence.activations[chosen].float().numpy(),
    }
    for name, templates in sets.items():
        vectors = words.prompts([*names, *RANDOM_WORDS], templates)
        # All digits: what sixteen bits lose is much to a text that all images are equally like.
        arrays[f"texts.{name}"] = vectors.numpy()
        arrays[f"spread.{name}"] = evidence.likeness.spread(vectors).numpy()
        recognised = torch.cat([by.score(part, vectors) for part in in_parts(some, whole=True)])
        own, chance = recognised[:, : len(names)], recognised[:, len(names) :]
        arrays[f"recognition.{name}"] = _shares(own)
        arrays[f"recognition.{name}.chance"] = chance_level(chance).numpy()
    sides: tuple[Embedded, ...] = ("image",) if evidence.crops is None else ("image", "crop")
    for side in sides:
        arrays |= _side(reader, chosen, kept, ways, side)
    about = _meta(parts, chosen, names, sets, by)
    return about | {"kept": kept, "weights": list(ways)}, arrays


def _checked(rows: Sequence[int], count: int) -> list[int]:
    """Return rows as whole numbers that there are, each once and in order."""
    found = sorted({int(row) for row in rows})
    if not found:
        raise ValueError("rows: there is no neuron. Give at least one row of lens.neurons.")
    for row in found:
        if not 0 <= row < count:
            raise IndexError(f"rows: {row} is outside 0..{count - 1}.")
    return found


def _kept(parts: Parts, rows: list[int], examples: int | None) -> int:
    """Return of how many ranks the vectors travel: of all where that is no more to carry."""
    reader = parts.reader
    if examples is None or examples >= reader.ranks:
        return reader.ranks
    if examples < 1:
        raise ValueError(f"examples={examples!r}: expected at least 1, or None for all.")
    if reader.embedding == "crop":  # no two of which are one
        return examples
    evidence = these_neurons(reader.evidence, rows)
    more = () if evidence.further is None else evidence.further.unbind(2)
    samples = torch.stack([evidence.examples, evidence.contrasts, *more], dim=2).numpy()
    sums = len(rows) * len(_ways(parts)) * (2 + evidence.neighbours)
    fewer = len(np.unique(samples[:, :examples])) + sums < len(np.unique(samples))
    return examples if fewer else reader.ranks


def _meta(
    parts: Parts,
    rows: list[int],
    names: list[str],
    sets: dict[str, tuple[str, ...]],
    by: Scorer,
) -> dict[str, Any]:
    reader, labels = parts.reader, parts.labels.now.frame["label"]
    table = reader.neurons.iloc[rows]
    travel = set(names)
    vocabulary = parts.labels.vocabulary()
    return {
        "count": len(reader.neurons),
        "neurons": [
            {"row": row, "layer": str(layer), "neuron": int(neuron), "label": _text(labels[row])}
            for row, layer, neuron in zip(rows, table["layer"], table["neuron"], strict=True)
        ],
        "texts": names,
        "folds": _folds(parts, names),
        "vocabulary": {
            "words": [word for word in vocabulary if _spaced(word) in travel],
            "total": len(vocabulary),
        },
        "sets": {name: list(sentences) for name, sentences in sets.items()},
        "scorers": {
            name: {
                "pairs": kind.pairs,
                "explains": issubclass(kind, Explaining),
                "settings": asdict(kind()),
                "fixed": by.settings if kind is Recognition else {},
            }
            for name, kind in SCORERS.items()
            if not issubclass(kind, Competing)
        },
        "missing": [kind.title for kind in SCORERS.values() if issubclass(kind, Competing)],
        "embedding": reader.embedding,
        "neighbours": reader.n_contrasts,
        "ranks": reader.ranks,
    }


def _text(label: object) -> str:
    return label if isinstance(label, str) else ""


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _recognition(parts: Parts) -> Scorer:
    """Return the recognition that gave the labels, or as it is by default."""
    how = parts.labels.labelled_by()
    return scorer_of(Recognition.name, how if how.get("scorer") == Recognition.name else None)


def _sets(parts: Parts, sentences: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
    """Return the sentences around labels that travel, by name."""
    own = sentences or parts.labels.labelled_by().get("templates") or ()
    given = parts.words().sentences(tuple(own) or None)
    return TEMPLATES | ({} if given in TEMPLATES.values() else {"own": given})


def _folds(parts: Parts, names: list[str]) -> bool:
    """Say whether the text encoder takes capital letters for small ones."""
    one, other = (
        parts.words().prompts([change(name) for name in names[:_COMPARED]], None)
        for change in (str.lower, str.upper)
    )
    return bool(torch.equal(one, other))


def _travelling(parts: Parts, rows: list[int], texts: Iterable[str]) -> list[str]:
    """Return the texts that travel, each once."""
    labels = parts.labels.now.frame["label"]
    asked = [*texts, *(_text(labels[row]) for row in rows)]
    spaced = [_spaced(one) for one in asked if one != UNKNOWN]
    names = list(dict.fromkeys(one for one in spaced if one))
    for known in (parts.labels.vocabulary(), default_vocabulary(parts.reader.classes)):
        mine, room = set(names), max(0, MOST_TEXTS - len(names))
        others = [one for one in dict.fromkeys(map(_spaced, known)) if one and one not in mine]
        if len(others) > room:
            others = [others[at] for at in _fitting(parts, rows, others)[:room]]
        names += others
    return names


def _fitting(parts: Parts, rows: list[int], words: list[str]) -> list[int]:
    """Order words by the best place that they have among the words of some neuron.

    By correlation; of those with the same place the higher one comes first.
    """
    reader = parts.reader
    vectors = parts.words().prompts(words, None)
    directions = reader.activation_directions[rows]
    scores = correlations(directions, vectors, reader.evidence.likeness)
    scores = scores[~scores.isnan().all(1)].nan_to_num(-torch.inf)
    if not len(scores):
        return list(range(len(words)))
    order = scores.argsort(dim=1, descending=True, stable=True)
    place = order.argsort(dim=1).amin(0).tolist()
    best = scores.amax(0).tolist()
    return sorted(range(len(words)), key=lambda at: (place[at], -best[at], at))


def _ways(parts: Parts) -> tuple[Weighting, ...]:
    """Return the ways of weighing of which sums travel: those of the scorers, and of the labels."""
    given = parts.labels.labelled_by().get("weights")
    own = {asdict(kind()).get("weights") for kind in SCORERS.values()} | {given}
    return tuple(way for way in get_args(Weighting) if way in own)


def _side(
    reader: AnalysisReader,
    rows: list[int],
    kept: int,
    ways: Sequence[Weighting],
    side: Embedded,
) -> Arrays:
    """Return what is known of examples and contrasts, of whole images or of crops.

    The vectors of the pairs that travel, each once and as stored, and where a neuron has which; how
    much of each contrast CSP takes out; and, of the other ranks, sums by the ways of weighing.
    """
    where, vectors = [], []
    found: dict[str, list[Tensor]] = {}
    evidence = embedded(reader.evidence, side)
    for row in rows:
        one = some_neurons(evidence, row, row + 1)
        more = [] if one.further is None else [one.further]
        samples = [one.examples[..., None], one.contrasts[..., None], *more]
        places = torch.cat(samples, dim=2)[0].numpy()  # (m, 1 + k)
        there = places >= 0
        vectors.append(_stored(reader, row, places[:kept], side))
        where.append(np.where(there, BEHIND, ABSENT))
        taken = [
            projection(one.positives, one.quiet[:, :, : count + 1])[0]
            for count in range(one.neighbours)
        ]
        of_one = {f"taken.{count}": share[:kept] for count, share in enumerate(taken, 1)}
        if kept < len(there):
            of_one |= _rest(one, taken, kept, ways)
        for name, values in of_one.items():
            found.setdefault(name, []).append(values)
    distinct, at = np.unique(np.concatenate(vectors), axis=0, return_inverse=True)
    pairs = np.stack(where).astype(np.uint16 if FIRST + len(distinct) < 1 << 16 else np.uint32)
    head = pairs[:, :kept]
    head[head == BEHIND] = FIRST + at
    arrays: Arrays = {f"{side}.pairs": pairs, f"{side}.vectors": distinct}
    for name, each in found.items():
        named, stacked = f"{side}.{name}", torch.stack(each)
        arrays |= _packed(named, stacked) if name.startswith("rest") else {named: stacked.numpy()}
    return arrays


def _stored(
    reader: AnalysisReader, row: int, places: NDArray[np.int64], side: Embedded
) -> NDArray[np.float16]:
    """Read the vectors of one neuron's first pairs, ``(n, D)``: of those that there are, in order.

    Parameters
    ----------
    places
        ``(kept, 1 + k)``, the images of example and contrasts; -1 where there is none.
    """
    there = places >= 0
    if side == "image":
        return reader.embeddings.stored(places[there])
    one, other = reader.stored_crops(row, row + 1)
    found: NDArray[np.float16] = np.concatenate([one[0, :, None], other[0]], axis=1)
    return found[: len(places)][there]


def _rest(
    one: Evidence, taken: list[Tensor], kept: int, ways: Sequence[Weighting]
) -> dict[str, Tensor]:
    """Return the sums over the other ranks of one neuron, each ``(D,)``, by how they are weighed.

    Of the examples, of the contrasts, and of what CSP leaves of examples with so many neighbours.
    """
    rest = slice(kept, None)
    found = {}
    for how in ways:
        weights = example_weights(one, how)[0, rest]
        examples = weights @ one.positives[0, rest]
        found[f"rest.{how}"] = examples
        found[f"rest.{how}.contrasts"] = weights @ one.negatives[0, rest]
        for count, share in enumerate(taken, 1):
            out = weights[:, None] * share[rest]
            sums = torch.einsum("mk,mkd->d", out, one.quiet[0, rest, :count])
            found[f"rest.{how}.left.{count}"] = examples - sums
    return found


def _packed(name: str, matrix: Tensor) -> Arrays:
    """Return a matrix in sixteen bits: of each row whole numbers, and what one of them is worth."""
    scale = matrix.abs().amax(1).clamp(min=TINY) / (_MIDDLE - 1)
    whole = (matrix / scale[:, None]).round().numpy() + _MIDDLE
    return {name: whole.astype(np.uint16), f"{name}.scale": scale.numpy()}


def _shares(values: Tensor) -> NDArray[np.uint16]:
    """Return numbers from 0 to 1 in sixteen bits; NaN is the highest."""
    whole = (values.double() * _SHARES).round().nan_to_num(_SHARES + 1)
    return whole.numpy().astype(np.uint16)
