"""Whether the foundation model is any good on these images, before its labels are believed."""

from __future__ import annotations

import math
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from semlens_widgets.analysis.domain import (
    CHANCE,
    FEWEST_IMAGES,
    GOOD,
    UNCLEAR,
    WEAK,
    Measure,
    of_classes,
    of_copies,
    of_images,
    of_texts,
)
from semlens_widgets.errors import UnreadableImage
from semlens_widgets.inputs.changed import ChangedImages, brightness, crop, jpeg
from semlens_widgets.inputs.foundation import embed_prompts
from semlens_widgets.inputs.images import ImageDataset
from semlens_widgets.labels.scorer import text_directions
from semlens_widgets.pipeline.embed import Images
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.pipeline.loading import stacked
from semlens_widgets.pipeline.settings import check_foundation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from semlens_widgets.inputs.foundation import FoundationModel
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import Words

MOST_IMAGES = 1000
MOST_CLASSES = 200
MOST_COPIES = 100
_FEWEST = 10  # images, to say anything at all
_AT_ONCE = 32
_NO_WORDS = re.compile(r"n?\d+|\W*")  # numbers, and the identifiers of WordNet


@dataclass(frozen=True, eq=False)
class DomainCheck:
    """What was found of a foundation model on some images.

    Attributes
    ----------
    table
        One row per measure: measure, value, low and high (its 95 % interval), chance (what shuffled
        pairs reach), bound (where the verdict turns) and verdict: "good", "weak", "chance",
        "unclear", or empty for what is only told.
    ok
        Whether nothing speaks against the model. The class names decide where they can be asked,
        else the other measures do: without names only a gross failure shows.
    said
        The same in sentences, what was not checked too.
    """

    table: pd.DataFrame
    ok: bool
    said: tuple[str, ...]

    def __repr__(self) -> str:
        head = "The foundation model fits" if self.ok else "The foundation model does not fit"
        known = self.table.round(3).to_string(index=False, na_rep="")
        return "\n".join([f"{head} these images, as far as was checked.", known, *self.said])

    def __getitem__(self, measure: str) -> float:
        """Return the value of a measure."""
        found = self.table.loc[self.table["measure"] == measure, "value"]
        if found.empty:
            raise KeyError(f"{measure!r} was not measured; see said.")
        return float(found.iloc[0])


def domain_check(
    foundation: FoundationModel,
    images: ImageDataset | Sequence[Any],
    texts: Sequence[str] | None = None,
    *,
    templates: Sequence[str] | None = None,
    seed: int = 0,
) -> DomainCheck:
    """Check whether a foundation model is any good on these images.

    No label is better than the model that chose it. A model that was not trained, that is fed in
    another way than in training, or that knows other images than these gives labels all the same.

    Parameters
    ----------
    foundation
        The model.
    images
        The images, or a list as :meth:`ImageDataset.from_list` takes it. Of more than 1,000 so many
        are drawn by lot.
    texts
        Names of the images' classes, in their order; by default those that the images have. If the
        images have no classes: any texts, whose spread is told. Of more than 200 classes so many
        are drawn by lot.
    templates
        Sentences around the names; by default the names alone.
    seed
        Draws the lots.

    Returns
    -------
    DomainCheck
        With class names ``class_auroc`` (decides) and ``zero_shot``, beside shuffled names; of the
        images ``mean_cosine``, ``effective_rank`` and ``image_hubness``; ``copies_found``, how
        often a slightly changed copy (cropped, brighter or darker, compressed) has its original as
        the nearest image; of texts ``text_cosine``, ``gap``, ``largest_hub`` and hubness both ways.

    Raises
    ------
    ValueError
        If there are fewer than 10 readable images, or not as many texts as classes.
    TypeError
        If `texts` is one string.
    EmbeddingError, TransformError
        If the model or its transform cannot be used.

    Examples
    --------
    >>> import semlens_widgets as slw
    >>> images = slw.ImageDataset.from_dataset(slw.demo.scene_images(200))
    >>> slw.domain_check(slw.demo.foundation(), images).ok
    True
    """
    check_foundation(foundation)
    if not isinstance(images, ImageDataset):
        images = ImageDataset.from_list(images)
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list of strings: [{texts!r}].")
    names = images.classes if texts is None else tuple(texts)
    if images.classes and len(names) != len(images.classes):
        raise ValueError(
            f"texts holds {len(names)} names; the images have {len(images.classes)} classes: "
            f"{', '.join(map(repr, images.classes[:5]))} ..."
        )
    labels = np.asarray(images.labels) if images.labels is not None else None
    lots = np.random.default_rng(seed)
    drawn = np.sort(lots.permutation(len(images))[:MOST_IMAGES])
    vectors, samples = _embedded(foundation, images, drawn.tolist(), "images")
    _check_enough(len(samples))
    copied = _copies(foundation, images, samples, seed)

    def directions(some: Sequence[str]) -> NDArray[np.float32]:
        found = embed_prompts(foundation, some, templates or ("{}",)).cpu()
        return text_directions(found).numpy()

    known = None if labels is None else labels[samples]
    return _checked(vectors, known, names, directions, copied, len(images), seed)


