"""A copy of a model to compute with, which shares its weights and leaves the model itself alone.

Whatever looks into a model hangs hooks in it, merges batch norms, and needs it frozen and in
evaluation mode. A person's model may be in use meanwhile, in a cell or in another thread. So none
of this is done to it, but to a shadow: a copy of its modules whose parameters are the same memory.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from threading import RLock
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from semlens_widgets.errors import ModelChanged, ModelError
from semlens_widgets.inputs.twin import twin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_CHUNK = 16  # words of 8 bytes whose sum is compared
_SMALL = 4096  # bytes; a tensor up to this size is compared byte by byte


class Shadow:
    """The shadow of a model: used by one thread at a time, and never left half changed.

    Parameters
    ----------
    model
        A person's model. Nothing is done to it.
    device
        Where to compute; None is where the model lies. There the shadow shares the memory of its
        parameters; of its buffers, which a forward pass may write to, it has its own.
    others
        What else must stay as it is, by what to call it: the modules of encoders.
    """

    def __init__(
        self, model: nn.Module, device: torch.device | None, others: Mapping[str, nn.Module]
    ) -> None:
        self._made_of = model, device, others
        self._pristine = evaluated(model, device)  # never run; copies are made from it
        self._copy: nn.Module | None = None
        self._lock = RLock()
        self._depth = 0
        self._seen = [_Seen("The model", model)]
        self._seen += [_Seen(called, module) for called, module in others.items()]

    @contextmanager
    def __call__(self) -> Iterator[nn.Module]:
        """Lend the shadow to this thread alone: in evaluation mode, and frozen.

        Whether the caller is in inference mode or casts automatically makes no difference inside.

        An error or interrupt that leaves the block takes the copy along; the next one is new.

        Raises
        ------
        ModelChanged
            If, after the block, the person's model has other weights, buffers or modules than when
            this shadow was made. What is computed inside is the old model's in any case; nothing of
            it leaves the block as if it were the new one's.
        """
        with self._lock:
            self._depth += 1
            try:
                self._copy = self._copy or twin(self._pristine)
                with as_by_default():
                    yield self._copy
            except BaseException as error:
                self._copy = None
                if isinstance(error, Exception):
                    self.check()  # what the changed model is asked for may not fit the old one
                raise
            finally:
                self._depth -= 1
            if not self._depth:
                self.check()

    def __reduce__(self) -> tuple[object, ...]:
        self.check()  # another process makes its own shadow of what is sent
        return Shadow, self._made_of

    def check(self) -> None:
        """Raise `ModelChanged` if the person's model is no longer what it was."""
        for seen in self._seen:
            changed = seen.changed()
            if changed:
                raise ModelChanged(
                    f"{seen.called} was changed after the TargetModel was made: {changed}. Results "
                    "of the two would be mixed. Make a new TargetModel and, with another path, a "
                    "new SemanticLens; or undo the change."
                )


@contextmanager
def as_by_default() -> Iterator[None]:
    """Leave the caller's inference mode and automatic casting, which would change results."""
    with ExitStack() as stack:
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(mode=False))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        yield


class _Seen:
    """What a model's modules and tensors were when it was seen first."""

    def __init__(self, called: str, model: nn.Module) -> None:
        self.called, self._model = called, model
        self._modules = dict(model.named_modules(remove_duplicate=False))
        self._facts, self._words = _contents(model)

    def changed(self) -> str:
        """Return what has changed since, in words; empty if nothing has."""
        modules = dict(self._model.named_modules(remove_duplicate=False))
        for name in {**self._modules, **modules}:
            if self._modules.get(name) is not modules.get(name):
                return f"module {name!r} is another one"
        facts, words = _contents(self._model)
        for name in {**self._facts, **facts}:
            if self._facts.get(name) != facts.get(name):
                return f"{name!r} has another shape, type or device"
        for before, now in zip(self._words.values(), words.values(), strict=True):
            if not torch.equal(before, now):
                return f"values of {self._differing(words)} are others"
        return ""

    def _differing(self, words: dict[torch.device, Tensor]) -> str:
        ends = dict.fromkeys(words, 0)
        names = []
        for name, (device, count, *_) in self._facts.items():
            part = slice(ends[device], ends[device] + count)
            ends[device] += count
            if not torch.equal(self._words[device][part], words[device][part]):
                names.append(repr(name))
        return names[0] + (f" and {len(names) - 1} more" if len(names) > 1 else "")


