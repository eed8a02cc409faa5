"""One model at three steps, each a table of activations: what happens to whom is planted."""

from __future__ import annotations

import numpy as np

import semlens_widgets as slw
from tests.colour_world import TableFoundation, TableNet, numbered_images, to_tensor

IMAGES, NEURONS, EXAMPLES, DIM = 80, 16, 4, 6
MOVED, DEAD = 3, 5
TEXTS = np.random.default_rng(9).normal(size=(IMAGES, DIM))


def tables() -> list[np.ndarray]:
    """Activations ``(images, neurons)`` at each step.

    Neuron k fires for its own four images; at the second step `MOVED` fires for four others, and
    at the third `DEAD` for none.
    """
    first = np.zeros((IMAGES, NEURONS), np.float32)
    for neuron in range(NEURONS):
        first[own(neuron), neuron] = [4, 3, 2, 1]
    second = first.copy()
    second[:, MOVED] = 0
    second[own(NEURONS), MOVED] = [4, 3, 2, 1]
    third = second.copy()
    third[:, DEAD] = 0
    return [first, second, third]


def own(group: int) -> list[int]:
    """The four images of a group."""
    return list(range(group * EXAMPLES, (group + 1) * EXAMPLES))


def meaning(group: int) -> np.ndarray:
    """The semantic vector of who fires for a group: the mean of its images' unit embeddings."""
    rows = TEXTS[own(group)]
    mean = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).mean(axis=0)
    return mean / np.linalg.norm(mean)


def analysed(path, table: np.ndarray, **changes) -> slw.SemanticLens:
    """Return the finished analysis of a table."""
    images = changes.pop("images", IMAGES)
    foundation = changes.pop("foundation", None) or TableFoundation(TEXTS)
    target = changes.pop("target", None) or slw.TargetModel(
        TableNet(table), ["table"], transform=to_tensor, name="table"
    )
    dataset = slw.ImageDataset.from_list(
        numbered_images(images), [i % 2 for i in range(images)], ["even", "odd"]
    )
    options = {"n_examples": EXAMPLES} | changes
    return slw.SemanticLens(target, dataset, foundation, path=path, **options).run()


def steps(folder) -> dict[str, slw.SemanticLens]:
    """Return the analyses by the name of the step."""
    return {f"epoch {at}": analysed(folder / str(at), table) for at, table in enumerate(tables())}
