"""A folder of many analyses, searched as one."""

from __future__ import annotations

import os
import warnings
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from semlens_widgets.analysis import search as searching
from semlens_widgets.errors import LensUnavailable, SemlensError, StoreError
from semlens_widgets.inputs.foundation import embed_prompts
from semlens_widgets.inputs.patterns import layers_like
from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.lens.lens import SemanticLens
from semlens_widgets.lens.reader import AnalysisReader
from semlens_widgets.pipeline.settings import check_foundation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.inputs.foundation import FoundationModel

_MANIFEST = "analysis.json"


class Library:
    """All analyses below a folder.

    Opening reads what each was made with and no image; the semantic vectors are read when they are
    searched for the first time, and held. Analyses that are added or made anew later are seen by a
    new ``Library``.

    Parameters
    ----------
    path
        The folder; analyses may lie at any depth and are called by their place in it.
    foundation
        The foundation model of the texts to search for. Analyses made with another one are listed
        and not searched.

    Raises
    ------
    StoreError
        If there is no such folder, or no analysis in it.
    TypeError
        If `foundation` is no foundation model.

    Examples
    --------
    >>> library = slw.Library("runs", foundation=foundation)
    >>> library.search("watermark", layer="layer4", top=20)
    """

    def __init__(self, path: str | Path, *, foundation: FoundationModel | None = None) -> None:
        self.path = Path(path)
        self.foundation = foundation
        if foundation is not None:
            check_foundation(foundation)
        if not self.path.is_dir():
            raise StoreError(f"{str(path)!r} is no folder.")
        self._lenses: dict[str, SemanticLens] = {}
        self._readers: dict[str, AnalysisReader] = {}
        rows = [self._look(folder) for folder in _folders(self.path)]
        if not rows:
            raise StoreError(f"There is no analysis in {str(path)!r} or below it.")
        columns = ["analysis", "model", "foundation", "layers", "neurons", "problem"]
        self.analyses = pd.DataFrame(rows, columns=columns)

    def __repr__(self) -> str:
        ready = len(self._readers)
        return f"Library({ready} analyses, {len(self.analyses) - ready} that cannot be searched)"

    def open(self, analysis: str) -> SemanticLens:
        """Return one of the analyses, by its name in :attr:`analyses`.

        Raises
        ------
        ValueError
            If there is none of this name.
        StoreError
            If it cannot be read; the message says why.
        """
        if analysis in self._lenses:
            return self._lenses[analysis]
        row = self.analyses[self.analyses["analysis"] == analysis]
        if len(row):
            raise StoreError(f"{analysis!r}: {row['problem'].iloc[0]}")
        raise ValueError(f"{analysis!r} is none of the analyses {list(self._lenses)[:8]}.")

    def search(
        self,
        query: str | tuple[str, str, int],
        *,
        analysis: str | None = None,
        layer: str | None = None,
        centred: bool = True,
        templates: Sequence[str] | None = None,
        top: int = 50,
    ) -> pd.DataFrame:
        """Rank the neurons of all analyses by how well they fit a text, or another neuron.

        The score is the cosine of their semantic vectors, as of
        ``SemanticLens.search(query, scorer=None)``: all that has to be read of an analysis.

        Parameters
        ----------
        query
            A text, or a neuron ``(analysis, layer, index)``.
        analysis, layer
            Names or patterns (``"resnet*"``, ``"layer4.*"``) that are searched; all by default.
        centred
            Subtract the query's mean similarity over each analysis's own images, see
            :meth:`SemanticLens.search`.
        templates
            Sentences with ``{}`` where the text goes.
        top
            How many neurons to return.

        Returns
        -------
        pandas.DataFrame
            analysis, layer, neuron, label, score, best first; ties keep their order.

        Raises
        ------
        LensUnavailable
            If a text is searched for and no foundation model was given.
        ValueError
            If the query is empty, or nothing is left by `analysis` and `layer`.
        TypeError
            If the query is something else, or `top` no whole number.

        Warns
        -----
        UserWarning
            If analyses are left out because another foundation model gave them their meaning, or
            the text encoder cuts the text.
        """
        if isinstance(top, bool) or not hasattr(top, "__index__"):
            raise TypeError(f"top={top!r} must be a whole number.")
        direction, space = self._direction(query, templates)
        spans = self._spans(space, analysis, layer)
        vectors = self._vectors[space]
        mean = direction @ self._means[space].T if centred else None
        starts = self._starts[space]
        whole = analysis is None and layer is None
        rows = None if whole else torch.cat([torch.arange(a, b) for *_, a, b in spans])
        scores = (vectors if rows is None else vectors[rows]) @ direction
        if mean is not None:
            scores = scores - torch.cat(
                [mean[self._place[space][name]].expand(b - a) for name, _, a, b in spans]
            )
        order = searching.rank(scores, top)
        found = order if rows is None else rows[order]
        at = np.searchsorted(starts, found.numpy(), side="right") - 1
        names = list(self._place[space])
        frame = self._named([names[one] for one in at], found.numpy() - starts[at])
        frame["score"] = scores[order].numpy()
        self._tell_left_out(space, analysis)
        return frame

    def _look(self, folder: Path) -> tuple[str, str, str, str, int, str]:
        name = folder.relative_to(self.path).as_posix()
        name = folder.name if name == "." else name
        try:
            lens = SemanticLens.open(folder)
            reader = lens._read  # noqa: SLF001 - the same house
        except SemlensError as error:
            return name, "", "", "", 0, str(error)
        self._lenses[name], self._readers[name] = lens, reader
        settings, known = lens.store.settings, self.foundation
        if known is not None and self._space(name) == (known.name, known.dim):
            lens.foundation = known
        layers, count = ", ".join(reader.layers), self._neurons(name)
        return name, settings["model"], settings["foundation"], layers, count, ""

    def _space(self, name: str) -> tuple[str, int]:
        settings = self._lenses[name].store.settings
        return settings["foundation"], settings["foundation_dim"]

    @cached_property
    def _place(self) -> dict[tuple[str, int], dict[str, int]]:
        """The analyses of each foundation model, in order."""
        found: dict[tuple[str, int], dict[str, int]] = {}
        for name in self._lenses:
            those = found.setdefault(self._space(name), {})
            those[name] = len(those)
        return found

    @cached_property
    def _vectors(self) -> dict[tuple[str, int], Tensor]:
        held = {}
        for space, names in self._place.items():
            ends = [*self._starts[space].tolist(), self._count(space)]
            vectors = torch.empty(ends[-1], space[1])
            for name, start, stop in zip(names, ends[:-1], ends[1:], strict=True):
                # By a reader of its own, which does not keep what is copied here.
                vectors[start:stop] = AnalysisReader(self._lenses[name].store).directions
            held[space] = vectors
        return held

    @cached_property
    def _means(self) -> dict[tuple[str, int], Tensor]:
        return {
            space: torch.stack([self._readers[name].embeddings.mean for name in names])
            for space, names in self._place.items()
        }

    @cached_property
    def _starts(self) -> dict[tuple[str, int], NDArray[np.int64]]:
        """The first row of each analysis among the vectors of its foundation model."""
        return {
            space: np.cumsum([0, *map(self._neurons, names)])[:-1].astype(np.int64)
            for space, names in self._place.items()
        }

    def _neurons(self, name: str) -> int:
        return max(stop for _, stop in self._readers[name].spans.values())

    def _count(self, space: tuple[str, int]) -> int:
        return sum(map(self._neurons, self._place[space]))

    def _direction(
        self, query: str | tuple[str, str, int], templates: Sequence[str] | None
    ) -> tuple[Tensor, tuple[str, int]]:
        """Return what is searched along, and the foundation model in whose space it lies."""
        if not isinstance(query, str) and not (isinstance(query, tuple) and len(query) == 3):
            raise TypeError(f"query={query!r} must be a text or (analysis, layer, neuron).")
        if isinstance(query, tuple):
            name, layer, neuron = query
            self.open(name)
            space = self._space(name)
            row = self._starts[space][self._place[space][name]]
            return self._vectors[space][row + self._readers[name].row(layer, neuron)], space
        if self.foundation is None:
            raise LensUnavailable(
                "A text can be searched with the foundation model alone: "
                "Library(path, foundation=...)."
            )
        space = self.foundation.name, self.foundation.dim
        if space not in self._place:
            raise ValueError(
                f"No analysis was made with {space[0]!r}; there are "
                f"{', '.join(sorted({repr(name) for name, _ in self._place}))}."
            )
        texts = check_candidates([query])
        words = self._lenses[next(iter(self._place[space]))]._parts.words()  # noqa: SLF001
        if said := str(words.check(texts, templates)):
            warnings.warn(said, stacklevel=3)
        prompts = embed_prompts(self.foundation, texts, words.sentences(templates))
        return searching.query_directions(prompts.cpu())[0], space

    def _spans(
        self, space: tuple[str, int], analysis: str | None, layer: str | None
    ) -> list[tuple[str, str, int, int]]:
        """Return analysis, layer, and first and last row of all that is searched."""
        names = list(self._place[space])
        chosen = names if analysis is None else layers_like(analysis, names)
        spans = []
        for name in chosen:
            reader, start = self._readers[name], int(self._starts[space][self._place[space][name]])
            layers = reader.layers if layer is None else layers_like(layer, reader.layers)
            spans += [
                (name, one, start + reader.spans[one][0], start + reader.spans[one][1])
                for one in layers
            ]
        if not spans:
            raise ValueError(
                f"analysis={analysis!r}, layer={layer!r}: nothing fits; the analyses are "
                f"{names[:8]}{' ...' if len(names) > 8 else ''}."
            )
        return spans

    def _named(self, names: Sequence[str], rows: NDArray[np.int64]) -> pd.DataFrame:
        found = [self._label(name, int(row)) for name, row in zip(names, rows, strict=True)]
        columns = ["layer", "neuron", "label"]
        frame = pd.DataFrame(found, columns=columns)
        frame.insert(0, "analysis", list(names))
        return frame

    def _label(self, name: str, row: int) -> tuple[str, int, str]:
        reader = self._readers[name]
        layer = next(one for one, (a, b) in reader.spans.items() if a <= row < b)
        labels = self._lenses[name]._parts.labels.now.frame["label"]  # noqa: SLF001 - the same house
        return layer, row - reader.spans[layer][0], str(labels.iat[row])

    def _tell_left_out(self, space: tuple[str, int], analysis: str | None) -> None:
        others = [name for name in self._lenses if self._space(name) != space]
        if analysis is not None:
            others = layers_like(analysis, others)
        if others:
            some = ", ".join(others[:5]) + (", ..." if len(others) > 5 else "")
            warnings.warn(
                f"{len(others)} analyses were not searched, another foundation model gave their "
                f"neurons their meaning: {some}.",
                stacklevel=3,
            )


def _folders(path: Path) -> list[Path]:
    """Return the folders that hold an analysis, by name; nothing inside one is looked at."""
    found = []
    for folder, inside, files in os.walk(path):
        if _MANIFEST in files:
            found.append(Path(folder))
            inside.clear()
        inside.sort()
    return found
