"""A view as one page of its own: what the kernel answers is recorded, nothing else is needed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semlens_widgets.lens.checked import release
from semlens_widgets.widgets._page.asked import (
    check_place,
    checked_examples,
    checked_texts,
    chosen_neurons,
    known_neurons,
)
from semlens_widgets.widgets._page.document import one_file, write_file, write_folder
from semlens_widgets.widgets._page.embedded import EmbeddedPage
from semlens_widgets.widgets._page.models import described, family
from semlens_widgets.widgets._page.pool import LEVELS, OF_MANY, Pool, Recorder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from semlens_widgets.widgets._base import LensWidget
    from semlens_widgets.widgets._page.asked import Neurons
    from semlens_widgets.widgets._page.chunks import Chunk


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
        If there are no such neurons, if something cannot be answered that the page promises, or
        if it can do nothing with `texts`.
    TypeError
        If `neurons` or `texts` are something else.
    FileNotFoundError
        If a browser part is not built, or there is no such place.
    FileExistsError
        If `path` is to be a folder, and is something else.
    PermissionError
        If nothing may be written there.
    """
    path = Path(path)
    check_place(path, folder=folder)
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
    examples = min(checked_examples(examples), getattr(root.lens, "n_examples", examples))
    texts = checked_texts(texts)
    travelling = chosen_neurons(root, neurons)
    pool = Pool()
    widgets = family(root)
    recorder = Recorder(pool, travelling, examples)
    for widget in widgets:
        widget._record(recorder)  # noqa: SLF001 -- of this family
    scoring, unscored = recorder.to_score.gathered(recorder.rows, examples, texts)
    if texts and scoring is None:
        why = unscored or "No view of it searches or scores words."
        raise ValueError(f"texts: the page can do nothing with words. {why}")
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
        "neurons": len(known_neurons(root)),
        "travelling": len(travelling),
        "examples": examples,
        "pictures": pool.pictures,
        "smaller": pool.smaller,
        "levels": LEVELS,
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
