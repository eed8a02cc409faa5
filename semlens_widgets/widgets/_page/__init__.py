"""A view as one page of its own: what the kernel answers is recorded, nothing else is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm.auto import tqdm

from semlens_widgets.errors import holds_half
from semlens_widgets.lens.checked import release
from semlens_widgets.widgets._page.document import one_file, write_file, write_folder
from semlens_widgets.widgets._page.embedded import EmbeddedPage
from semlens_widgets.widgets._page.models import described, family
from semlens_widgets.widgets._page.pool import OF_MANY, Pool, Recorder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from semlens_widgets.widgets._base import LensWidget
    from semlens_widgets.widgets._page.chunks import Chunk

    #: Those that travel with all that is shown of them; all by default.
    Neurons = pd.DataFrame | Iterable[tuple[str, int]] | None


def write_page(
    root: LensWidget,
    path: str | Path,
    *,
    neurons: Neurons,
    examples: int,
    texts: Sequence[str],
    folder: bool,
) -> None:
    """Write a page of a widget and all those inside it.

    Raises
    ------
    ValueError
        If there are no such neurons, or if something cannot be answered that the page promises.
    FileNotFoundError
        If a browser part is not built, or there is no such place.
    FileExistsError
        If `path` is to be a folder, and is something else.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {str(path.parent)!r} to write the page to.")
    if not folder and path.is_dir():
        raise FileExistsError(f"{path.name!r} is a folder. Give a file, such as 'page.html'.")
    contents, chunks = recorded(root, neurons, examples, texts)
    if folder:
        write_folder(path, contents, chunks, repr(root))
    else:
        write_file(path, one_file(contents, chunks, repr(root)))


def embedded_page(
    root: LensWidget, *, neurons: Neurons, examples: int, texts: Sequence[str]
) -> EmbeddedPage:
    """Return a page as :func:`write_page` writes it, to be shown in a notebook."""
    contents, chunks = recorded(root, neurons, examples, texts)
    return EmbeddedPage(one_file(contents, chunks, repr(root)), repr(root))


def recorded(
    root: LensWidget, neurons: Neurons, examples: int, texts: Sequence[str]
) -> tuple[dict[str, Any], list[Chunk]]:
    """Return what a page holds: what is told at once, and the chunks with the rest."""
    if not isinstance(examples, int) or isinstance(examples, bool) or examples < 1:
        raise ValueError(f"examples must be 1 or more, got {examples!r}.")
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list: [{texts!r}].")
    for one in texts:
        if not isinstance(one, str):
            raise TypeError(f"texts: {one!r} is no text.")
        if holds_half(one):
            raise ValueError(f"texts: {one!r} holds half a character, such as of an emoji.")
    known = known_neurons(root)
    travelling = chosen_neurons(root._reached() if neurons is None else neurons, known)  # noqa: SLF001
    pool = Pool()
    widgets = family(root)
    recorder = Recorder(pool, travelling, examples)
    with tqdm(total=len(widgets), desc="page", unit="view", disable=None) as bar:
        for widget in widgets:
            widget._record(recorder)  # noqa: SLF001 -- of this family
            bar.update()
    scoring, unscored = recorder.to_score.gathered(travelling, examples, texts)
    models = described(widgets, pool.chunks, scoring)
    index = {
        "answers": pool.answers,
        "many": {method: name for method, (name, _) in OF_MANY.items()},
    }
    at, position = pool.chunks.add_answer(index)
    about = {
        "what": repr(root),
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": release("semlens-widgets"),
        "neurons": len(known),
        "travelling": len(travelling),
        "examples": examples,
        "pictures": pool.pictures,
        "smaller": pool.smaller,
        "refused": [[why, count] for why, count in recorder.refused.items()],
        "unscored": unscored,
    }
    contents = {
        "about": about,
        "models": models,
        "index": [at, position],
        "scoring": None if scoring is None else scoring.stored(pool.chunks),
    }
    return contents, pool.chunks.finished()


def known_neurons(root: LensWidget) -> list[tuple[str, int]]:
    """Return the neurons that a view may show, each once."""
    table = root.lens.neurons
    pairs = zip(table["layer"].astype(str), table["neuron"].astype(int), strict=True)
    return list(dict.fromkeys((layer, int(neuron)) for layer, neuron in pairs))


def chosen_neurons(neurons: Neurons, known: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the neurons that travel, in the order of the table.

    Raises
    ------
    ValueError
        If one of those given is not known.
    """
    if neurons is None:
        return known
    table: Any = neurons
    given = (
        zip(table["layer"], table["neuron"], strict=True) if hasattr(table, "columns") else table
    )
    wanted = {(str(layer), int(neuron)) for layer, neuron in given}
    if unknown := sorted(wanted - set(known)):
        layer, neuron = unknown[0]
        raise ValueError(f"neurons: there is no neuron {neuron} in layer {layer!r}.")
    return [one for one in known if one in wanted]