class Domain:
    """The part of a lens that checks the foundation model; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    words
        Gives the text embeddings; raises if there is no foundation model.
    images
        The images; None if they are not at hand.
    foundation
        Gives the foundation model, or None if it is not at hand.
    """

    def __init__(
        self,
        reader: AnalysisReader,
        words: Callable[[], Words],
        images: ImageDataset | None,
        foundation: Callable[[], FoundationModel | None],
    ) -> None:
        self._reader = reader
        self._words = words
        self._images = images
        self._foundation = foundation

    @plainly()
    def domain_check(self, *, templates: Sequence[str] | None = None, seed: int = 0) -> DomainCheck:
        """Check whether the foundation model is any good on these images.

        See :func:`semlens_widgets.domain_check`. Images are not embedded again, but for a hundred
        changed copies, which are left out where images or model are not at hand; so are the class
        names without the model. :meth:`run` has done the same without copies, and warned.
        """
        foundation, copied = self._foundation(), None
        samples = self._samples(seed)
        if self._images is not None and foundation is not None:
            copied = _copies(foundation, self._images, samples.tolist(), seed)
        return self._check(samples, templates, copied, seed)

    def facts(self) -> dict[str, Any]:
        """Return what a run records: whether the model fits, and why not; never fails."""
        samples = self._samples(0)
        if len(samples) < _FEWEST:
            return {"ok": True, "said": [f"{len(samples)} images are too few to tell."]}
        check = self._check(samples, None, None, 0)
        return {"ok": check.ok, "said": list(check.said), "measures": _plain(check.table)}

    def _samples(self, seed: int) -> NDArray[np.int64]:
        readable = np.flatnonzero(self._reader.samples["readable"])
        return np.sort(np.random.default_rng(seed).permutation(readable)[:MOST_IMAGES])

    def _check(
        self,
        samples: NDArray[np.int64],
        templates: Sequence[str] | None,
        copied: tuple[NDArray[np.float32], NDArray[np.int64]] | None,
        seed: int,
    ) -> DomainCheck:
        import torch

        _check_enough(len(samples))
        vectors = self._reader.embeddings.rows(torch.from_numpy(samples)).numpy()
        labels = self._reader.samples["label"].to_numpy()
        return _checked(
            vectors,
            labels[samples],
            self._reader.classes,
            lambda some: self._words().prompts(some, templates).numpy(),
            copied,
            len(labels),
            seed,
        )


def _checked(
    vectors: NDArray[np.float32],
    labels: NDArray[np.integer] | None,
    names: Sequence[str],
    directions: Callable[[Sequence[str]], NDArray[np.float32]],
    copied: tuple[NDArray[np.float32], NDArray[np.int64]] | None,
    total: int,
    seed: int,
) -> DomainCheck:
    measures, said = of_images(vectors, seed=seed), []
    if copied is not None:
        measures.append(of_copies(copied[0], vectors, copied[1]))
    shown = np.arange(len(names)) if labels is None else np.unique(labels[labels >= 0])
    words = [name for name in names if not _NO_WORDS.fullmatch(str(name))]
    if len(shown) < 2:
        said.append("No names of two classes or more: only a gross failure can show.")
    elif 2 * len(words) < len(names):
        said.append(f"Class names such as {names[0]!r} are no words: only a gross failure shows.")
    else:
        some = np.sort(np.random.default_rng(seed).permutation(shown)[:MOST_CLASSES])
        try:
            texts = directions([names[at] for at in some])
        except Exception as error:  # noqa: BLE001 - a check must not stop what it checks
            said.append(f"The class names could not be asked: {type(error).__name__}: {error}")
        else:
            measures += of_texts(vectors, texts)
            if labels is not None:
                own = np.isin(labels, some)
                places = np.searchsorted(some, labels[own])
                measures = [*of_classes(vectors[own], texts, places, seed=seed), *measures]
    if len(vectors) < total:
        said.append(f"By {len(vectors)} of {total} images.")
    by_name = {measure.name: measure for measure in measures}
    decisive = by_name.get("class_auroc")
    if decisive is not None and decisive.verdict != UNCLEAR:
        ok = decisive.verdict == GOOD
    else:
        ok = all(measure.verdict not in {WEAK, CHANCE} for measure in measures)
    table = pd.DataFrame([asdict(measure) for measure in measures])
    return DomainCheck(table.rename(columns={"name": "measure"}), ok, (*_told(by_name), *said))


