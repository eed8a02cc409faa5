"""How far to trust the labels of a lens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import torch

from semlens_widgets.labels.assign import check_candidates
from semlens_widgets.labels.evidence import in_parts, some_neurons, without_pairs
from semlens_widgets.labels.resampling import drawn_anew, score_interval
from semlens_widgets.labels.scorer import Competing
from semlens_widgets.labels.scorers import DEFAULT, scorer_of
from semlens_widgets.lens.chance import bars_key, known_bars
from semlens_widgets.lens.numbers import number, whole
from semlens_widgets.lens.people import scorer_of_run
from semlens_widgets.lens.scoring import check_excluded, in_one_thread
from semlens_widgets.pipeline.engine.device import plainly
from semlens_widgets.store.labels import NO_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from semlens_widgets.labels.evidence import Evidence
    from semlens_widgets.labels.scorer import Scorer
    from semlens_widgets.lens.labelling import KeptLabels
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.texts import Words

_RIVALS = 32  # of the texts chosen from, those that may be the best of a draw


class Trusting:
    """The part of a lens that says how far to trust labels; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    words
        Gives the text embeddings; raises if there is no foundation model.
    labels
        The labels.
    """

    def __init__(
        self, reader: AnalysisReader, words: Callable[[], Words], labels: KeptLabels
    ) -> None:
        self._reader = reader
        self._words = words
        self._labels = labels

    @plainly()
    def trust(
        self,
        *,
        level: float = 0.9,
        resamples: int = 60,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> pd.DataFrame:
        """Say how far to trust the labels in force: intervals, stability, and chance.

        Everything is by the scorer, the candidates and the templates of the last :meth:`label`;
        where neurons had candidates of their own, by those of all. The evidence is drawn anew
        `resamples` times (the images for scorers that rest on all of them, the pairs of examples
        for the others) and labelled anew each time.

        Parameters
        ----------
        level
            How often an interval is to hold the score that the label would have with infinitely
            many images like these.
        resamples
            How often to draw; the work is that of as many calls of :meth:`label`.
        seed
            The same seed says the same.
        progress
            Hears how many neurons of how many are done.

        Returns
        -------
        pandas.DataFrame
            layer, neuron, label, score; ``low`` and ``high``, the interval, less what the best of
            many candidates gains by luck (so that `score` may lie above it); ``again``, the share
            of draws in which the same label is the best; ``runner_up``, the best other candidate,
            and ``lead``, by how much the label scores more (less than 0 for a label that was not
            chosen by its score); ``by_chance``, how high this label must score to be more than the
            luckiest label of one shuffled neuron in twenty
            (:func:`semlens_widgets.lens.chance.bars_by_chance`); ``known``, whether it does. NaN,
            and False, where a neuron has no label or is "unknown".

        Raises
        ------
        ValueError
            If nothing is labelled yet, the scorer is one whose scores depend on all candidates and
            all neurons, or an argument makes no sense.
        LensUnavailable
            If the analysis was opened without its foundation model.
        """
        _check(level, resamples, seed)
        scorer, names, templates, labels = self._asked()
        texts = self._words().prompts(names, templates)
        chosen_from = len(self._labels.vocabulary())
        place = {name: at for at, name in enumerate(names)}
        at = torch.tensor([place.get(label, -1) for label in labels])
        tell = progress or _untold
        tell(0, len(at))
        found: list[dict[str, Tensor]] = []
        done = 0
        for part in in_parts(self._reader.evidence, whole=scorer.whole):
            mine = at[done : done + len(part)]
            found.append(judged(scorer, part, texts, chosen_from, mine, resamples, seed, level))
            done += len(part)
            tell(done, len(at))
        columns = {name: torch.cat([one[name] for one in found]) for name in found[0]}
        other = columns.pop("runner_up").tolist()
        bars = known_bars(
            self._reader,
            self._words(),
            scorer,
            names,
            templates,
            chosen_from=chosen_from,
            seed=seed,
        )
        chance = bars[at].masked_fill(at < 0, torch.nan).numpy()
        frame = self._labels.now.neurons[["layer", "neuron"]].assign(
            label=labels, **{name: column.numpy() for name, column in columns.items()}
        )
        frame.insert(7, "runner_up", [names[index] if index >= 0 else "" for index in other])
        known = (frame["score"] > chance) & (at >= 0).numpy()
        return frame.assign(by_chance=chance, known=known)

    @plainly()
    @in_one_thread()
    def intervals(
        self,
        layer: str,
        neuron: int | str,
        candidates: Sequence[str],
        *,
        among: Sequence[str] = (),
        scorer: str | Scorer = DEFAULT,
        templates: Sequence[str] | None = None,
        exclude: Sequence[int] = (),
        level: float = 0.9,
        resamples: int = 60,
        seed: int = 0,
        progress: Callable[[int, int], None] | None = None,
    ) -> pd.DataFrame:
        """Say of one neuron how far to trust the scores of candidates; see :meth:`trust`.

        Parameters
        ----------
        candidates
            The labels whose intervals are wanted.
        among
            What the best was chosen from, the candidates among it; by default these. What the best
            of them gains by luck is taken off it, and the bar of chance is that of their best.
        scorer, templates, exclude
            As in :meth:`scores`.
        level, resamples, seed
            As in :meth:`trust`.
        progress
            Hears how many draws of how many are done.

        Returns
        -------
        pandas.DataFrame
            candidate, score, low, high (the interval), by_chance (how high this label must score to
            be more than the luckiest of `among` for one shuffled neuron in twenty), known (whether
            it does); in the order given, duplicates dropped. NaN, and False, where a score is NaN.

        Raises
        ------
        ValueError
            If the scorer is one whose scores depend on all candidates and all neurons, or an
            argument makes no sense.
        LensUnavailable
            If the analysis was opened without its foundation model.
        """
        _check(level, resamples, seed)
        row, how = self._reader.row(layer, neuron), scorer_of(scorer)
        _no_competing("intervals", how)
        names = check_candidates(candidates)
        pool = check_candidates([*among, *names])
        check_excluded(how, exclude)
        tell = progress or _untold
        words = self._words()
        texts, others = words.prompts(names, templates), words.prompts(pool, templates)
        evidence = without_pairs(some_neurons(self._reader.evidence, row, row + 1), exclude)
        known = words.knows(bars_key(words, how, pool, templates, seed=seed))
        steps = resamples + (not known)
        scores = how.score(evidence, texts)[0]
        ranked = how.score(evidence, others)[0].nan_to_num(-torch.inf)
        rivals = ranked.sort(descending=True, stable=True).indices[:_RIVALS]
        asked = torch.cat([texts, others[rivals]])
        drawn, gain = [], []
        for done, one in enumerate(drawn_anew(how, evidence, resamples, seed)):
            tell(done, steps)
            scored = how.score(one, asked)[0]
            anew, theirs = scored[: len(names)], scored[len(names) :]
            winner = int(theirs.nan_to_num(-torch.inf).argmax())
            drawn.append(anew)
            gain.append(theirs[winner] - ranked[rivals[winner]])
        best = torch.tensor([name == pool[int(rivals[0])] for name in names])
        low, high = score_interval(
            scores, torch.stack(drawn), torch.stack(gain).mean() * best, level
        )
        if not known:
            tell(resamples, steps)
        bar = known_bars(self._reader, words, how, pool, templates, seed=seed)
        tell(steps, steps)
        bars = bar[[pool.index(name) for name in names]]
        return pd.DataFrame(
            {
                "candidate": names,
                "score": scores.numpy(),
                "low": low.float().numpy(),
                "high": high.float().numpy(),
                "by_chance": bars.numpy(),
                "known": (scores > bars).numpy(),
            }
        )

    def _asked(self) -> tuple[Scorer, list[str], tuple[str, ...], list[str]]:
        """How labels were scored, candidates first in the texts asked about, and the labels."""
        now = self._labels.now
        run = now.latest
        if run is None:
            raise ValueError("trust: no neuron is labelled by a scorer yet; call label() first.")
        scorer = scorer_of_run(run)
        if scorer is None:
            raise ValueError(
                f"trust: the scorer {run.scorer['scorer']!r} is not known here; call label() anew."
            )
        _no_competing("trust", scorer)
        labels = now.frame["label"].tolist()
        theirs = (given.label for given in now.persons.values() if given.label != NO_LABEL)
        return (
            scorer,
            list(dict.fromkeys((*run.vocabulary, *theirs))),
            run.scorer["templates"],
            labels,
        )


def _untold(_done: int, _total: int) -> None:
    """Hear how far something is where nobody wants to know."""


def _no_competing(asked: str, scorer: Scorer) -> None:
    if isinstance(scorer, Competing):
        raise ValueError(
            f"{asked}: the scores of {scorer.name} depend on all candidates and all neurons; of "
            "one label alone no interval can be given. Label by another scorer, such as "
            '"recognition".'
        )


def _check(level: float, resamples: int, seed: int) -> None:
    if not 0 < number("level", level) < 1:
        raise ValueError(f"level={level!r}: expected a number between 0 and 1, such as 0.9.")
    whole("resamples", resamples, 2)
    whole("seed", seed, 0)


def judged(
    scorer: Scorer,
    evidence: Evidence,
    texts: Tensor,
    chosen_from: int,
    at: Tensor,
    resamples: int,
    seed: int,
    level: float,
) -> dict[str, Tensor]:
    """Judge the labels of some neurons by drawing the evidence anew.

    Parameters
    ----------
    texts
        ``(T, D)`` text embeddings, those that labels were chosen from first.
    chosen_from
        How many these are.
    at
        ``(N,)``, each label's place among the texts; -1 where there is none.
    resamples, seed, level
        As in :meth:`Trusting.trust`.

    Returns
    -------
    dict
        Columns of :meth:`Trusting.trust` by name, ``(N,)`` each; the runner-up as a place among the
        texts, -1 where there is none.
    """
    rows = torch.arange(len(evidence))
    scores = scorer.score(evidence, texts)
    ranked = scores[:, :chosen_from].nan_to_num(-torch.inf)
    best = ranked.argmax(1)
    label = scores[rows, at]
    others = ranked.clone()
    others[rows[at < chosen_from], at[at < chosen_from].clamp(min=0)] = -torch.inf
    value, runner_up = others.max(1)
    drawn, gain, again = [], [], []
    for one in drawn_anew(scorer, evidence, resamples, seed):
        anew = scorer.score(one, texts)
        winner = anew[:, :chosen_from].nan_to_num(-torch.inf).argmax(1)
        drawn.append(anew[rows, at])
        gain.append(anew[rows, winner] - scores[rows, winner])
        again.append(winner == at)
    optimism = torch.stack(gain).mean(0) * (best == at)
    low, high = score_interval(label, torch.stack(drawn), optimism, level)
    none = (at < 0) | label.isnan()
    share = torch.stack(again).float().mean(0)
    lead = torch.where(value.isinf(), torch.nan, label - value)
    return {
        "score": label.masked_fill(none, torch.nan),
        "low": low.masked_fill(none, torch.nan),
        "high": high.masked_fill(none, torch.nan),
        "again": share.masked_fill(none, torch.nan),
        "runner_up": runner_up.masked_fill(none | value.isinf(), -1),
        "lead": lead.masked_fill(none, torch.nan),
    }
