"""What the views of a page answer: asked of their own handlers, kept once, and told apart."""

from __future__ import annotations

import io
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from PIL import Image
from tqdm.auto import tqdm

from semlens_widgets.errors import LensUnavailable
from semlens_widgets.widgets._columns import neurons_of
from semlens_widgets.widgets._page.chunks import Chunks, compact
from semlens_widgets.widgets._page.scoring import ToScore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pandas as pd

    from semlens_widgets.widgets._base import LensWidget

#: The larger side of a picture in a page, in pixels, and how well it is kept, of 100.
SIDE, QUALITY = 128, 80
#: Questions about many things at once: the parameter that names these, and of an answer whether it
#: has bytes beside it. They are kept thing by thing.
OF_MANY: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "thumbnails": ("samples", lambda error: error is None),
    "heatmaps": ("samples", lambda said: "error" not in said),
    "offers": ("rows", lambda _offer: False),
}
#: So many are asked for together.
TOGETHER = 32

#: Levels of relevance that the heatmaps of a page tell apart.
LEVELS = 64
_STEP = 255 / (LEVELS - 1)
_LEVELS = bytes(round(round(value / _STEP) * _STEP) for value in range(256))

_JPEG = b"\xff\xd8\xff"


def key_of(method: str, params: Mapping[str, Any]) -> str:
    """Return a question as one text; js/src/source/page-pool.ts writes the same."""
    return compact([method, _sorted(params)])