def _told(measures: Mapping[str, Measure]) -> list[str]:
    """Say what the verdicts mean."""
    said = []
    causes = (
        "The model does not know such images, is not fed as in its training (weights, size, "
        "normalisation), or does not know these names."
    )
    area = measures.get("class_auroc")
    if area is not None:
        figure = f"class_auroc {area.value:.2f}, shuffled names up to {area.chance:.2f}"
        if area.verdict == CHANCE:
            said.append(f"Class names tell their classes no better than chance ({figure}).")
        elif area.verdict == WEAK:
            said.append(
                f"Class names tell their classes badly ({figure}; {area.bound:.2f} and more where "
                "model and images fit)."
            )
        elif area.verdict == GOOD:
            said.append(f"Class names tell their classes ({figure}).")
        if area.verdict in {CHANCE, WEAK}:
            said.append(f"{causes} Do not believe labels by it.")
    sentences = {
        "mean_cosine": "All images look much the same to it (mean cosine {:.2f}).",
        "effective_rank": "It tells images apart in few ways (effective rank {:.1f}).",
        "copies_found": "Slightly changed copies are not found again ({:.0%} are).",
    }
    for name, sentence in sentences.items():
        if name in measures and measures[name].verdict == WEAK:
            said.append(sentence.format(measures[name].value))
    hub = measures.get("largest_hub")
    if hub is not None and hub.value > 0.5:
        said.append(f"One text is the nearest of {hub.value:.0%} of the images.")
    if any(measure.verdict == UNCLEAR for measure in measures.values()):
        said.append(
            f"Where it says unclear, {FEWEST_IMAGES} images or more, and more classes, could tell."
        )
    return said


def _check_enough(count: int) -> None:
    if count < _FEWEST:
        raise ValueError(f"images: {count} readable ones; the check needs {_FEWEST} or more.")


def _changed(image: Image.Image, lots: np.random.Generator) -> Image.Image:
    return jpeg(brightness(crop(image, lots), lots), lots)


def _copies(
    foundation: FoundationModel, images: ImageDataset, samples: Sequence[int], seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Embed changed copies of some images; return them with the rows of `samples` they are of."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(samples))[:MOST_COPIES])
    some = ChangedImages(images, [samples[row] for row in rows], _changed, seed)
    vectors, read = _embedded(foundation, some, range(len(some)), "changed copies")
    return vectors, rows[read]


def _embedded(
    foundation: FoundationModel, images: ImageDataset, samples: Sequence[int], what: str
) -> tuple[NDArray[np.float32], list[int]]:
    """Return unit embeddings ``(readable, dim)`` of those that can be read, and which these are."""
    reader, blocks, read = Images(foundation, images), [], list[int]()
    bar = tqdm(total=len(samples), desc=what, unit="image", disable=len(samples) < 2 or None)
    with bar:
        for start in range(0, len(samples), _AT_ONCE):
            prepared = {}
            for sample in samples[start : start + _AT_ONCE]:
                try:
                    image = images.load(sample)
                except UnreadableImage:
                    continue
                prepared[sample] = reader.prepare(image, images.uris[sample])
            if prepared:
                names = [images.uris[sample] for sample in prepared]
                block = reader.embedded(stacked(names, list(prepared.values())), [*prepared])
                blocks.append(block.astype(np.float32))
                read += prepared
            bar.update(len(samples[start : start + _AT_ONCE]))
    found = np.concatenate(blocks) if blocks else np.empty((0, foundation.dim), np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True), read


def _plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows as JSON holds them: None for NaN."""
    rows = table.to_dict("records")
    return [
        {
            str(name): None if isinstance(one, float) and math.isnan(one) else one
            for name, one in row.items()
        }
        for row in rows
    ]
