"""Conditional relevance: what of a goal's relevance reaches a layer through single neurons above.

Concept relevance propagation [1]_ is layer-wise relevance propagation, restricted on its way. For
an edge of a trace from a neuron u of one layer to a neuron v of a layer below, R(v | u, goal):

1. relevance starts at the goal, an output's logit or a neuron's own values at all positions, and is
   propagated down to the layer of u, without restriction;
2. there only what has arrived at channel u goes on, at every position; that of all other channels
   of the layer is set to zero. Ways that lead around the layer (residual connections over it) are
   cut with it, as with ``exclude_parallel=True`` in zennit-crp;
3. it is propagated on to the layer of v, without restriction in between, and summed over positions.

Relevance is linear in what starts it, so that the edges into v from all u of a layer through which
everything passes sum to R(v | goal). zennit-crp calls the same ``CondAttribution`` with the
conditions ``{"y": [output], layer_of_u: [u]}``, recorded at the layer of v. Applied from layer to
layer this is the attribution graph of [1]_. Behind attention the rules are those of AttnLRP, under
which relevance is a gradient times the activation; the gradient is restricted in the same way.

.. [1] Achtibat et al., From attribution maps to human-understandable explanations through Concept
   Relevance Propagation, Nature Machine Intelligence 2023, "attribution graphs".
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from semlens_widgets.attribution.attnlrp import GAMMAS, METHOD, AttentionRules, inexact_in_attnlrp
from semlens_widgets.attribution.crp import Rules, frozen, run_to
from semlens_widgets.attribution.gradients import detached
from semlens_widgets.attribution.neuron import (
    ALIKE,
    BY_SIGN,
    own_gradient,
    own_relevance,
    pooled_otherwise,
    rules_of,
)
from semlens_widgets.attribution.output import (
    caught_layers,
    check_attention,
    known_rules,
    relevance_method,
)
from semlens_widgets.attribution.rules import FunctionRules
from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.poles import shared_by_sign

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import nn

    from semlens_widgets.inputs.target import TargetModel


class Goal(NamedTuple):
    """What is traced: an output of the model, of the layer ``""``, or a neuron of a layer."""

    layer: str
    number: int


def layers_below(target: TargetModel, goal: Goal) -> tuple[str, ...]:
    """Return the layers through which a goal can be traced, the one nearest to it first.

    Raises
    ------
    ValueError
        If there are none, one does not feed the next, their neurons are not channels of the model,
        or there is no such output.
    ModelError
        See :func:`semlens_widgets.attribution.output.output_relevance`.
    """
    for layer in target.encoders:
        raise ValueError(
            f"The neurons of {layer!r} are read by an encoder and are not part of the model, so "
            "that no relevance passes through them. Traces need channels of the model."
        )
    with target.shadow() as model, _passed(target, model, target.probe(), goal) as passed:
        layers = [*passed.outputs][::-1]
        if not layers:
            raise ValueError(f"Below layer {goal.layer!r} the analysis has no layer to trace.")
        upper, start = goal.layer, passed.start
        for lower in layers:
            arrived = passed.back(lower, start, upper)
            count = passed.by_neuron(lower, arrived).shape[1]
            if count != target.n_units(lower):
                raise ValueError(
                    f"The pooling function makes {target.n_units(lower)} neurons of the {count} "
                    f"channels of layer {lower!r}; traces need neurons that are channels."
                )
            upper, start = lower, torch.ones_like(arrived)
    return tuple(layers)


def conditional_relevance(
    target: TargetModel,
    images: Tensor,
    goal: Goal,
    lower: str,
    upper: str = "",
    neurons: Sequence[int] = (),
) -> tuple[Tensor, Tensor]:
    """Propagate a goal's relevance to a layer: all of it, and through single neurons of one above.

    One forward pass, one backward pass from the goal, and one for each neuron, from its layer to
    `lower` only.

    Parameters
    ----------
    target
        The model.
    images
        ``(batch, 3, height, width)``, transformed.
    goal
        Where relevance starts.
    lower
        The layer where it is looked at.
    upper, neurons
        A layer above it, and which of its neurons are each let through alone.

    Returns
    -------
    relevance : Tensor
        ``(batch, neurons of lower)`` float32, signed: R(v | goal).
    conditional : Tensor
        ``(neurons, batch, neurons of lower)``: R(v | u, goal).
    """
    with target.shadow() as model, _passed(target, model, images, goal) as passed:
        relevance = passed.by_neuron(lower, passed.back(lower, passed.start, goal.layer))
        conditional = [relevance[None][:0]]
        if neurons:
            through = passed.back(upper, passed.start, goal.layer)
        for neuron in neurons:
            below = passed.back(lower, passed.only(upper, through, neuron), upper)
            conditional.append(passed.by_neuron(lower, below)[None])
    return relevance, torch.cat(conditional)


def trace_method(target: TargetModel, goal: Goal) -> str:
    """Return how traces of a goal are made, with what is not exact in it."""
    poles = bool(target.both_poles())
    if not goal.layer:
        said = relevance_method(target)
        return said + ((ALIKE if METHOD in said else BY_SIGN) if poles else "")
    with target.shadow() as model:
        image = target.as_input(target.probe())
        rules = _rules_to(target, goal, image)
        method = rules.method
        if rules.attention:
            method = "; ".join((METHOD, *inexact_in_attnlrp(model, goal.layer, image)))
        method += (ALIKE if rules.attention else BY_SIGN) if poles else ""
    whole = len(rules.shape) == 1 or (bool(rules.attention) and target.pooling == "cls")
    return method if whole else method + pooled_otherwise(target)


@dataclass
class _Passed:
    """Images that went through a model up to a goal, ready for passes back from it.

    Attributes
    ----------
    target
        Knows where channels are.
    outputs
        What the layers below the goal returned, in the order of execution.
    end
        What is traced, for each image.
    start
        What a pass back starts with there.
    by_gradient
        Whether what is passed back is relevance divided by the activation, as in AttnLRP.
    """

    target: TargetModel
    outputs: dict[str, Tensor]
    end: Tensor
    start: Tensor
    by_gradient: bool

    def back(self, lower: str, start: Tensor, upper: str) -> Tensor:
        """Pass back to a layer from one above it, or from what is traced."""
        passed: Tensor | None = torch.autograd.grad(
            self.outputs.get(upper, self.end),
            self.outputs[lower],
            start,
            retain_graph=True,
            allow_unused=True,
        )[0]
        if passed is None:
            above = f"Layer {upper!r}" if upper else "The model's output"
            raise ValueError(
                f"{above} does not depend on layer {lower!r}, and a trace goes through layers that "
                "follow one another. Make an analysis of such layers."
            )
        return passed

    def only(self, layer: str, passed: Tensor, neuron: int) -> Tensor:
        """Restrict what was passed back to one neuron: a channel, of a pole where it is active."""
        axis = self._axis(layer)
        only = torch.zeros_like(passed)
        channels = passed.shape[axis]
        only.select(axis, neuron % channels).copy_(passed.select(axis, neuron % channels))
        if layer not in self.target.both_poles():
            return only
        negative = self.outputs[layer].detach() < 0
        return only * (negative if neuron >= channels else ~negative)

    def by_neuron(self, layer: str, passed: Tensor) -> Tensor:
        """Return the relevance of each neuron, ``(batch, neurons)``."""
        output = self.outputs[layer].detach()
        values = passed * output if self.by_gradient else passed
        axis = self._axis(layer)
        if layer in self.target.both_poles():
            values = shared_by_sign(values.movedim(axis, -1), output.movedim(axis, -1))
            axis = values.ndim - 1
        positions = [other for other in range(1, values.ndim) if other != axis]
        return values.sum(positions).float() if positions else values.float()

    def _axis(self, layer: str) -> int:
        axes = self.outputs[layer].ndim
        return self.target.channel_axis(layer) if axes > 2 else 1


@contextmanager
def _passed(target: TargetModel, model: nn.Module, images: Tensor, goal: Goal) -> Iterator[_Passed]:
    """Let images go up to a goal under the rules of relevance."""
    images = target.as_input(images)
    rules = _rules_to(target, goal, images[:1])
    forward: Callable[[Tensor], Tensor] = partial(run_to, model, goal.layer)
    if not goal.layer:
        forward, _ = known_rules(target, model, images[:1])
    below = [layer for layer in target.layers if layer != goal.layer]
    by_sign = bool(target.both_poles())
    rule = AttentionRules(GAMMAS) if rules.attention else FunctionRules(by_sign=by_sign)
    with frozen(model):
        with caught_layers(model, below) as outputs, rule:
            end = forward(images.detach().clone().requires_grad_().clone())
        if not goal.layer and not 0 <= goal.number < end.shape[1]:
            raise ValueError(f"The model's outputs are 0 to {end.shape[1] - 1}.")
        if not end.requires_grad:
            raise ModelError(detached("What is traced"))
        start = _start(target, goal, end.detach(), by_gradient=bool(rules.attention))
        yield _Passed(target, outputs, end, start, bool(rules.attention))


def _rules_to(target: TargetModel, goal: Goal, image: Tensor) -> Rules:
    """Return the rules that hold up to a goal; refuse what they do not cover."""
    if goal.layer:
        rules = rules_of(target, goal.layer, image)
    else:
        with target.shadow() as model:
            _, rules = known_rules(target, model, image)
    if not isinstance(rules, Rules) or target.composite is not None:
        raise ValueError("Traces know the model's own rules only: no composite.")
    check_attention(rules)
    return rules


def _start(target: TargetModel, goal: Goal, end: Tensor, *, by_gradient: bool) -> Tensor:
    """Return what passes back from a goal start with: its own values, or 1 for a gradient."""
    neurons = torch.full((len(end),), goal.number, device=end.device)
    axis = target.channel_axis(goal.layer) if goal.layer and end.ndim > 2 else 1
    encoder = target.encoder_of(goal.layer) if goal.layer else None
    if by_gradient:
        first = bool(goal.layer) and target.pooling == "cls"
        return own_gradient(end, neurons=neurons, axis=axis, encoder=encoder, first=first)
    return own_relevance(end, neurons=neurons, axis=axis, encoder=encoder)
