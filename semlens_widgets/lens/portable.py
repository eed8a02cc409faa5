"""What a page without a kernel needs to score labels and to search by itself.

For some neurons of a lens and for some texts. All else the page refuses, and says why.
"""

from __future__ import annotations

from dataclasses import asdict, fields
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
from semlens_widgets.labels.scorers import SCORERS
from semlens_widgets.labels.weights import Weighting, example_weights
from semlens_widgets.labels.words import RANDOM_WORDS, default_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.labels.evidence import Embedded, Evidence
    from semlens_widgets.lens.lens import SemanticLens
    from semlens_widgets.lens.parts import Parts
    from semlens_widgets.lens.reader import AnalysisReader

Arrays = dict[str, "NDArray[Any]"]

#: So many texts travel if nobody asks for more.
MOST_TEXTS = 350
#: In the place of an image: there is none, or there is one that does not travel.
ABSENT, BEHIND = -1, -2
_STEPS = 32_767  # of a number that is kept in sixteen bits with a sign
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

    Scores are those of the lens to 1e-4: numbers that a search is ordered by keep all their digits,
    others have sixteen bits. Of the recognition there are the scores of the labels' settings alone.
    CLIP-Dissect does not travel: its scores depend on all neurons and on which candidates stand
    beside each other.

    Parameters
    ----------
    lens
        With its foundation model.
    rows
        Of the neurons in ``lens.neurons``.
    texts
        Words that are to travel in any case, such as a panel's candidates. The neurons' labels do,
        too; and up to 350 in all, those of the vocabularies that fit some neuron best: each
        neuron's best word, then each one's second best, and so on.
    examples
        Of how many of the concept examples, by rank, the embeddings travel; all by default. Of the
        others only sums do: they cannot be left out, and have no part of a score of their own.
    sentences
        Templates that are to travel beside those which have a name; by default those of the labels.

    Returns
    -------
    meta : dict
        JSON: names, settings, and what is not there.
    arrays : dict
        By name. In ``name`` of int16 a row times its ``name.scale`` are the numbers; float16 are
        embeddings as they are stored, to be brought to unit length.

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
    chosen = _checked(rows, len(reader.neurons), "rows")
    kept = reader.ranks if examples is None else min(examples, reader.ranks)
    if kept < 1:
        raise ValueError(f"examples={examples!r}: expected at least 1, or None for all.")
    names = _travelling(parts, chosen, texts)
    by = _recognition(parts)
    sets = _sets(parts, sentences)
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
        exact = name == "plain"  # a search is ordered by these
        arrays |= _exact(f"texts.{name}", vectors) if exact else _packed(f"texts.{name}", vectors)
        arrays[f"spread.{name}"] = evidence.likeness.spread(vectors).numpy()
        recognised = torch.cat([by.score(part, vectors) for part in in_parts(some, whole=True)])
        own, chance = recognised[:, : len(names)], recognised[:, len(names) :]
        arrays[f"recognition.{name}"] = own.numpy() if exact else _shares(own)
        arrays[f"recognition.{name}.chance"] = chance_level(chance).numpy()
    sides: tuple[Embedded, ...] = ("image",) if evidence.crops is None else ("image", "crop")
    for side in sides:
        arrays |= _side(reader, chosen, kept, side)
    return _meta(parts, chosen, names, sets, by, kept), arrays


def _checked(rows: Sequence[int], count: int, what: str) -> list[int]:
    """Return rows as whole numbers that there are, each once and in order."""
    found = sorted({int(row) for row in rows})
    if not found:
        raise ValueError(f"{what}: there is no neuron. Give at least one row of lens.neurons.")
    for row in found:
        if not 0 <= row < count:
            raise IndexError(f"{what}: {row} is outside 0..{count - 1}.")
    return found


def _meta(
    parts: Parts,
    rows: list[int],
    names: list[str],
    sets: dict[str, tuple[str, ...]],
    by: Recognition,
    kept: int,
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
                "fixed": asdict(by) if kind is Recognition else {},
            }
            for name, kind in SCORERS.items()
            if not issubclass(kind, Competing)
        },
        "missing": [kind.title for kind in SCORERS.values() if issubclass(kind, Competing)],
        "embedding": reader.embedding,
        "neighbours": reader.n_contrasts,
        "ranks": reader.ranks,
        "kept": kept,
    }


def _text(label: object) -> str:
    return label if isinstance(label, str) else ""


def _spaced(text: str) -> str:
    return " ".join(text.split())


def _recognition(parts: Parts) -> Recognition:
    """Return the recognition that gave the labels, or as it is by default."""
    how = parts.labels.labelled_by()
    if how.get("scorer") != Recognition.name:
        return Recognition()
    return Recognition(
        **{one.name: how[one.name] for one in fields(Recognition) if one.name in how}
    )


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
    known = [*parts.labels.vocabulary(), *default_vocabulary(parts.reader.classes)]
    others = [one for one in dict.fromkeys(map(_spaced, known)) if one and one not in set(names)]
    room = max(0, MOST_TEXTS - len(names))
    if len(others) > room:
        others = [others[at] for at in _fitting(parts, rows, others)[:room]]
    return names + others


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


def _side(reader: AnalysisReader, rows: list[int], kept: int, side: Embedded) -> Arrays:
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
            of_one |= _rest(one, taken, kept)
        for name, values in of_one.items():
            found.setdefault(name, []).append(values)
    distinct, at = np.unique(np.concatenate(vectors), axis=0, return_inverse=True)
    pairs = np.stack(where).astype(np.int32)
    head = pairs[:, :kept]
    head[head == BEHIND] = at
    arrays: Arrays = {f"{side}.pairs": pairs, f"{side}.vectors": distinct}
    for name, each in found.items():
        named, stacked = f"{side}.{name}", torch.stack(each)
        arrays |= _packed(named, stacked) if name.startswith("rest") else _exact(named, stacked)
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


def _rest(one: Evidence, taken: list[Tensor], kept: int) -> dict[str, Tensor]:
    """Return the sums over the other ranks of one neuron, each ``(D,)``, by how they are weighed.

    Of the examples, of the contrasts, and of what CSP leaves of examples with so many neighbours.
    """
    rest = slice(kept, None)
    found = {}
    for how in get_args(Weighting):
        weights = example_weights(one, how)[0, rest]
        examples = weights @ one.positives[0, rest]
        found[f"rest.{how}"] = examples
        found[f"rest.{how}.contrasts"] = weights @ one.negatives[0, rest]
        for count, share in enumerate(taken, 1):
            out = weights[:, None] * share[rest]
            sums = torch.einsum("mk,mkd->d", out, one.quiet[0, rest, :count])
            found[f"rest.{how}.left.{count}"] = examples - sums
    return found


def _exact(name: str, matrix: Tensor) -> Arrays:
    return {name: matrix.float().numpy()}


def _packed(name: str, matrix: Tensor) -> Arrays:
    """Return a matrix in sixteen bits: of each row whole numbers, and what one of them is worth."""
    scale = matrix.abs().amax(1).clamp(min=TINY) / _STEPS
    whole = (matrix / scale[:, None]).round().to(torch.int16)
    return {name: whole.numpy(), f"{name}.scale": scale.float().numpy()}


def _shares(values: Tensor) -> NDArray[np.uint16]:
    """Return numbers from 0 to 1 in sixteen bits; NaN is the highest."""
    whole = (values.double() * _SHARES).round().nan_to_num(_SHARES + 1)
    return whole.numpy().astype(np.uint16)
