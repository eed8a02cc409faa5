"""What came of a study: neurons, raters, how far they agree, and what measures say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from semlens_widgets.analysis.audit import Measured, proportion
from semlens_widgets.analysis.raters import (
    agreement_of_raters,
    rank_correlation,
    smallest_correlation,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from semlens_widgets.lens.study_file import Answer
    from semlens_widgets.lens.study_page import Key

#: Measures of neurons that are set against people.
MEASURES = ("clarity", "polysemanticity")


@dataclass(frozen=True, eq=False)
class StudyResults:
    """What came of a study. Intervals hold at 95 %; raters that are left out count nowhere else.

    Attributes
    ----------
    neurons
        One row per neuron asked of: layer, neuron, its measures, answers, right (the share that
        found the intruder; NaN without answers), low and high (Wilson's interval).
    raters
        One row per rater: rater, answers (to tasks of neurons), right, low, high, caught and catch
        (how many catch trials were answered rightly, and at all), seconds (median of all tasks),
        and excluded.
    chance
        The share that is right by guessing.
    agreement
        Krippendorff's alpha of the raters, catch trials apart.
    correlations
        One row per measure: Spearman's correlation with `right` over neurons (rho, low, high), how
        many there are, and `smallest`, the smallest correlation that so many are likely (80 %) to
        show.
    said
        Who was left out, and what could not be told.
    """

    neurons: pd.DataFrame
    raters: pd.DataFrame
    chance: float
    agreement: Measured
    correlations: pd.DataFrame
    said: tuple[str, ...] = ()

    def __repr__(self) -> str:
        counted = self.raters[~self.raters["excluded"]]
        right = (self.neurons["right"] * self.neurons["answers"]).sum()
        asked, total = len(self.neurons), int(self.neurons["answers"].sum())
        share = proportion(round(right), total) if total else "unknown"
        return "\n".join(
            [
                f"{len(counted)} of {len(self.raters)} raters, {total} answers on {asked} neurons",
                f"right: {share}; by guessing {self.chance:.3f}",
                f"agreement (alpha): {self.agreement}",
                self.correlations.round(3).to_string(index=False),
                *self.said,
            ]
        )


def studied(
    answers: Mapping[str, Mapping[int, Answer]],
    key: Key,
    measures: pd.DataFrame,
    catch_right: float,
    seed: int,
) -> StudyResults:
    """Sum up what raters answered.

    Parameters
    ----------
    answers
        By rater and task, from 0.
    key
        What is right.
    measures
        layer, neuron and `MEASURES`, one row per neuron of the analysis.
    catch_right
        The least share of catch trials that a rater must have right.
    seed
        Of the bootstraps.
    """
    chosen = np.full((len(answers), len(key.tasks)), -1)
    for row, own in enumerate(answers.values()):
        for task, answer in own.items():
            chosen[row, task] = answer.choice - 1
    catch = np.array([not one.layer for one in key.tasks])
    right = chosen == np.array([one.right - 1 for one in key.tasks])
    raters = _raters(answers, chosen >= 0, right, catch, catch_right)
    counted = ~raters["excluded"].to_numpy(bool)
    given, right = chosen[counted] >= 0, right[counted]
    neurons = _neurons(key, given.sum(axis=0), right.sum(axis=0)).merge(
        measures, how="left", on=["layer", "neuron"]
    )
    rows = []
    for name in MEASURES:
        both = np.isfinite(neurons[[name, "right"]].to_numpy(np.float64)).all(axis=1)
        rho = rank_correlation(*(neurons[one].to_numpy() for one in (name, "right")), seed=seed)
        smallest = smallest_correlation(int(both.sum()))
        rows.append((name, rho.value, rho.low, rho.high, int(both.sum()), smallest))
    heads = ["measure", "rho", "low", "high", "neurons", "smallest"]
    return StudyResults(
        neurons[["layer", "neuron", *MEASURES, "tasks", "answers", "right", "low", "high"]],
        raters,
        1 / key.choices,
        agreement_of_raters(chosen[counted][:, ~catch], seed=seed),
        pd.DataFrame(rows, columns=heads),
        tuple(_said(raters, neurons, catch, catch_right)),
    )


def _raters(
    answers: Mapping[str, Mapping[int, Answer]],
    given: NDArray[np.bool_],
    right: NDArray[np.bool_],
    catch: NDArray[np.bool_],
    catch_right: float,
) -> pd.DataFrame:
    rows = []
    for row, (rater, own) in enumerate(answers.items()):
        asked, caught = given[row] & catch, int((right[row] & catch).sum())
        count = int((given[row] & ~catch).sum())
        rows.append(
            {
                "rater": rater,
                "answers": count,
                **_share(int((right[row] & ~catch).sum()), count),
                "caught": caught,
                "catch": int(asked.sum()),
                "seconds": float(np.median([answer.seconds for answer in own.values()])),
                # Who met no catch trial of a study that has some showed nothing.
                "excluded": bool(catch.any())
                and catch_right > 0
                and (not asked.any() or caught < catch_right * asked.sum()),
            }
        )
    return pd.DataFrame(rows)


def _neurons(key: Key, given: NDArray[np.int64], right: NDArray[np.int64]) -> pd.DataFrame:
    places: dict[tuple[str, int], list[int]] = {}
    for task, one in enumerate(key.tasks):
        if one.layer:
            places.setdefault((one.layer, one.neuron), []).append(task)
    rows = [
        {
            "layer": layer,
            "neuron": neuron,
            "tasks": len(tasks),
            "answers": int(given[tasks].sum()),
            **_share(int(right[tasks].sum()), int(given[tasks].sum())),
        }
        for (layer, neuron), tasks in sorted(places.items())
    ]
    return pd.DataFrame(rows)


def _share(hits: int, count: int) -> dict[str, float]:
    one = proportion(hits, count) if count else Measured(np.nan, np.nan, np.nan)
    return {"right": one.value, "low": one.low, "high": one.high}


def _said(
    raters: pd.DataFrame, neurons: pd.DataFrame, catch: NDArray[np.bool_], catch_right: float
) -> list[str]:
    said = [
        f"Left out: {row.rater}, who had {row.caught} of {row.catch} catch trials right "
        f"(at least {catch_right:.0%} are needed)."
        for row in raters[raters["excluded"]].itertuples()
    ]
    if not catch.any():
        said.append("The study has no catch trials: who did not look is not known.")
    counted = raters[~raters["excluded"]]
    if not len(counted):
        said.append("No rater is left: nothing is known of the neurons.")
    elif len(counted) == 1:
        said.append("One rater alone: how far raters agree is not known.")
    if silent := int((neurons["answers"] == 0).sum()):
        said.append(f"{silent} of {len(neurons)} neurons have no answer.")
    if neurons["tasks"].max() > 1:
        said.append(
            "Several tasks of a neuron by one rater count as if several raters had answered: its "
            "interval is somewhat too narrow."
        )
    return said
