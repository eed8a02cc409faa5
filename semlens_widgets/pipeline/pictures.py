"""The images of an analysis: those of its data set, and those that were made as contrasts."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Protocol

from PIL import Image

from semlens_widgets.store.tables import Tables

if TYPE_CHECKING:
    from pathlib import Path

    from semlens_widgets.inputs.images import ImageDataset

#: The table of the images that were made.
PICTURES = "pictures"


class Names(Protocol):
    """The name of every image, by its number."""

    def __getitem__(self, sample: int, /) -> str: ...


class Readable(Protocol):
    """Images that can be read by their numbers."""

    @property
    def uris(self) -> Names:
        """The name of every image."""
        ...

    def __len__(self) -> int: ...
    def load(self, i: int, /) -> Image.Image:
        """Return an image in RGB."""
        ...


@dataclass(frozen=True)
class Pictures:
    """The images of a data set, and behind them those in the folder of an analysis.

    It can be sent to another process, which must be able to read the folder.
    """

    images: ImageDataset
    path: Path

    @property
    def uris(self) -> Names:
        """The name of every image."""
        return _Names(self.images)

    def __len__(self) -> int:
        return len(self.images)

    def load(self, i: int, /) -> Image.Image:
        """Return an image in RGB; see :meth:`semlens_widgets.ImageDataset.load`."""
        if i < len(self.images):
            return self.images.load(i)
        (stored,) = Tables(self.path).matching(PICTURES, {"sample": {i}}, ["picture"])["picture"]
        return Image.open(BytesIO(stored.as_py())).convert("RGB")


@dataclass(frozen=True)
class _Names:
    images: ImageDataset

    def __getitem__(self, sample: int, /) -> str:
        known = sample < len(self.images)
        return self.images.uris[sample] if known else f"contrast {sample - len(self.images)}"