def _sorted(value: Any) -> Any:
    """Return a value with its names in order and whole numbers as the browser writes them."""
    if isinstance(value, dict):
        return {name: _sorted(value[name]) for name in sorted(value)}
    if isinstance(value, list | tuple):
        return [_sorted(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Pool:
    """The answers of a page, which all its views share.

    Attributes
    ----------
    chunks
        Where they lie.
    answers
        By :func:`key_of`, chunk and position of ``[result, places of the buffers]``.
    pictures, smaller
        How many pictures travel, and how many of them are smaller than in the notebook.
    """

    def __init__(self) -> None:
        self.chunks = Chunks()
        self.answers: dict[str, tuple[int, int]] = {}
        self.pictures = self.smaller = 0
        self._digests: dict[str, bytes] = {}
        self._small: dict[bytes, bytes] = {}

    def keep(
        self, method: str, params: Mapping[str, Any], result: Any, buffers: Sequence[bytes]
    ) -> None:
        """Keep an answer.

        Raises
        ------
        ValueError
            If another view has answered the question differently.
        """
        key = key_of(method, params)
        said = compact(result)
        digest = blake2b(said.encode("utf-8"), digest_size=16)
        for one in buffers:
            digest.update(blake2b(one, digest_size=16).digest())
        if key in self.answers:
            if self._digests[key] != digest.digest():
                raise ValueError(
                    f"Two views of this page answer one question differently: {method} {params}."
                )
            return
        self._digests[key] = digest.digest()
        places = [self._place(one, method) for one in buffers]
        self.answers[key] = self.chunks.add_answer([result, places])

    def _place(self, data: bytes, method: str) -> Any:
        if data.startswith(_JPEG):
            return self.chunks.add(self._picture(data), "pictures")
        if method == "heatmaps":
            return self.chunks.add(coarser(data), "heatmaps")
        return self.chunks.add(data, method)

    def _picture(self, jpeg: bytes) -> bytes:
        digest = blake2b(jpeg, digest_size=16).digest()
        if digest not in self._small:
            small = smaller(jpeg)
            self._small[digest] = small
            self.pictures += 1
            self.smaller += small is not jpeg
        return self._small[digest]


def coarser(heatmap: bytes) -> bytes:
    """Return a heatmap with `LEVELS` levels of the 256, which deflates to little more than half.

    None and all stay what they are; in between it is off by 2 of 255 at most.
    """
    return heatmap.translate(_LEVELS)


def smaller(jpeg: bytes) -> bytes:
    """Return a picture as a page holds it: WebP of `SIDE` pixels at most, if that is smaller.

    Raises
    ------
    ValueError
        If it is no picture.
    """
    try:
        with Image.open(io.BytesIO(jpeg)) as opened:
            picture = opened.convert("RGB")
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"A picture of {len(jpeg)} bytes cannot be read: {error}") from error
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    picture.save(written, "WEBP", quality=QUALITY, method=4)
    data = written.getvalue()
    return data if len(data) < len(jpeg) else jpeg


class Recorder:
    """Asks a view what a page may be asked of it, and keeps what it says.

    Attributes
    ----------
    neurons
        Those that travel with all that is shown of them, as questions name them.
    examples
        How many examples of each.
    refused
        By why, how many heatmaps there are not.
    to_score
        What the page is to score and search by itself.
    """

    def __init__(self, pool: Pool, neurons: Sequence[tuple[str, int]], examples: int) -> None:
        self.pool = pool
        self.examples = examples
        self.neurons = [{"layer": layer, "neuron": neuron} for layer, neuron in neurons]
        self.refused: dict[str, int] = {}
        self.to_score = ToScore()
        self._travelling = set(neurons)
        self._asked: set[tuple[Any, int, str]] = set()

    def each(self, view: LensWidget) -> Iterator[dict[str, Any]]:
        """Go through the neurons that travel, while a bar shows how far a view's are recorded."""
        title = view.view_title or type(view).__name__
        few = len(self.neurons) < 2
        yield from tqdm(self.neurons, f"page, {title}", unit="neuron", leave=False, disable=few)

    def rows(self, neurons: Iterable[tuple[str, int]]) -> list[int]:
        """Return at which places of some neurons those are that travel."""
        return [row for row, one in enumerate(neurons) if one in self._travelling]

    def hovered(self, view: LensWidget, table: pd.DataFrame) -> None:
        """Keep what a map says of its points, of those that travel."""
        for row in self.rows(neurons_of(table)):
            self.ask(view, "hover", {"row": row})

    def ask(
        self,
        view: LensWidget,
        method: str,
        params: Mapping[str, Any],
        shorten: Callable[[Any], Any] | None = None,
    ) -> Any:
        """Keep what a view answers, shortened if so wished, and return it.

        Raises
        ------
        ValueError
            If it does not answer, or otherwise than another view did.
        """
        if method in OF_MANY:
            return self._ask_many(view, method, params)
        result, buffers = self._answer(view, method, params)
        if shorten is not None:
            result = shorten(result)
        self.pool.keep(method, params, result, buffers)
        return result

    def ask_if_possible(self, view: LensWidget, method: str, params: Mapping[str, Any]) -> Any:
        """Keep what a view answers, and return it; None where the lens lacks what it takes."""
        try:
            return self.ask(view, method, params)
        except ValueError as error:
            if isinstance(error.__cause__, LensUnavailable):
                return None
            raise

    def pictures(self, view: LensWidget, samples: Sequence[int]) -> None:
        """Keep small pictures.

        Raises
        ------
        ValueError
            If there is none of one of them.
        """
        errors = self.ask(view, "thumbnails", {"samples": list(dict.fromkeys(samples))})
        for sample, error in errors:
            if error is not None:
                raise ValueError(f"There is no picture of image {sample} for the page: {error}")

    def heatmaps(self, view: LensWidget, of: Mapping[str, Any], samples: Sequence[int]) -> None:
        """Keep heatmaps of a neuron, or why there are none."""
        asked = {**of, "samples": list(dict.fromkeys(samples))}
        for _, said in self.ask(view, "heatmaps", asked):
            if "error" in said:
                why = said["error"]["message"]
                self.refused[why] = self.refused.get(why, 0) + 1

    def _ask_many(
        self, view: LensWidget, method: str, params: Mapping[str, Any]
    ) -> list[tuple[int, Any]]:
        """Keep the answer about each thing by itself; return those that were not known."""
        name, has_bytes = OF_MANY[method]
        others = {one: value for one, value in params.items() if one != name}
        handler = view._requests[method]  # noqa: SLF001 -- of this family
        # Views that share their handler and their lens need not be asked twice.
        whose = (handler, id(view.lens))
        wanted = [one for one in params[name] if (*whose, f"{others} {one}") not in self._asked]
        found: list[tuple[int, Any]] = []
        for start in range(0, len(wanted), TOGETHER):
            some = wanted[start : start + TOGETHER]
            result, buffers = self._answer(view, method, {**others, name: some})
            each = result["errors"] if method == "thumbnails" else result
            waiting = iter(buffers)
            for one, said in zip(some, each, strict=True):
                own = [next(waiting)] if has_bytes(said) else []
                answer = {"errors": [said]} if method == "thumbnails" else [said]
                self.pool.keep(method, {**others, name: [one]}, answer, own)
                self._asked.add((*whose, f"{others} {one}"))
                found.append((one, said))
        return found

    def _answer(
        self, view: LensWidget, method: str, params: Mapping[str, Any]
    ) -> tuple[Any, list[bytes]]:
        try:
            result, buffers = view._requests[method](view, params)  # noqa: SLF001 -- of this family
        except Exception as error:
            raise ValueError(
                f"The page cannot be written: {type(view).__name__} does not answer {method} "
                f"{dict(params)}: {error}"
            ) from error
        return result, [bytes(one) for one in buffers]


def first(name: str, count: int) -> Callable[[Any], Any]:
    """Return what leaves of an answer's list of a name the first few."""
    return lambda result: {**result, name: result[name][:count]}
