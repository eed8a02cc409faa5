"""What a change of a model does to what it says, beside what chance would do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

BEFORE, AFTER, CONTROLS = 0, 1, 2  # variants: the model as it is, changed, and random controls
#: Of every figure: as it is, changed, and the random controls with what 95 % of them lie in.
COLUMNS = ("before", "after", "control", "low", "high")
_TAILS = (0.025, 0.975)


@dataclass(frozen=True, eq=False)
class Effects:
    """What variants of a model say of images whose class is known.

    Attributes
    ----------
    logits
        ``(variants, images, outputs)``: of the model as it is, of the changed one, and of random
        controls of the same size.
    truth
        ``(images,)``, the output that is right.
    names
        What the outputs are called.
    groups
        ``(images,)`` bool each: the images that are looked at by themselves.
    samples
        ``(images,)`` int64, their numbers.
    total
        Of how many images these are, where not all were looked at.
    """

    logits: NDArray[np.float32]
    truth: NDArray[np.int64]
    names: tuple[str, ...]
    groups: Mapping[str, NDArray[np.bool_]]
    samples: NDArray[np.int64]
    total: int

    @property
    def said(self) -> NDArray[np.int64]:
        """``(variants, images)``, the largest output; the first of equals."""
        said: NDArray[np.int64] = self.logits.argmax(axis=2)
        return said

    @property
    def _concerned(self) -> NDArray[np.int64]:
        """The outputs that an image is of, or is said to be of."""
        return np.union1d(self.truth, self.said)

    @property
    def accuracy(self) -> pd.DataFrame:
        """Accuracy of all images, of each group, and of the worst class or class in a group.

        Columns: group, images, before, after, control with low and high, in which 95 % of the
        random controls lie. In the last row, ``"worst"``, each figure is that of the class (in a
        group, if there are groups) that fares worst in this variant; images are of the smallest.
        """
        right = self.said == self.truth
        every = np.ones(len(self.truth), bool)
        frame = [
            (name, int(mask.sum()), *_beside(right[:, mask].mean(axis=1)))
            for name, mask in {"all": every, **self.groups}.items()
        ]
        parts = [
            mask & (self.truth == one)
            for mask in (self.groups or {"all": every}).values()
            for one in np.unique(self.truth)
        ]
        parts = [part for part in parts if part.any()]
        shares = np.stack([right[:, part].mean(axis=1) for part in parts])
        fewest = min(int(part.sum()) for part in parts)
        frame.append(("worst", fewest, *_beside(shares.min(axis=0))))
        return pd.DataFrame(frame, columns=["group", "images", *COLUMNS])

    @property
    def classes(self) -> pd.DataFrame:
        """What becomes of each class that an image is of, or is said to be of in some variant.

        Columns: class, images; recall and false (of the images of other classes, how many are said
        to be of this one), each before, after, and of the controls with low and high, NaN where
        there are no such images; logit, by how much the class's mean logit changes over all images.
        """
        said, rows = self.said, []
        shift = (self.logits[AFTER] - self.logits[BEFORE]).mean(axis=0)
        for one in self._concerned:
            own = self.truth == one
            hits = said == one
            figures = (
                *_beside(_mean(hits[:, own])),
                *_beside(_mean(hits[:, ~own])),
                float(shift[one]),
            )
            rows.append((self.names[one], int(own.sum()), *figures))
        columns = [f"{kind}_{column}" for kind in ("recall", "false") for column in COLUMNS]
        return pd.DataFrame(rows, columns=["class", "images", *columns, "logit"])

    def of(self, output: int) -> tuple[float, ...]:
        """Return accuracy, recall and false targets of a class, each after, control, low, high."""
        said, own = self.said, self.truth == output
        right = said == self.truth
        kinds = (right, (said == output)[:, own], (said == output)[:, ~own])
        return tuple(figure for kind in kinds for figure in _beside(_mean(kind))[AFTER:])

    @property
    def changed(self) -> int:
        """On how many images the answer changes."""
        before, after = self.said[[BEFORE, AFTER]]
        return int((before != after).sum())

    @property
    def most_moved(self) -> int:
        """The class whose recall and false targets change most; the first of equals."""
        said = self.said[[BEFORE, AFTER]]
        moved = np.zeros(len(self.names))
        for one in self._concerned:
            own, hits = self.truth == one, said == one
            for part in (own, ~own):
                before, after = _mean(hits[:, part])
                moved[one] += np.nan_to_num(abs(after - before))
        return int(moved.argmax())

    def answers(self, output: int, top: int = 12) -> pd.DataFrame:
        """Find the images whose answer changes, and then those on which a class's logit does most.

        Parameters
        ----------
        output
            The class.
        top
            How many images.

        Returns
        -------
        pandas.DataFrame
            sample, truth, before and after (outputs), changed, logit_before and logit_after of the
            class. Images that become it or cease to be it come first, then other changed answers.
        """
        said = self.said
        before, after = said[BEFORE], said[AFTER]
        logit = self.logits[:, :, output]
        concerned = (before != after) & ((before == output) | (after == output))
        order = np.lexsort(
            (
                np.arange(len(before)),
                -np.abs(logit[AFTER] - logit[BEFORE]),
                -(before != after).astype(int),
                -concerned.astype(int),
            )
        )[:top]
        return pd.DataFrame(
            {
                "sample": self.samples[order],
                "truth": self.truth[order],
                "before": before[order],
                "after": after[order],
                "changed": (before != after)[order],
                "logit_before": logit[BEFORE][order],
                "logit_after": logit[AFTER][order],
            }
        )

    @property
    def confusion(self) -> pd.DataFrame:
        """Which answers change: class, said, before, after (images), the largest change first."""
        said = self.said
        count = len(self.names)
        tables = [
            np.bincount(self.truth * count + said[at], minlength=count**2) for at in (BEFORE, AFTER)
        ]
        changed = np.flatnonzero(tables[0] != tables[1])
        order = changed[np.argsort(-np.abs(tables[1] - tables[0])[changed], kind="stable")]
        return pd.DataFrame(
            {
                "class": [self.names[at // count] for at in order],
                "said": [self.names[at % count] for at in order],
                "before": tables[0][order],
                "after": tables[1][order],
            }
        )


def _mean(hits: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of hits of each variant; NaN where there are no images."""
    return hits.mean(axis=1) if hits.shape[1] else np.full(len(hits), np.nan)


def _beside(figures: NDArray[np.float64]) -> tuple[float, float, float, float, float]:
    """Return a figure before, after, and of the controls: mean, low, high."""
    low, high = np.quantile(figures[CONTROLS:], _TAILS)
    mean = float(figures[CONTROLS:].mean())
    return float(figures[BEFORE]), float(figures[AFTER]), mean, float(low), float(high)
