"""A study as one page that needs no network and no kernel, and its key, which raters never get."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semlens_widgets.analysis.intruders import CATCH

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from semlens_widgets.analysis.intruders import Task

_HERE = Path(__file__).parent
_SECONDS = 8  # about what a person takes for a task
_FORMAT = "semlens study 1"


class AskedTask(NamedTuple):
    """What the key says of a task: its neuron ("" and -1: a catch trial), and the right choice.

    Choices count from 1, as raters see them.
    """

    layer: str
    neuron: int
    right: int


class Key(NamedTuple):
    """The right answers of a study.

    Attributes
    ----------
    study
        Its number, which answers name.
    choices
        How many pictures a task shows.
    tasks
        In the order in which answers number them.
    made_with
        The settings of the analysis that it was made of.
    """

    study: str
    choices: int
    tasks: tuple[AskedTask, ...]
    made_with: Mapping[str, Any]


def key_of(tasks: Sequence[Task], neurons: pd.DataFrame, made_with: Mapping[str, Any]) -> Key:
    """Return the key of tasks."""
    layers, numbers = neurons["layer"].tolist(), neurons["neuron"].tolist()
    asked = [
        AskedTask("", -1, task.odd + 1)
        if task.row == CATCH
        else AskedTask(layers[task.row], numbers[task.row], task.odd + 1)
        for task in tasks
    ]
    whole = json.dumps([[*one, *task.samples] for one, task in zip(asked, tasks, strict=True)])
    number = hashlib.sha256(f"{whole}{json.dumps(made_with)}".encode()).hexdigest()[:12]
    return Key(number, len(tasks[0].samples), tuple(asked), made_with)


def write_key(path: Path, key: Key) -> None:
    """Write a key as JSON."""
    path.write_text(json.dumps({"format": _FORMAT, **key._asdict()}, indent=1), encoding="utf-8")


def read_key(path: str | Path) -> Key:
    """Read a key.

    Raises
    ------
    ValueError
        If the file is none.
    """
    try:
        held = json.loads(Path(path).read_text(encoding="utf-8"))
        if held["format"] != _FORMAT:
            raise ValueError(held["format"])
        tasks = tuple(
            AskedTask(str(layer), int(neuron), int(right)) for layer, neuron, right in held["tasks"]
        )
        key = Key(str(held["study"]), int(held["choices"]), tasks, dict(held["made_with"]))
    except (UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path}: not the key of a study; give the .key.json that study() wrote "
            f"({type(error).__name__}: {error})."
        ) from None
    if not all(1 <= one.right <= key.choices for one in tasks):
        raise ValueError(f"{path}: a right choice is outside 1 to {key.choices}.")
    return key


def page(study: str, tasks: Sequence[Task], picture: Callable[[int], bytes], seed: int) -> str:
    """Return the page: the tasks' pictures by number, and nothing of what is right.

    Parameters
    ----------
    study
        Its number.
    tasks
        The tasks.
    picture
        Gives the small JPEG of an image.
    seed
        Puts the pictures into an order that tells nothing.
    """
    samples = np.random.default_rng(seed).permutation(
        sorted({sample for task in tasks for sample in task.samples})
    )
    place = {sample: at for at, sample in enumerate(samples.tolist())}
    data = {
        "study": study,
        "choices": len(tasks[0].samples),
        "tasks": [[place[sample] for sample in task.samples] for task in tasks],
        "pictures": [base64.b64encode(picture(sample)).decode() for sample in place],
    }
    script = (_HERE / "study.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    minutes = max(1, round(len(tasks) * _SECONDS / 60))
    return Template((_HERE / "study.html").read_text(encoding="utf-8")).substitute(
        hash=f"sha256-{digest}",
        style=(_HERE / "study.css").read_text(encoding="utf-8"),
        script=script,
        data=json.dumps(data),  # numbers and base64 alone
        choices=data["choices"],
        tasks=len(tasks),
        minutes="1 minute" if minutes == 1 else f"{minutes} minutes",
    )
