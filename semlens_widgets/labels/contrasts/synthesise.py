"""Contrastive examples that something makes: a generative model, a renderer, any function."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from PIL import Image

from semlens_widgets.labels.contrasts.below import check_below, levels_of
from semlens_widgets.labels.contrasts.generator import ContrastGenerator, Picture
from semlens_widgets.labels.contrasts.quietened import quietened

if TYPE_CHECKING:
    from collections.abc import Callable

    from semlens_widgets.labels.contrasts.below import Below
    from semlens_widgets.labels.contrasts.generator import Block, Contrasts


@dataclass(frozen=True, eq=False)
class Request:
    """What a maker is asked for: a picture like this one on which the neuron is quiet.

    Attributes
    ----------
    picture
        The concept example, in RGB.
    sample
        Its number in the data set.
    layer, neuron
        Which neuron.
    rank
        The example's place among those of the neuron, from 0.
    activation
        Of the neuron on the example.
    level
        The made picture is accepted if it activates the neuron less.
    attempt
        From 0: how many pictures for this example were not accepted. Take it for a seed, or for the
        strength of a change.
    """

    picture: Image.Image
    sample: int
    layer: str
    neuron: int
    rank: int
    activation: float
    level: float
    attempt: int


@dataclass(frozen=True)
class Synthesise(ContrastGenerator):
    """A picture that a function makes for each concept example, if the neuron is quiet on it.

    One that leaves the neuron active is not accepted: the function is asked again, and after
    `tries` the example has no contrast. The run says how many have none.

    Attributes
    ----------
    make
        Takes a :class:`semlens_widgets.Request` and returns a PIL image, or None for none at this
        attempt. It should return the same for the same request. An analysis is recorded as made by
        it, by its ``settings`` (of JSON) if it has such an attribute and else by its code, so that
        another one is noticed.
    below
        When the neuron counts as quiet, as for :class:`semlens_widgets.Nearest`.
    tries
        How often it is asked for an example, at most.

    Raises
    ------
    TypeError
        If `make` cannot be called, or returns what is no picture.
    ValueError
        If a setting makes no sense.
    """

    make: Callable[[Request], Image.Image | None]
    below: Below = "mean"
    tries: int = 8

    name = "synthesise"
    together: ClassVar[int | None] = 16

    def __post_init__(self) -> None:
        if not callable(self.make):
            raise TypeError(
                f"make is a {type(self.make).__name__}; give a function that takes a Request and "
                "returns a PIL image or None."
            )
        check_below(self.below)
        if isinstance(self.tries, bool) or not isinstance(self.tries, int) or self.tries < 1:
            raise ValueError(f"tries={self.tries!r} must be a whole number, at least 1.")

    def contrasts(self, block: Block) -> Contrasts:
        """Ask for pictures until the neuron is quiet on one.

        Raises
        ------
        TypeError
            If `make` returns something else than a picture or None.
        """
        levels = levels_of(block.activations, self.below)
        samples = block.examples.tolist()

        def offer(neuron: int, rank: int, attempt: int) -> Picture | None:
            sample = samples[neuron][rank]
            made = self.make(
                Request(
                    picture=block.picture(sample).convert("RGB"),
                    sample=sample,
                    layer=block.layer,
                    neuron=block.neurons[neuron],
                    rank=rank,
                    activation=float(block.activations[sample, neuron]),
                    level=float(levels[neuron]),
                    attempt=attempt,
                )
            )
            if made is not None and not isinstance(made, Image.Image):
                raise TypeError(
                    f"make returned a {type(made).__name__} for attempt {attempt} at sample "
                    f"{sample}; it must return a PIL image, or None."
                )
            return None if made is None else Picture(made.convert("RGB"), "made")

        return quietened(block, levels, self.tries, offer)

    @property
    def settings(self) -> dict[str, Any]:
        """Its name and its fields; the maker by its settings, or itself, if it has none."""
        below = self.below if self.below == "mean" else asdict(self.below)
        make = getattr(self.make, "settings", self.make)
        return {"name": self.name, "make": make, "below": below, "tries": self.tries}
