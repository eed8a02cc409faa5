"""One model at several moments of its training: how what its neurons stand for comes about."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import pandas as pd
import torch

from semlens_widgets.analysis.evolution import layout_of_steps, moved
from semlens_widgets.lens.joint import JointLens
from semlens_widgets.lens.lens import SemanticLens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from semlens_widgets.widgets import EvolutionView
    from semlens_widgets.widgets import options as of

#: What has to be the same at every step, by what people call it.
_SAME = {
    "images": ("images", "uris", "pictures"),
    "foundation model": ("foundation", "foundation_dim", "foundation_transform"),
    "n_examples": ("n_examples",),
    "examples_by": ("examples_by",),
    "embedding": ("embedding",),
}
#: What may differ and then has a part in what seems to have come of training.
_ALIKE = ("pooling", "transform", "autocast", "crop_threshold")
_MEASURES = ["score", "chance", "clarity", "polysemanticity", "redundancy"]
_COLUMNS = ["step", "layer", "neuron", "label", "source", *_MEASURES, "x", "y", "moved",
            "label_changed", "dead"]  # fmt: skip


def evolution(lenses: Mapping[str, SemanticLens | str | Path]) -> Evolution:
    """Follow the neurons of one model through its training.

    Parameters
    ----------
    lenses
        Finished analyses of the model's checkpoints by the name of the step, or the folders of
        such analyses, in the order of training; at least two. They must be made alike: of the same
        layers, images and foundation model.

    Raises
    ------
    ValueError
        If there are fewer than two, or they differ in layers, numbers of neurons, images,
        foundation model or what examples are; the message names which and how.
    StoreError
        If one of them is not finished, or a folder holds no analysis.

    Examples
    --------
    >>> through = slw.evolution({"epoch 1": first, "epoch 2": second, "epoch 3": "runs/third"})
    >>> through.summary()
    >>> through.show()
    """
    if len(lenses) < 2:
        raise ValueError(f"lenses: {len(lenses)} cannot be followed; give at least two by name.")
    opened = {
        str(name): SemanticLens.open(lens) if isinstance(lens, str | Path) else lens
        for name, lens in lenses.items()
    }
    if len(opened) < len(lenses):
        raise ValueError(f"lenses: two steps have the same name among {list(map(str, lenses))}.")
    _check_alike(opened)
    return Evolution(opened)


class Evolution:
    """Analyses of one model's checkpoints, neuron by neuron; see :func:`evolution`."""

    def __init__(self, lenses: Mapping[str, SemanticLens]) -> None:
        self._joint = JointLens(lenses)

    @property
    def lenses(self) -> dict[str, SemanticLens]:
        """The analyses by the name of their step, in the order of training."""
        return self._joint.lenses

    @property
    def steps(self) -> tuple[str, ...]:
        """The names of the steps."""
        return tuple(self.lenses)

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers, which all steps share."""
        return next(iter(self.lenses.values())).layers

    @property
    def joint(self) -> JointLens:
        """The analyses as one, where a layer is named ``step/layer``."""
        return self._joint

    def __repr__(self) -> str:
        steps, neurons = self._known.shape
        return f"Evolution({steps} steps: {', '.join(self.steps)}; {neurons} neurons)"

    @property
    def neurons(self) -> pd.DataFrame:
        """One row per step and neuron, step by step.

        Columns: step, layer, neuron; label, the one in force at that step, its source ("person",
        or the scorer's name), score and chance (what one random word in twenty reaches); clarity,
        polysemanticity, redundancy; x and y in one layout of all steps (NaN for a dead neuron,
        whose examples say nothing); moved, the cosine distance of the semantic vector from the step
        before (NaN at the first, and for a neuron that is dead at one of the two); label_changed,
        whether the label is another than at the step before (NA at the first, and where there is
        none at one of the two); dead.
        """
        parts = [
            lens.neurons.assign(step=step, moved=far, x=places[:, 0], y=places[:, 1])
            for (step, lens), far, places in zip(
                self.lenses.items(), self._moved, self._layout, strict=True
            )
        ]
        before = pd.Series("", index=parts[0].index)
        for part in parts:
            label = part["label"].fillna("")
            both = (label != "") & (before != "")
            part["label_changed"] = (label != before).astype("boolean").where(both)
            before = label
        return pd.concat(parts, ignore_index=True)[_COLUMNS]

    def summary(self) -> pd.DataFrame:
        """Sum each layer up at each step.

        Returns
        -------
        pandas.DataFrame
            step, layer, neurons; clarity, its mean; labels_changed, the share of the labels that
            are others than at the step before, among the `labels_compared` neurons that have one at
            both; moved, its mean; dead, the share of dead neurons. NaN where there is nothing to
            take a mean of.
        """
        frame = self.neurons
        frame["label_changed"] = frame["label_changed"].astype("Float64").astype(float)
        groups = frame.groupby(["step", "layer"], sort=False, observed=True)
        found = groups.agg(
            neurons=("neuron", "size"),
            clarity=("clarity", "mean"),
            labels_changed=("label_changed", "mean"),
            labels_compared=("label_changed", "count"),
            moved=("moved", "mean"),
            dead=("dead", "mean"),
        )
        return found.reset_index()

    @property
    def notes(self) -> list[str]:
        """What has to be known to read the figures: where the steps were not treated alike."""
        return [*_labels_said(self.lenses), *_settings_said(self.lenses)]

    def show(self, **options: Unpack[of.EvolutionOptions]) -> EvolutionView:
        """Return the map of all steps, with a slider, and what a neuron stands for at each."""
        from semlens_widgets.widgets import EvolutionView

        return EvolutionView(self, **options)

    def on_labels(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` whenever labels of any step have changed; what is returned ends it."""
        return self._joint.on_labels(callback)

    @cached_property
    def _vectors(self) -> Tensor:
        """Semantic vectors, ``(steps, neurons, dim)``."""
        return torch.stack([torch.from_numpy(lens.vectors) for lens in self.lenses.values()])

    @cached_property
    def _known(self) -> Tensor:
        """Who has a meaning at which step, ``(steps, neurons)``: not who is dead."""
        dead = [lens.neurons["dead"].to_numpy(bool) for lens in self.lenses.values()]
        alive = torch.stack([torch.from_numpy(~one) for one in dead])
        return alive & (self._vectors.abs().amax(dim=2) > 0)

    @cached_property
    def _moved(self) -> NDArray[np.float32]:
        return moved(self._vectors, self._known)

    @cached_property
    def _layout(self) -> NDArray[np.float32]:
        return layout_of_steps(self._vectors, self._known)


def _check_alike(lenses: Mapping[str, SemanticLens]) -> None:
    """Raise if neurons of one step cannot be compared with those of another, naming why."""
    (first, reference), *others = lenses.items()
    spans = reference._read.spans  # noqa: SLF001 - the same house
    for name, lens in others:
        own = lens._read.spans  # noqa: SLF001 - the same house
        if tuple(own) != tuple(spans):
            raise ValueError(
                f"{name!r} has the layers {list(own)}, {first!r} {list(spans)}: the steps must be "
                "of one model, analysed at the same layers in the same order."
            )
        for layer, (start, stop) in spans.items():
            mine = own[layer][1] - own[layer][0]
            if mine != stop - start:
                raise ValueError(
                    f"Layer {layer!r} has {mine} neurons in {name!r} and {stop - start} in "
                    f"{first!r}: these are not checkpoints of one model."
                )
        for what, settings in _SAME.items():
            for setting in settings:
                here, there = (one.store.settings.get(setting) for one in (lens, reference))
                if here != there:
                    raise ValueError(
                        f"{name!r} and {first!r} differ in {what}: "
                        f"{_told(setting, here, there)}. Analyse every checkpoint alike: what "
                        "differs would look as if it came of training."
                    )


def _told(setting: str, here: Any, there: Any) -> str:
    """Say how two values of a setting differ; prints of files say no more than that they do."""
    told = {"uris": "other file names", "pictures": "other contents or another order"}
    if setting in told:
        return told[setting]
    if setting == "foundation_transform":
        return "its images are prepared in another way"
    return f"{setting} is {here!r} and {there!r}"


def _labels_said(lenses: Mapping[str, SemanticLens]) -> list[str]:
    none = [name for name, lens in lenses.items() if not (lens.neurons["label"] != "").any()]
    if len(none) == len(lenses):
        return ["No step has labels yet: call label(...) on the analysis of each, alike."]
    said = [f"Without labels: {', '.join(none)}."] if none else []
    labelled = [lens for name, lens in lenses.items() if name not in none]
    first = labelled[0].labelled_by, labelled[0].vocabulary
    if any((lens.labelled_by, lens.vocabulary) != first for lens in labelled[1:]):
        said.append(
            "The steps were not labelled alike (scorer, its settings or candidates differ): labels "
            "and scores may differ for that alone."
        )
    return said


def _settings_said(lenses: Mapping[str, SemanticLens]) -> list[str]:
    settings = [lens.store.settings for lens in lenses.values()]
    found = [
        name for name in _ALIKE if any(one.get(name) != settings[0].get(name) for one in settings)
    ]
    if not found:
        return []
    said = f"The steps were not analysed alike: {', '.join(found)} differ"
    return [f"{said}, which may be why neurons do."]
