"""The images a model is looked at with: indexable, with or without class labels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from torch import Tensor

from semlens_widgets.decode import image_of, reason, to_rgb
from semlens_widgets.errors import UnreadableImage

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["EXTENSIONS", "ImageDataset"]

EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")

_LABEL_KEYS = ("label", "labels", "fine_label")


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
        A name for every image: its path relative to the folder, never an absolute one.
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
        self._given_classes = tuple(classes)
        self.uris = list(uris)

    @classmethod
    def from_folder(
        cls, path: str | Path, *, extensions: Sequence[str] = EXTENSIONS
    ) -> ImageDataset:
        """Take all images of a folder and its sub-folders, sorted by path.

        If the images lie in sub-folders, the first level names the classes; a folder that holds
        its images directly has none. Hidden files and folders are left out.

        Raises
        ------
        ValueError
            If the folder is missing, holds no image, or holds images both directly and in
            sub-folders.
        """
        root = Path(path)
        if not root.is_dir():
            state = "is a file, not a folder" if root.exists() else "does not exist"
            raise ValueError(f"path: the folder {str(path)!r} {state}.")
        if isinstance(extensions, str):
            raise TypeError(f"extensions must be a list: [{extensions!r}].")
        wanted = {f".{extension.lower().lstrip('.')}" for extension in extensions}
        files = _visible_files(root)
        found = [parts for parts in files if Path(parts[-1]).suffix.lower() in wanted]
        if not found:
            others = Counter(Path(parts[-1]).suffix.lower() or "no extension" for parts in files)
            holds = ", ".join(f"{n} × {suffix}" for suffix, n in others.most_common(4))
            raise ValueError(
                f"path: no image in the folder {str(path)!r} (it holds {holds or 'no file'}); "
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
        return cls(items, ["/".join(parts) for parts in found], lambda: labels, classes)

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
            Paths, ``PIL.Image``, arrays (height, width[, 3]) uint8, or tensors (3, height, width),
            uint8 or float in [0, 1].
        labels
            Class indices, -1 where unknown, or class names.
        classes
            Names of the classes, if `labels` are indices.

        Raises
        ------
        ValueError
            If there are no images, or the labels do not fit the images or the classes.
        """
        items = [Path(item) if isinstance(item, (str, Path)) else item for item in images]
        if not items:
            raise ValueError("images is empty; give at least one image or path.")
        for i, item in enumerate(items):
            if not isinstance(item, (Path, Image.Image, np.ndarray, Tensor)):
                raise TypeError(
                    f"images[{i}] is of type {type(item).__name__}; give paths, PIL images, "
                    "arrays or tensors."
                )
        checked, names = _checked_labels(labels, classes, len(items))
        return cls(items, _list_uris(items), lambda: checked, names)

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
            is a ``PIL.Image``, or a tensor (3, height, width), uint8 or float in [0, 1]: leave
            normalisation to the models' transforms.
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
        names = tuple(classes) if classes is not None else _dataset_classes(dataset)
        if labels is None:
            labels = _dataset_labels(dataset)
        if labels is not None or first is None or _label_of(first) is None:
            checked, names = _checked_labels(labels, names or None, len(dataset))
            return cls(dataset, _dataset_uris(dataset), lambda: checked, names)
        return cls(
            dataset,
            _dataset_uris(dataset),
            lambda: _read_labels(dataset),
            names,
            labels_at_hand=False,
        )

    def __len__(self) -> int:
        return len(self.uris)

    def __repr__(self) -> str:
        classes = f", {len(self._given_classes)} classes" if self._given_classes else ""
        return f"ImageDataset({len(self)} images{classes})"

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
        IndexError
            If there is no image `i`.
        """
        if not 0 <= i < len(self):
            raise IndexError(f"i={i} is outside the {len(self)} images.")
        try:
            return to_rgb(image_of(self._items[i]))
        except Exception as error:
            raise UnreadableImage(f"{self.uris[i]!r}: {reason(error)}.") from error


def _visible_files(root: Path) -> list[tuple[str, ...]]:
    """Return the parts of every file's path below `root`, sorted."""
    found = []
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        parts = Path(folder).relative_to(root).parts
        found += [(*parts, name) for name in files if not name.startswith(".")]
    return sorted(found)


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


def _dataset_classes(dataset: Any) -> tuple[str, ...]:
    inner = getattr(dataset, "dataset", None) if hasattr(dataset, "indices") else None
    if inner is not None:  # torch.utils.data.Subset
        return _dataset_classes(inner)
    classes = getattr(dataset, "classes", None)
    if isinstance(classes, (list, tuple)):
        return tuple(str(name) for name in classes)
    features = getattr(dataset, "features", None)
    if isinstance(features, Mapping):
        for key in _LABEL_KEYS:
            names = getattr(features.get(key), "names", None)
            if names:
                return tuple(names)
    return ()


def _dataset_labels(dataset: Any) -> list[int] | None:
    """Return the labels that a data set knows without reading images."""
    if hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        inner = _dataset_labels(dataset.dataset)
        return None if inner is None else [inner[int(i)] for i in dataset.indices]
    for name in ("targets", "_labels", "labels"):
        values = getattr(dataset, name, None)
        if isinstance(values, (list, tuple, np.ndarray, Tensor)) and len(values) == len(dataset):
            return _integers(values)
    columns = getattr(dataset, "column_names", None)
    if isinstance(columns, (list, tuple)):
        for key in _LABEL_KEYS:
            if key in columns:
                return _integers(dataset[key])
    return None


def _integers(values: Any) -> list[int] | None:
    try:
        return [int(value) for value in values]
    except (TypeError, ValueError):
        return None


def _label_of(item: Any) -> int | None:
    value: Any = None
    if isinstance(item, Mapping):
        value = next((item[key] for key in _LABEL_KEYS if key in item), None)
    elif isinstance(item, (tuple, list)) and len(item) > 1:
        value = item[1]
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None


def _read_labels(dataset: Any) -> list[int]:
    """Read every item for its label; -1 for damaged ones."""
    labels = []
    for i in range(len(dataset)):
        try:
            label = _label_of(dataset[i])
        except Exception:  # noqa: BLE001 - a damaged image has no known label
            label = None
        labels.append(-1 if label is None else label)
    return labels


def _checked_labels(
    labels: Sequence[int] | Sequence[str] | None, classes: Sequence[str] | None, count: int
) -> tuple[list[int] | None, tuple[str, ...]]:
    if labels is None:
        return None, ()
    if len(labels) != count:
        raise ValueError(f"labels has {len(labels)} entries for {count} images.")
    if all(isinstance(label, str) for label in labels):
        names = tuple(classes) if classes is not None else tuple(sorted(set(map(str, labels))))
        unknown = set(labels) - set(names)
        if unknown:
            raise ValueError(f"labels holds {min(map(str, unknown))!r}, not in classes.")
        return [names.index(str(label)) for label in labels], names
    numbers = [int(label) for label in labels]
    names = tuple(classes) if classes is not None else tuple(map(str, range(max(numbers) + 1)))
    outside = [number for number in numbers if not -1 <= number < len(names)]
    if outside:
        raise ValueError(
            f"labels holds {outside[0]}, outside the {len(names)} classes (-1 means unknown)."
        )
    return numbers, names
