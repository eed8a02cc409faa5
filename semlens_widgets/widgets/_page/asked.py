"""What a page is asked to hold, and where: looked at before anything is recorded."""

from __future__ import annotations

import os
from numbers import Integral
from typing import TYPE_CHECKING, Any

from semlens_widgets.errors import holds_half
from semlens_widgets.inputs.poles import neuron_number
from semlens_widgets.widgets._base import poles_of
from semlens_widgets.widgets._columns import neurons_of
from semlens_widgets.widgets._page.document import is_page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from semlens_widgets.widgets._base import LensWidget

    #: Those that travel with all that is shown of them; all by default.
    Neurons = pd.DataFrame | Iterable[tuple[str, int | str]] | None


def check_place(path: Path, *, folder: bool) -> None:
    """Refuse a place where no page can be written.

    Raises
    ------
    FileNotFoundError
        If the folder around it is missing.
    FileExistsError
        If something else is there.
    PermissionError
        If nothing may be written there.
    """
    around = path.parent
    if not around.is_dir():
        raise FileNotFoundError(f"There is no folder {str(around)!r} to write the page to.")
    if not folder and path.is_dir():
        raise FileExistsError(
            f"{path.name!r} is a folder. Give a file, such as 'page.html', or folder=True."
        )
    if folder and path.exists() and not is_page(path):
        raise FileExistsError(f"{path.name!r} exists, and is no page. Choose a new folder.")
    if not os.access(around, os.W_OK | os.X_OK):
        raise PermissionError(f"Nothing may be written to {str(around)!r}. Choose another folder.")


def checked_examples(examples: Any) -> int:
    """Return how many examples of each neuron travel.

    Raises
    ------
    ValueError
        If it is no whole number of 1 or more.
    """
    if isinstance(examples, bool) or not isinstance(examples, Integral) or examples < 1:
        raise ValueError(f"examples must be a whole number of 1 or more, got {examples!r}.")
    return int(examples)


def checked_texts(texts: Any) -> list[str]:
    """Return the words that are to travel.

    Raises
    ------
    TypeError
        If they are no list of texts.
    ValueError
        If one is no text that a file can hold.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts must be a list: [{texts!r}].")
    try:
        found = list(texts)
    except TypeError:
        raise TypeError(f"texts must be a list of words, got {texts!r}.") from None
    for one in found:
        if not isinstance(one, str):
            raise TypeError(f"texts: {one!r} is no text.")
        if holds_half(one):
            raise ValueError(f"texts: {one!r} holds half a character, such as of an emoji.")
    return [str(one) for one in found]


def known_neurons(root: LensWidget) -> list[tuple[str, int]]:
    """Return the neurons that a view may show, each once."""
    return list(dict.fromkeys(neurons_of(root.lens.neurons)))


def chosen_neurons(root: LensWidget, neurons: Neurons) -> list[tuple[str, int]]:
    """Return the neurons that travel, in the order of the table.

    Raises
    ------
    TypeError
        If these are no neurons.
    ValueError
        If one of those given is not known, or if there are none.
    """
    known = known_neurons(root)
    if neurons is None:
        reached = root._reached()  # noqa: SLF001 -- of this family
        wanted = set(known if reached is None else reached)
    else:
        poles = poles_of(root.lens)
        wanted = {_neuron(one, poles) for one in _pairs(neurons)}
    if not wanted:
        raise ValueError("neurons: there are none. Give at least one, or leave it out.")
    if unknown := sorted(wanted - set(known)):
        layer, neuron = unknown[0]
        raise ValueError(f"neurons: there is no neuron {neuron} in layer {layer!r}.")
    return [one for one in known if one in wanted]


def _pairs(neurons: Any) -> Sequence[Any]:
    if hasattr(neurons, "columns"):
        if missing := [name for name in ("layer", "neuron") if name not in neurons]:
            raise ValueError(
                f"neurons has no column {missing[0]!r}. Give rows of lens.neurons, or (layer, "
                "neuron) pairs."
            )
        return list(zip(neurons["layer"], neurons["neuron"], strict=True))
    if isinstance(neurons, str) or not hasattr(neurons, "__iter__"):
        raise TypeError(f"neurons must be a list of (layer, neuron) pairs, got {neurons!r}.")
    return list(neurons)


def _neuron(given: Any, poles: Mapping[str, int]) -> tuple[str, int]:
    """Return a neuron by its layer and its number there; it may be called as people call it."""
    wrong = TypeError(
        f"neurons: {given!r} is no neuron. Give (layer, neuron) pairs, such as ('layer4', 17), or "
        "rows of lens.neurons."
    )
    if isinstance(given, str) or not hasattr(given, "__len__") or len(given) != 2:
        raise wrong
    layer, neuron = given
    if isinstance(neuron, str):
        neuron = neuron_number(neuron, poles.get(str(layer)))
    if isinstance(neuron, bool) or not (isinstance(layer, str) and isinstance(neuron, Integral)):
        raise wrong
    return str(layer), int(neuron)
