"""The generators of contrastive examples by name. To add one, write its file and name it here."""

from __future__ import annotations

from semlens_widgets.labels.contrasts.generator import ContrastGenerator
from semlens_widgets.labels.contrasts.nearest import Nearest
from semlens_widgets.labels.contrasts.perturb import Perturb

#: Those that need no argument; another one is given itself.
GENERATORS: dict[str, type[ContrastGenerator]] = {kind.name: kind for kind in (Nearest, Perturb)}


def generator_of(given: object) -> ContrastGenerator:
    """Return a generator, given itself or by its name.

    Raises
    ------
    ValueError
        If there is none of this name.
    TypeError
        If it is something else.
    """
    if isinstance(given, ContrastGenerator):
        return given
    if not isinstance(given, str):
        raise TypeError(
            f"contrasts: expected a name or a ContrastGenerator, got {type(given).__name__}."
        )
    if given not in GENERATORS:
        raise ValueError(
            f"contrasts: unknown {given!r}; choose one of {', '.join(map(repr, GENERATORS))}."
        )
    return GENERATORS[given]()
