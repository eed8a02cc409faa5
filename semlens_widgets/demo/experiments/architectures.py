"""Are the neurons of wide, deep and other networks clearer? Many, trained alike, are measured.

Every network is measured untrained, at the first look at which it is right often enough (all are
compared at the same accuracy) and after the same number of steps (the same budget).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from semlens_widgets.demo.experiments import store
from semlens_widgets.demo.experiments.networks import ARCHITECTURES
from semlens_widgets.demo.experiments.summaries import differences, means, slopes
from semlens_widgets.demo.experiments.trained import Setting, networks

if TYPE_CHECKING:
    from pathlib import Path

TITLE = "Are the neurons of wide, deep and other networks clearer?"
SEEDS = range(1, 6)
SETTINGS = {name: Setting(architecture=name) for name in ARCHITECTURES}
BASELINE = "residual"
#: How wide and how deep, compared with the baseline.
WIDTHS = {"a half as wide": 0.5, BASELINE: 1, "twice as wide": 2, "three times as wide": 3}
DEPTHS = {BASELINE: 1, "twice as deep": 2, "three times as deep": 3}


def run(folder: Path, threads: int, device: str) -> None:
    """Train and measure what `folder` does not hold yet, and write the tables."""
    table = networks(SETTINGS, SEEDS, folder, threads, device)
    store(
        {
            "architectures-networks": table,
            "architectures": summary(table),
            "architectures-differences": differences(table, BASELINE),
            "architectures-slopes": rises(table),
        }
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds; see :func:`~semlens_widgets.demo.experiments.summaries.means`."""
    return means(table)


def rises(table: pd.DataFrame) -> pd.DataFrame:
    """Tell what doubling the width or the depth does, and what of it is not something else's.

    Returns
    -------
    pandas.DataFrame
        of ("width", "depth"), and what
        :func:`~semlens_widgets.demo.experiments.summaries.slopes` tells: of the size alone, and
        with the accuracy, the share of dead neurons, or both taken out.
    """
    told = [
        slopes(table, sizes, beside).assign(of=of)
        for of, sizes in (("width", WIDTHS), ("depth", DEPTHS))
        for beside in ((), ("accuracy",), ("dead",), ("accuracy", "dead"))
    ]
    found = pd.concat(told, ignore_index=True)
    return found[["of", *found.columns.drop("of")]]
