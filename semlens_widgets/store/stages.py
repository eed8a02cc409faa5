"""Which stage depends on which input, and which tables are its own.

One table says it for all: what is computed anew after a change follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Collection


@dataclass(frozen=True)
class Stage:
    """One step of an analysis.

    Attributes
    ----------
    name
        As recorded in the manifest; unfinished work lies in ``scratch/<name>-*``.
    result
        What it makes, for people.
    settings
        Settings that its own work depends on.
    after
        Stages whose results it reads.
    tables
        The tables that it alone writes.
    keyed
        Whether each row stands for itself, so that rows stay true while `settings` are the same,
        whatever becomes of the stages before.
    """

    name: str
    result: str
    settings: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    keyed: bool = False


_IMAGES = ("images", "uris", "pictures")
_TARGET = ("weights", "architecture", "layers", "channels", "units", "pooling", "transform")
_FOUNDATION = ("foundation", "foundation_dim", "foundation_autocast", "foundation_transform")

STAGES = (
    Stage(
        "collect",
        "activations",
        (*_IMAGES, *_TARGET, "autocast"),
        (),
        ("activations", "samples"),
    ),
    Stage("classes", "class labels", ("classes",), ("collect",)),
    Stage("embed", "image embeddings", (*_IMAGES, *_FOUNDATION), (), ("embeddings",)),
    Stage(
        "relevance",
        "relevance of neurons",
        (*_IMAGES, *_TARGET, "logits"),
        (),
        ("relevances", "predictions"),
    ),
    Stage(
        "examples",
        "concept examples",
        ("n_examples", "examples_by"),
        ("collect", "relevance"),
        ("neurons", "examples"),
    ),
    Stage(
        "heatmaps",
        "heatmaps",
        (*_IMAGES, *_TARGET, "composite", "attention", "crop_threshold"),
        (),
        ("heatmaps",),
        keyed=True,
    ),
    Stage(
        "crops",
        "embeddings of crops",
        ("embedding", *_FOUNDATION),
        ("examples", "heatmaps"),
        ("crops",),
    ),
    Stage(
        "contrasts",
        "contrastive examples",
        ("embedding",),
        ("embed", "examples", "crops"),
        ("contrasts",),
    ),
    Stage(
        "contrast_crops",
        "embeddings of contrastive crops",
        ("embedding", *_FOUNDATION),
        ("contrasts",),
        ("contrast_crops",),
    ),
    Stage("vectors", "semantic vectors", (), ("contrasts", "contrast_crops"), ("vectors",)),
    Stage("measures", "measures", (), ("vectors",), ("measures",)),
    Stage("thumbnails", "thumbnails", _IMAGES, ("contrasts",), ("thumbnails",), keyed=True),
    Stage("layout", "the map's layout", (), ("vectors",), ("layout",)),
    Stage(
        "output_relevance",
        "relevance for outputs",
        (*_IMAGES, *_TARGET, "logits"),
        (),
        ("output_relevance",),
        keyed=True,
    ),
    Stage(
        "labels",
        "neurons' labels, except those that people gave",
        ("weights", "architecture", "layers", "channels", "units", "pooling"),
        ("vectors",),
        ("labels",),
        keyed=True,
    ),
)
"""In the order in which they run."""


@dataclass(frozen=True)
class Stale:
    """What no longer holds after a change of settings.

    Attributes
    ----------
    stages
        To be done again.
    tables
        Their tables, less those whose rows are still true.
    """

    stages: tuple[Stage, ...]
    tables: tuple[str, ...]


def stale_after(changed: Collection[str], begun: Callable[[Stage], bool]) -> Stale:
    """Find what depends on settings that changed, directly or through another stage.

    Parameters
    ----------
    changed
        Names of settings.
    begun
        Whether a stage has results; nothing can have been made of those of another one.
    """
    found: list[Stage] = []
    for stage in filter(begun, STAGES):
        names = {earlier.name for earlier in found}
        if names & set(stage.after) or set(changed) & set(stage.settings):
            found.append(stage)
    tables = [
        table
        for stage in found
        if not stage.keyed or set(changed) & set(stage.settings)
        for table in stage.tables
    ]
    return Stale(tuple(found), tuple(tables))
