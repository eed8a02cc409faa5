"""What was asked of many networks: ``python -m semlens_widgets.demo.experiments <name>``.

An experiment is a module of this package, named in `EXPERIMENTS`. It says in `TITLE` what it asks;
``run(folder, threads, device)`` trains and measures what the folder does not hold yet and writes
the tables, and ``summary(table)`` makes of a table of single measurements what is reported.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The modules that are experiments, in the order of their notebooks.
EXPERIMENTS: tuple[str, ...] = ("search", "architectures", "training", "lesions")
#: Where the tables lie that were measured.
RESULTS = Path(__file__).parent / "results"
_DIGITS = 4


class Experiment(Protocol):
    """What a module of this package has if it is an experiment."""

    TITLE: str

    def run(self, folder: Path, threads: int, device: str) -> None:
        """Compute what `folder` does not hold yet, and write the tables in `RESULTS`."""

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """Make of single measurements what is reported: means and their intervals."""


def experiment(name: str) -> Experiment:
    """Return the experiment of a name; it is one of `EXPERIMENTS`."""
    return cast("Experiment", import_module(f"{__name__}.{name}"))


def stored(name: str) -> pd.DataFrame:
    """Return a table as it was measured, by the name of its file."""
    return pd.read_csv(RESULTS / f"{name}.csv")


def store(tables: Mapping[str, pd.DataFrame], folder: Path = RESULTS) -> None:
    """Write tables, rounded, under their names."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        table.round(_DIGITS).to_csv(folder / f"{name}.csv", index=False)
