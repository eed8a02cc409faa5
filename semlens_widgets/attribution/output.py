"""How much each neuron matters for an output of the model, by layer-wise relevance propagation."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from semlens_widgets.attribution.attnlrp import (
    GAMMAS,
    KNOWN_ATTENTION,
    METHOD,
    AttentionRules,
    inexact_in_attnlrp,
)
from semlens_widgets.attribution.crp import Rules, frozen, rules_for
from semlens_widgets.attribution.gradients import detached, refuse_checkpointing
from semlens_widgets.attribution.rules import FunctionRules
from semlens_widgets.attribution.units import unit_relevance
from semlens_widgets.errors import ModelError
from semlens_widgets.inputs.layers import first_tensor
from semlens_widgets.inputs.outputs import Explained, Head, check_count, head_of
from semlens_widgets.inputs.poles import shared_by_sign
from semlens_widgets.inputs.units import decoded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from torch import nn

    from semlens_widgets.inputs.target import TargetModel

_OUTPUT = ""  # the model itself, as torch names it


class Arrived(NamedTuple):
    """What arrives of outputs' relevance.

    Attributes
    ----------
    relevance
        Layer to ``(batch, neurons)`` float32, signed.
    outputs
        ``(batch,)`` int64, the outputs explained.
    rest
        Layers whose neurons are units of an encoder to ``(batch,)`` float32: what arrives there
        and is none of theirs, the encoder's error.
    """

    relevance: dict[str, Tensor]
    outputs: Tensor
    rest: dict[str, Tensor]


def output_relevance(target: TargetModel, images: Tensor, outputs: Tensor | None = None) -> Arrived:
    """Propagate one output per image back to every neuron of every layer, in one backward pass.

    Relevance starts as the output's own value (a logit) and is what arrives at a layer's output,
    summed over positions: at the last stage of a ResNet, a neuron's mean activation times its
    weight for the class. Of poles it is summed where they are active. The rules are those of the
    heatmaps; with attention, AttnLRP.

    Parameters
    ----------
    target
        A model with outputs ``(batch, outputs)``; of one that ends with a softmax, log-softmax or
        sigmoid, the logits before it are explained.
    images
        ``(batch, 3, height, width)``, transformed.
    outputs
        ``(batch,)`` int64, which output to explain for each image; by default the largest.

    Returns
    -------
    Arrived
        ``relevance``, ``outputs`` and ``rest``.

    Raises
    ------
    ModelError
        If it is not clear which of what the model returns are its outputs, ``(batch, outputs)``,
        or where its logits are.
    ValueError
        If an output does not exist, a layer's neurons are units without a decoder, or the output
        does not depend on a layer.

    Notes
    -----
    LRP for neurons: Achtibat et al. 2023 (CRP), "relevance of a concept for a prediction". The
    spurious-concept audit of SemanticLens (arXiv 2501.05398) rests on it.
    """
    lone = [layer for layer, encoder in target.encoders.items() if decoded(encoder) is None]
    if lone:
        raise ValueError(
            f"The neurons of {', '.join(map(repr, lone))} are read by an encoder and are not part "
            "of the model. How much an output owes to them, their decoder tells: "
            "SparseEncoder(..., decoder=W_dec), or an attribute `decoder` of your own module."
        )
    if target.composite is not None:
        raise ValueError("Relevance for outputs knows the model's own rules only: no composite.")
    with target.shadow() as model:
        return _propagated(target, model, target.as_input(images), outputs)


def _propagated(
    target: TargetModel, model: nn.Module, images: Tensor, outputs: Tensor | None
) -> Arrived:
    whole, rules = known_rules(target, model, images[:1])
    attention = bool(rules.attention)
    check_attention(rules)
    with frozen(model), caught_layers(model, target.layers) as caught:
        with AttentionRules(GAMMAS) if attention else FunctionRules():
            result = whole(images.detach().clone().requires_grad_())
        check_count(target.outputs, all_named=target.all_named, count=result.shape[1])
        logits, outputs = _checked(result, outputs)
        chosen = logits.gather(1, outputs[:, None])
        if not chosen.requires_grad:
            raise ModelError(detached("What the model returns"))
        start = torch.ones_like(chosen) if attention else chosen.detach()
        gradients = torch.autograd.grad(
            chosen, [caught[layer] for layer in target.layers], start, allow_unused=True
        )
    relevance, rest = {}, {}
    for layer, gradient in zip(target.layers, gradients, strict=True):
        if gradient is None:
            raise ValueError(f"The model's output does not depend on layer {layer!r}.")
        values = gradient * caught[layer].detach() if attention else gradient
        channels = target.channel_axis(layer) % values.ndim if values.ndim > 2 else 1
        encoder = target.encoders.get(layer)
        if layer in target.both_poles():
            values = shared_by_sign(
                values.movedim(channels, -1), caught[layer].detach().movedim(channels, -1)
            )
            channels = values.ndim - 1
        if encoder is not None and (known := decoded(encoder)) is not None:
            relevance[layer], rest[layer] = unit_relevance(
                encoder, known, caught[layer].detach(), values, channels
            )
            continue
        positions = [axis for axis in range(1, values.ndim) if axis != channels]
        relevance[layer] = values.sum(positions).float() if positions else values.float()
    return Arrived(relevance, outputs, rest)


def check_attention(rules: Rules) -> None:
    """Refuse attention that no rule is known for.

    Raises
    ------
    ModelError
        If there is any.
    """
    if not rules.attention <= KNOWN_ATTENTION:
        raise ModelError(
            "Relevance cannot be propagated through this model's attention: AttnLRP is known for "
            "torch.nn.MultiheadAttention and models that call scaled_dot_product_attention. Build "
            "the model with one of them (timm: set_fused_attn)."
        )


def relevance_method(target: TargetModel) -> str:
    """Return how :func:`output_relevance` works for a model, with what is not exact in it."""
    with target.shadow() as model:
        image = target.as_input(target.probe())
        whole, rules = known_rules(target, model, image)
        method = rules.method.replace("CRP", "LRP", 1)
        if rules.attention:
            method = "; ".join((METHOD, *inexact_in_attnlrp(whole, _OUTPUT, image)))
    return "; ".join(filter(None, (method, whole.head.said)))


_KNOWN: WeakKeyDictionary[TargetModel, tuple[Head, Rules]] = WeakKeyDictionary()


def known_rules(target: TargetModel, model: nn.Module, image: Tensor) -> tuple[Explained, Rules]:
    """Return the model up to its logits, and the rules for it, both found once."""
    if target not in _KNOWN:
        refuse_checkpointing(model, image)
        with frozen(model):
            head = head_of(model, target.logits, image.detach().clone().requires_grad_())
        rules = rules_for(Explained(model, target.logits, head), _OUTPUT, image)
        _KNOWN[target] = head, rules
    head, rules = _KNOWN[target]
    return Explained(model, target.logits, head), rules


@contextmanager
def caught_layers(model: nn.Module, layers: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Keep the outputs of layers, safe from what later operations do to them in place."""
    caught: dict[str, Tensor] = {}

    def catch(layer: str, output: Any) -> Any:
        tensor = first_tensor(output)
        if tensor is None or not tensor.requires_grad:
            raise ModelError(detached(f"Layer {layer!r}"))
        caught[layer] = tensor
        return tensor.clone() if tensor is output else None

    with ExitStack() as stack:
        for layer in layers:
            handle = model.get_submodule(layer).register_forward_hook(
                lambda _module, _inputs, output, layer=layer: catch(layer, output)
            )
            stack.callback(handle.remove)
        yield caught


def _checked(result: Tensor, outputs: Tensor | None) -> tuple[Tensor, Tensor]:
    if outputs is None:
        return result, result.detach().argmax(1)
    outputs = outputs.to(result.device)
    if len(outputs) != len(result):
        raise ValueError(f"outputs has {len(outputs)} entries for {len(result)} images.")
    if int(outputs.min()) < 0 or int(outputs.max()) >= result.shape[1]:
        raise ValueError(f"The model's outputs are 0 to {result.shape[1] - 1}.")
    return result, outputs
