"""Whether people see what neurons stand for: odd-one-out tasks, and what came of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from semlens_widgets.analysis.intruders import catch_trial, intruders, odd_one_out, spread
from semlens_widgets.lens.studied import MEASURES, studied
from semlens_widgets.lens.study_file import read_answers
from semlens_widgets.lens.study_page import key_of, page, read_key, write_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from semlens_widgets.analysis.intruders import Task
    from semlens_widgets.lens.looking import Looking
    from semlens_widgets.lens.reader import AnalysisReader
    from semlens_widgets.lens.studied import StudyResults

_SIDE = 256  # pixels of a picture, as of those that are kept
_MOST_EXAMPLES = 8  # with the intruder as many as there are keys
_CATCH_POOL = 1000  # images among which an unlike one is looked for
_MADE_WITH = ("weights", "pictures")


@dataclass(frozen=True)
class Study:
    """A study that was written.

    Attributes
    ----------
    page
        What raters open: one file that needs no network.
    key
        The right answers, which :meth:`SemanticLens.study_results` needs and no rater may have.
    neurons, catch
        How many neurons it asks of, and how many catch trials there are.
    said
        What it does not cover.
    """

    page: Path
    key: Path
    neurons: int
    catch: int
    said: tuple[str, ...] = ()

    def __repr__(self) -> str:
        size = self.page.stat().st_size / 1e6
        return "\n".join(
            [
                f"{self.page}: {self.neurons} neurons, {self.catch} catch trials; {size:.1f} MB.",
                f"{self.key}: the right answers. Keep it to yourself, for study_results().",
                *self.said,
            ]
        )


class Studying:
    """The part of a lens that asks people; see :class:`SemanticLens`.

    Parameters
    ----------
    reader
        The finished analysis.
    looking
        Gives pictures.
    """

    def __init__(self, reader: AnalysisReader, looking: Looking) -> None:
        self._reader = reader
        self._looking = looking

    def study(
        self,
        n: int = 40,
        path: str | Path = "study.html",
        *,
        layer: str | None = None,
        examples: int = 4,
        tasks: int = 1,
        intruder: Literal["neuron", "random"] = "neuron",
        catch: int = 6,
        seed: int = 0,
    ) -> Study:
        """Write a page on which people look for the odd one out among a neuron's examples.

        Whoever sees what a neuron stands for finds the picture that is not its own; where people
        guess, the neuron is not understood. The page needs no network and sends nothing: answers
        stay in the browser until they are downloaded. It does not hold what is right.

        Parameters
        ----------
        n
            Neurons, spread evenly over clarity: as many of the clearest as of the least clear.
        path
            The page. The right answers are written beside it, as ``<name>.key.json``.
        layer
            A layer or a pattern of layers; all by default.
        examples
            Concept examples in a task, 2 to 8, drawn by lot from all of the neuron.
        tasks
            How many tasks each neuron has.
        intruder
            The image that does not belong: a concept example of another neuron of the layer
            (``"neuron"``), or any image of the data set (``"random"``, which is easier). It is no
            example of the neuron, and half of all images activate the neuron as much or more.
        catch
            Tasks in which one image is shown several times beside another one: whoever fails them
            did not look.
        seed
            Draws neurons, images and places. The tasks' order is drawn for each rater.

        Returns
        -------
        Study
            Where it is.

        Raises
        ------
        ValueError
            If there are not so many neurons that can be asked of, or an argument is none.
        KeyError
            If no layer fits.
        LensUnavailable
            If random images are wanted and the images are not at hand.
        FileExistsError
            If the key of another study lies there: answers to it could not be read any more.

        Notes
        -----
        As word intrusion is for topics (Chang et al., Reading tea leaves, NIPS 2009).
        """
        for name, value, least in (("n", n, 1), ("tasks", tasks, 1), ("catch", catch, 0)):
            _whole(name, value, least)
        _whole("examples", examples, 2, _MOST_EXAMPLES)
        if intruder not in {"neuron", "random"}:
            raise ValueError(f"intruder={intruder!r} must be 'neuron' or 'random'.")
        lots = np.random.default_rng(seed)
        rows = self._rows(layer, examples)
        if len(rows) < n:
            raise ValueError(
                f"n={n}, but {len(rows)} neurons are alive and have {examples} examples or more."
            )
        clarity = self._reader.neurons["clarity"].to_numpy()[rows]
        drawn: list[Task] = []
        for part in spread(clarity, n, lots):
            drawn += self._asked([int(rows[at]) for at in part], intruder, examples, tasks, lots)
        found = len(drawn) // tasks
        if not found:
            raise ValueError("No image is foreign enough to these neurons to be an intruder.")
        drawn += self._catch_trials(rows, catch, examples, lots)
        drawn = [drawn[at] for at in lots.permutation(len(drawn))]
        settings = self._reader.store.settings
        made_with = {name: settings.get(name) for name in _MADE_WITH}
        key = key_of(drawn, self._reader.neurons, made_with)
        file = Path(path)
        key_file = file.with_suffix(".key.json")
        if key_file.exists() and read_key(key_file).study != key.study:
            raise FileExistsError(
                f"{key_file} is the key of another study, whose answers could not be read without "
                "it: give another path, or remove it."
            )
        source = page(key.study, drawn, self._picture, seed)
        write_key(key_file, key)
        file.write_text(source, encoding="utf-8")
        return Study(file, key_file, found, catch, tuple(self._unseen(n - found)))

    def study_results(
        self,
        answers: Sequence[str | Path],
        key: str | Path = "study.key.json",
        *,
        catch_right: float = 0.8,
        seed: int = 0,
    ) -> StudyResults:
        """Read what raters answered, and set it against the measures of the neurons.

        Parameters
        ----------
        answers
            The CSV files that raters downloaded, in any order; they need not be finished.
        key
            What :meth:`study` wrote beside the page.
        catch_right
            The least share of catch trials that a rater must have right to count.
        seed
            Of the bootstraps.

        Returns
        -------
        StudyResults
            ``neurons``, ``raters``, ``agreement``, ``correlations``, and who was left out.

        Raises
        ------
        ValueError
            If a file is not what it should be; the message names the line. If the key is of
            another analysis, or there is no answer.
        TypeError
            If `answers` is one path.
        """
        if isinstance(answers, (str, Path)):
            raise TypeError(f"answers must be a list of files: [{str(answers)!r}].")
        if not 0 <= catch_right <= 1:
            raise ValueError(f"catch_right={catch_right!r} must be a share, 0 to 1.")
        held = read_key(key)
        settings = self._reader.store.settings
        for name, value in held.made_with.items():
            if settings.get(name) != value:
                raise ValueError(f"{key}: a study of an analysis with other {name}, not of this.")
        given = read_answers(answers, held)
        if not given:
            raise ValueError("answers: no file has an answer.")
        measures = self._reader.neurons[["layer", "neuron", *MEASURES]]
        return studied(given, held, measures, catch_right, seed)

    def _rows(self, layer: str | None, examples: int) -> NDArray[np.int64]:
        """Return the neurons that can be asked of."""
        neurons = self._reader.neurons
        fits = ~neurons["dead"].to_numpy(bool) & np.isfinite(neurons["clarity"].to_numpy())
        fits &= (self._reader.example_samples >= 0).sum(1).numpy() >= examples
        if layer is not None:
            fits &= neurons["layer"].isin(self._reader.layers_like(layer)).to_numpy()
        return np.flatnonzero(fits)

    def _asked(
        self,
        rows: Sequence[int],
        intruder: str,
        examples: int,
        tasks: int,
        lots: np.random.Generator,
    ) -> list[Task]:
        """Draw the tasks of the first neuron that has an intruder; none if none has."""
        held = self._reader.example_samples.numpy()
        for row in rows:
            own = np.unique(held[row][held[row] >= 0])
            if len(own) < examples:
                continue
            if intruder == "random":
                pool = np.arange(len(self._reader.samples))
            else:
                layer = str(self._reader.neurons["layer"].iat[row])
                of_layer = held[slice(*self._reader.spans[layer])]
                pool = np.unique(of_layer[of_layer >= 0])
            foreign = intruders(pool, own, self._reader.activations(row))
            if len(foreign):
                return [odd_one_out(row, own, foreign, examples, lots) for _ in range(tasks)]
        return []

    def _catch_trials(
        self, rows: NDArray[np.int64], count: int, examples: int, lots: np.random.Generator
    ) -> list[Task]:
        held = self._reader.example_samples.numpy()[rows]
        pool = np.unique(held[held >= 0])
        if len(pool) > _CATCH_POOL:
            pool = np.sort(lots.choice(pool, _CATCH_POOL, replace=False))
        embeddings = self._reader.embeddings.rows(torch.from_numpy(pool)).numpy()
        return [catch_trial(pool, embeddings, examples, lots) for _ in range(count)]

    def _picture(self, sample: int) -> bytes:
        try:
            return self._looking.thumbnail_jpegs([sample])[0]
        except KeyError:  # no example of any neuron
            return self._looking.original_jpeg(sample, _SIDE)

    def _unseen(self, missing: int) -> list[str]:
        said = []
        if missing:
            said.append(
                f"{missing} neurons fewer than asked for: no image is foreign enough to those "
                "of their clarity."
            )
        if self._reader.embedding == "crop":
            said.append(
                "Raters see whole images; the analysis, and its measures, go by crops of them."
            )
        return said


def _whole(name: str, value: object, least: int, most: int | None = None) -> None:
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        span = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{name}={value!r} must be a whole number, {span}.")