_Facts = dict[str, tuple[torch.device, int, torch.Size, torch.dtype]]


def _contents(model: nn.Module) -> tuple[_Facts, dict[torch.device, Tensor]]:
    """Return what is to be known of each tensor, and by device what tells their values apart.

    Counters of versions would not do: an edit of ``weight.data`` does not count.
    """
    facts: _Facts = {}
    parts: dict[torch.device, list[Tensor]] = {}
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        words = _sums(tensor.detach())
        facts[name] = tensor.device, len(words), tensor.shape, tensor.dtype
        parts.setdefault(tensor.device, []).append(words)
    return facts, {device: torch.cat(some) for device, some in parts.items()}


def _sums(tensor: Tensor) -> Tensor:
    """Sum the memory of a tensor by short chunks, and what stands at one place in all of them.

    That takes two looks at each value and no more. Chunks alone would not notice values that change
    places within one.
    """
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    steps = tensor.stride()
    order = sorted(range(tensor.ndim), key=lambda axis: -steps[axis])  # as it lies in memory
    data = tensor.permute(order).reshape(-1).view(torch.uint8)
    size = 8 * _CHUNK
    whole = len(data) // size * size if len(data) > _SMALL else 0
    rest = data[whole:].long()
    if not whole:
        return rest
    if data.storage_offset() % 8:
        data = data.clone()
    chunks = data[:whole].view(torch.int64).view(-1, _CHUNK)
    return torch.cat([chunks.sum(1), chunks.sum(0), rest])


def evaluated(model: nn.Module, device: torch.device | None) -> nn.Module:
    """Copy a model in evaluation mode, whatever its ``train`` and ``eval`` return or do."""
    training = any(module.training for module in model.modules())
    special = any(
        type(module).train is not nn.Module.train or type(module).eval is not nn.Module.eval
        for module in model.modules()
    )
    # What overrides these may write to weights, as when LoRA is merged, so these are not shared.
    copy = twin(model, share=not (training and special))
    if training and special:
        copy.eval()
    for module in copy.modules():
        module.training = False
    return copy if device is None else copy.to(device)


def check_model(model: nn.Module) -> None:
    """Refuse what cannot be looked into.

    Raises
    ------
    ModelError
        If the model is TorchScript or quantised, or has no values yet.
    """
    for name, module in model.named_modules():
        where = f"Module {name!r}" if name else "The model"
        if isinstance(module, torch.jit.ScriptModule):
            raise ModelError(
                f"{where} is TorchScript, whose operations cannot be followed. Give the module "
                "that it was scripted or traced from."
            )
        tensors = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if any(is_lazy(tensor) for tensor in tensors):
            raise ModelError(f"{where} is lazy: pass one batch through the model first.")
        if any(tensor.is_meta for tensor in tensors):
            raise ModelError(
                f"{where} lies on the meta device and has no values: load its weights."
            )
        packed = any(isinstance(value, torch.ScriptObject) for value in vars(module).values())
        if packed or any(tensor.is_quantized for tensor in tensors):
            raise ModelError(
                f"{where} is quantised, which has no gradients. Give the model in floating point."
            )


def checked_device(device: str | int | torch.device) -> torch.device:
    """Return a device on which something can be computed.

    Raises
    ------
    ValueError
        If torch does not know it, or this machine has none.
    """
    try:
        found = torch.device(device)
        torch.zeros(1, device=found).cpu()
    except (RuntimeError, NotImplementedError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"device={str(device)!r} cannot be used here: {reason}") from error
    return found
