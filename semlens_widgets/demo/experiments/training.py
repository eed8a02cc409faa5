"""What do choices of a training do to neurons? Each is made alone, and compared by seed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from semlens_widgets.demo.experiments import store
from semlens_widgets.demo.experiments.summaries import differences, means
from semlens_widgets.demo.experiments.trained import Setting, networks

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

TITLE = "What do choices of a training do to neurons?"
SEEDS = range(1, 6)
BASELINE = "as the others"
#: One choice differs from the baseline in each.
SETTINGS: dict[str, Setting] = {
    BASELINE: Setting(),
    "no weight decay": Setting(weight_decay=0.0),
    "weight decay, ten times": Setting(weight_decay=0.5),
    "dropout, 20 %": Setting(dropout=0.2),
    "L1, weight 0.1": Setting(sparsity=0.1),
    "L1, weight 1": Setting(sparsity=1.0),
    "3 classes": Setting(kinds="texture"),
    "4 classes": Setting(kinds="shape"),
    "96 classes": Setting(kinds="colour texture shape"),
    "augmentation": Setting(augmented=True),
    "adversarial training": Setting(adversarial=True),
    "a third as long": Setting(steps=100),
    "three times as long": Setting(steps=900),
}


def run(folder: Path, threads: int, device: str) -> None:
    """Train and measure what `folder` does not hold yet, and write the tables."""
    table = networks(SETTINGS, SEEDS, folder, threads, device)
    store(
        {
            "training-networks": table,
            "training": summary(table),
            "training-differences": differences(table, BASELINE),
        }
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds; see :func:`~semlens_widgets.demo.experiments.summaries.means`."""
    return means(table)
