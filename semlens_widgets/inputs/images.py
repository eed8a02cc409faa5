"""The images a model is looked at with: indexable, with or without class labels."""

from __future__ import annotations

import os
import re
import threading
import warnings
from collections import Counter
from contextlib import nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from torch import Tensor

from semlens_widgets.errors import UnreadableImage
from semlens_widgets.inputs.classes import (
    checked_labels,
    classes_of,
    label_of,
    labels_of,
    read_labels,
)
from semlens_widgets.inputs.decode import image_of, is_of_the_machine, reason, to_rgb
from semlens_widgets.inputs.paths import files_below, local_path, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["EXTENSIONS", "ImageDataset"]

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")

_PICTURES = re.compile(
    r"\.(apng|avif|dcm|dds|dib|dng|heic|heif|icns|ico|j2k|jfif|jp2|jpe|jxl|nef|npy|pbm|pcx|pgm|pnm|"
    r"psd|qoi|svg|tga)"
)
"""Left out unless asked for, but likely meant."""

# The module's lock stays behind when a data set is sent to another process.
_ONE_AT_A_TIME = threading.Lock()


class ImageDataset:
    """Images by index, each with an optional class label and a name.

    Made by `from_folder`, `from_dataset` or `from_list`. Nothing is decoded before `load`.

    Attributes
    ----------
    labels : list of int or None
        Class of every image, -1 where unknown; None if there are no classes.
    classes : tuple of str
        Names of the classes; empty if there are none.
    labels_at_hand : bool
        Whether the labels are known without reading every item.
    uris : list of str
        A name for every image: its path relative to the folder, never an absolute one. What is no
        UTF-8 in a file's name, or would break a line, is written as an escape.
    """

    def __init__(
        self,
        items: Sequence[Any],
        uris: Sequence[str],
        labels: Callable[[], list[int] | None],
        classes: Sequence[str],
        *,
        labels_at_hand: bool = True,
    ) -> None:
        self._items = items
        self.labels_at_hand = labels_at_hand
        self._labels = labels
        self._given_classes = tuple(shown(str(name)) for name in classes)
        self.uris = [shown(uri) for uri in uris]
        self._left_out: Counter[str] = Counter()

    @classmethod
    def from_folder(
        cls, path: str | Path, *, extensions: Sequence[str] = EXTENSIONS
    ) -> ImageDataset:
        """Take all images of a folder and its sub-folders, sorted by path.

        If the images lie in sub-folders, the first level names the classes; a folder that holds
        its images directly has none. Hidden files and folders are left out, and so are files with
        other extensions: they are counted in the ``repr``, and a warning names those that look like
        pictures. Each real folder counts once, whatever links lead to it.

        Raises
        ------
        ValueError
            If the folder is missing, holds no image, or holds images both directly and in
            sub-folders.
        """
        root = local_path(path, "path")
        if not root.is_dir():
            state = "is a file, not a folder" if root.exists() else "does not exist"
            raise ValueError(f"path: the folder {str(path)!r} {state}.")
        wanted = _wanted(extensions)
        files = files_below(root)
        found = [parts for parts in files if _extension(parts) in wanted]
        left_out = Counter(map(_extension, files))
        for extension in wanted:
            del left_out[extension]
        if not found:
            raise ValueError(
                f"path: no image in the folder {str(path)!r} (it holds "
                f"{_counted(left_out) or 'no file'}); "
                f"looked for {', '.join(sorted(wanted))}."
            )
        direct = sum(len(parts) == 1 for parts in found)
        if 0 < direct < len(found):
            raise ValueError(
                f"path: the folder {str(path)!r} holds {direct} images directly and "
                f"{len(found) - direct} in sub-folders, so the classes are unclear. Put every "
                "image into a class folder, or use ImageDataset.from_list(paths)."
            )
        classes = () if direct else tuple(sorted({parts[0] for parts in found}))
        index = {name: i for i, name in enumerate(classes)}
        labels = [index[parts[0]] for parts in found] if classes else None
        items = [root.joinpath(*parts) for parts in found]
        images = cls(items, ["/".join(parts) for parts in found], partial(_given, labels), classes)
        images._left_out = left_out
        pictures = Counter({name: n for name, n in left_out.items() if _PICTURES.fullmatch(name)})
        if pictures:
            warnings.warn(
                f"The folder {root.name!r} also holds pictures that are left out: "
                f"{_counted(pictures)}. Take them in by from_folder(..., extensions=[...]), or "
                "convert those that Pillow cannot open.",
                stacklevel=2,
            )
        return images

    @classmethod
    def from_list(
        cls,
        images: Sequence[Any],
        labels: Sequence[int] | Sequence[str] | None = None,
        classes: Sequence[str] | None = None,
    ) -> ImageDataset:
        """Take PIL images, paths, arrays or tensors.

        Parameters
        ----------
        images
            Paths, ``PIL.Image``, arrays (height, width[, channels]) or tensors ([channels,] height,
            width) with 1, 3 or 4 channels (the fourth is opacity). Values are scaled by their type:
            uint8, uint16, bool, or floats in [0, 1]; other types are refused. An array whose last
            axis is no such number of channels may have them first.
        labels
            Class indices, -1 where unknown, or class names.
        classes
            Names of the classes, if `labels` are indices.

        Raises
        ------
        ValueError
            If there are no images, or the labels do not fit the images or the classes.
        TypeError
            If `images` is one path, or an item is none of these.
        """
        if isinstance(images, (str, bytes, os.PathLike)):
            raise TypeError(
                f"images must be a list: [{os.fsdecode(images)!r}]; ImageDataset.from_folder takes "
                "a folder."
            )
        items = [
            local_path(item, f"images[{i}]")
            if isinstance(item, (str, bytes, os.PathLike))
            else item
            for i, item in enumerate(images)
        ]
        if not items:
            raise ValueError("images is empty; give at least one image or path.")
        for i, item in enumerate(items):
            if not isinstance(item, (Path, Image.Image, np.ndarray, Tensor)):
                raise TypeError(
                    f"images[{i}] is of type {type(item).__name__}; give paths, PIL images, "
                    "arrays or tensors."
                )
        if isinstance(items[0], (np.ndarray, Tensor)):
            try:
                image_of(items[0])
            except ValueError as error:
                raise ValueError(f"images[0]: {error}.") from error
        checked, names = checked_labels(labels, classes, len(items))
        return cls(items, _list_uris(items), partial(_given, checked), names)

    @classmethod
    def from_dataset(
        cls,
        dataset: Any,
        *,
        labels: Sequence[int] | None = None,
        classes: Sequence[str] | None = None,
    ) -> ImageDataset:
        """Take a torchvision or Hugging Face data set, or any sequence of the same form.

        Parameters
        ----------
        dataset
            Items are ``(image, label)``, ``{"image": ..., "label": ...}`` or bare images; an image
            is a ``PIL.Image``, an array or a tensor, as in `from_list`: leave normalisation to the
            models' transforms.
        labels, classes
            Where the data set does not tell. By default they come from ``targets``, a label column
            or the attribute ``classes``; failing that, every item is read once when labels are
            first asked for.

        Raises
        ------
        ValueError
            If the data set is empty, or its first item holds no usable image.
        TypeError
            If it has no length or cannot be indexed.
        """
        if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
            raise TypeError(
                f"dataset ({type(dataset).__name__}) must have a length and be indexable; turn an "
                "iterable one into a list first."
            )
        if not len(dataset):
            raise ValueError("dataset is empty.")
        first = _first_item(dataset)
        names = tuple(classes) if classes is not None else classes_of(dataset)
        if labels is None:
            labels = labels_of(dataset)
        if labels is not None or first is None or label_of(first) is None:
            checked, names = checked_labels(labels, names or None, len(dataset))
            return cls(dataset, _dataset_uris(dataset), partial(_given, checked), names)
        return cls(
            dataset,
            _dataset_uris(dataset),
            partial(read_labels, dataset),
            names,
            labels_at_hand=False,
        )

    def __len__(self) -> int:
        return len(self.uris)

    def __repr__(self) -> str:
        classes = f", {len(self._given_classes)} classes" if self._given_classes else ""
        left_out = f"; left out {_counted(self._left_out)}" if self._left_out else ""
        return f"ImageDataset({len(self)} images{classes}{left_out})"

    @cached_property
    def labels(self) -> list[int] | None:
        """Class of every image, -1 where unknown; None if there are no classes."""
        return self._labels()

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; empty if there are none."""
        if self._given_classes or self.labels is None:
            return self._given_classes
        return tuple(str(i) for i in range(max(self.labels) + 1))

    def load(self, i: int) -> Image.Image:
        """Return image `i` upright and in RGB; transparency is laid on white.

        Raises
        ------
        UnreadableImage
            If it cannot be decoded.
        MemoryError, OSError
            If memory or open files ran out, which says nothing of the image.
        IndexError
            If there is no image `i`.
        TypeError
            If `i` is no number.
        """
        if not hasattr(i, "__index__"):
            raise TypeError(f"i={i!r} must be the number of an image.")
        if not 0 <= i < len(self):
            raise IndexError(f"i={i} is outside the {len(self)} images.")
        # Files are opened anew each time; what a data set of another kind does, nobody knows.
        of_files = isinstance(self._items, list) and isinstance(self._items[i], Path)
        try:
            with nullcontext() if of_files else _ONE_AT_A_TIME:
                return to_rgb(image_of(self._items[i]), in_place=of_files)
        except Exception as error:
            if is_of_the_machine(error):
                error.add_note(f"while reading {self.uris[i]!r}")
                raise
            unreadable = UnreadableImage(f"{self.uris[i]!r}: {reason(error)}.")
            unreadable.samples = (i,)
            raise unreadable from error


def _given(labels: list[int] | None) -> list[int] | None:
    """Return labels that are known; by name, so that a data set can be pickled."""
    return labels


def _wanted(extensions: Sequence[str]) -> set[str]:
    """Return extensions in lower case with their dot; they may be given as ``"*.jpg"``, too."""
    if isinstance(extensions, str):
        raise TypeError(f"extensions must be a list: [{extensions!r}].")
    given = list(extensions or ())
    bare = [one.lower().lstrip("*.") if isinstance(one, str) else "" for one in given]
    if not all(bare) or not bare:
        raise ValueError(
            f"extensions={extensions!r} must name the extensions of files, such as "
            f"{list(EXTENSIONS[:3])}."
        )
    return {f".{one}" for one in bare}


def _extension(parts: tuple[str, ...]) -> str:
    return shown(Path(parts[-1]).suffix.lower()) or "no extension"


def _counted(kinds: Counter[str]) -> str:
    named = [f"{n} × {kind}" for kind, n in kinds.most_common(4)]
    others = len(kinds) - len(named)
    return ", ".join(named) + (f" and {others} other kinds" if others else "")


def _list_uris(items: Sequence[Any]) -> list[str]:
    paths = [item.absolute() for item in items if isinstance(item, Path)]
    try:
        root = os.path.commonpath([path.parent for path in paths]) if paths else ""
    except ValueError:  # different drives
        root = ""
    names = []
    for i, item in enumerate(items):
        if isinstance(item, Path):
            path = item.absolute()
            names.append(path.relative_to(root).as_posix() if root else path.name)
        else:
            names.append(f"image-{i:06d}")
    return names


def _dataset_uris(dataset: Any) -> list[str]:
    samples = getattr(dataset, "samples", None)  # torchvision's folders: (path, class)
    if isinstance(samples, list) and len(samples) == len(dataset):
        try:
            return _list_uris([Path(path) for path, _ in samples])
        except (TypeError, ValueError):
            pass  # samples of another kind
    return [f"item-{i:06d}" for i in range(len(dataset))]


def _first_item(dataset: Any) -> Any:
    """Return the first item once its image has been found usable, None if it is damaged."""
    try:
        item = dataset[0]
    except Exception:  # noqa: BLE001 - one damaged file must not forbid the others
        return None
    try:
        image_of(item)
    except (TypeError, ValueError) as error:
        raise ValueError(f"dataset: {error}.") from error
    return item
