"""The class labels of a data set, given or found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

_LABEL_KEYS = ("label", "labels", "fine_label")


def classes_of(dataset: Any) -> tuple[str, ...]:
    """Return the names of the classes that a data set knows; none if it knows none."""
    inner = getattr(dataset, "dataset", None) if hasattr(dataset, "indices") else None
    if inner is not None:  # torch.utils.data.Subset
        return classes_of(inner)
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


def labels_of(dataset: Any) -> list[int] | None:
    """Return the labels that a data set knows without reading images."""
    if hasattr(dataset, "indices") and hasattr(dataset, "dataset"):
        inner = labels_of(dataset.dataset)
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


def label_of(item: Any) -> int | None:
    """Return the label of an item of a data set, None if it has none."""
    value: Any = None
    if isinstance(item, Mapping):
        value = next((item[key] for key in _LABEL_KEYS if key in item), None)
    elif isinstance(item, (tuple, list)) and len(item) > 1:
        value = item[1]
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        return None


def read_labels(dataset: Any) -> list[int]:
    """Read every item for its label; -1 for damaged ones."""
    labels = []
    for i in range(len(dataset)):
        try:
            label = label_of(dataset[i])
        except Exception:  # noqa: BLE001 - a damaged image has no known label
            label = None
        labels.append(-1 if label is None else label)
    return labels


def checked_labels(
    labels: Sequence[int] | Sequence[str] | None, classes: Sequence[str] | None, count: int
) -> tuple[list[int] | None, tuple[str, ...]]:
    """Return labels as class indices, with the names of the classes; see `ImageDataset`."""
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
