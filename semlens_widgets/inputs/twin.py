"""Copies of modules that share their weights with the original, and nothing else that is run."""

from __future__ import annotations

import copy
import weakref
from functools import partial, singledispatchmethod
from types import CellType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semlens_widgets.errors import ModelError

# Gradients of a copy are ours, and what was compiled would run the original.
_LEFT_OUT = {"_backward_hooks", "_backward_pre_hooks", "_is_full_backward_hook"}
_COMPILED = "_compiled_call_impl"
_CHECKPOINTING = {"grad_checkpointing", "gradient_checkpointing", "use_checkpoint"}
_CHECKPOINTING |= {"memory_efficient"}


def twin(model: nn.Module, *, share: bool = True) -> nn.Module:
    """Copy all modules of a model, without their weights.

    Forward hooks, and forwards that were replaced on an instance, belong to what a model computes
    and are kept, with the copies in place of the modules that they refer to. Backward hooks are
    not, gradient checkpointing is switched off where a known attribute does so, and what was
    compiled or wrapped for several devices runs plainly.

    Parameters
    ----------
    model
        Any module.
    share
        Whether parameters are the same memory; else they are copied. Neither ones need gradients.
        Buffers and other tensors are copied.
    """
    made: nn.Module = _Copier(share).of(model)
    return made


class _Plain(nn.Module):
    """Stands for a wrapper that only passes on: its first child runs, under the same names."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return next(self.children())(*args, **kwargs)


def _is_wrapper(module: nn.Module) -> bool:
    parallel = nn.DataParallel, nn.parallel.DistributedDataParallel
    return isinstance(module, parallel) or type(module).__name__ == "OptimizedModule"


class _Copier:
    """Copies what hangs together, each thing once."""

    def __init__(self, share: bool) -> None:
        self._share = share
        self._made: dict[int, Any] = {}
        self._kept: list[Any] = []  # so that ids stay unique

    def of(self, value: Any) -> Any:
        """Return the copy of a value; things that hold no part of the model are their own."""
        return self._made[id(value)] if id(value) in self._made else self._copied(value)

    def _remember(self, value: Any, made: Any) -> Any:
        self._made[id(value)] = made
        self._kept.append(value)
        return made

    @singledispatchmethod
    def _copied(self, value: Any) -> Any:
        if not _holds_modules(value):
            return value
        made = self._remember(value, copy.copy(value))
        vars(made).update({key: self.of(item) for key, item in vars(value).items()})
        return made

    @_copied.register
    def _module(self, module: nn.Module) -> nn.Module:
        plain = _is_wrapper(module)
        made: nn.Module = _Plain() if plain else object.__new__(type(module))
        self._remember(module, made)
        fresh = vars(nn.Module())
        content = {key: fresh[key] for key in _LEFT_OUT}
        for key, value in vars(module).items():
            if key not in _LEFT_OUT and key != _COMPILED and (key in fresh or not plain):
                content[key] = False if key in _CHECKPOINTING and value is True else self.of(value)
        vars(made).update(content)
        return made

    @_copied.register
    def _tensor(self, tensor: Tensor) -> Any:
        is_parameter = isinstance(tensor, nn.Parameter)
        with torch.inference_mode(False), torch.no_grad():
            own = not (self._share and is_parameter) or tensor.is_inference()
            made = tensor.detach().clone() if own else tensor.detach()
            made = nn.Parameter(made, requires_grad=False) if is_parameter else made
        return self._remember(tensor, made)

    @_copied.register
    def _dict(self, values: dict) -> Any:  # type: ignore[type-arg]
        made = self._remember(values, copy.copy(values))
        made.clear()
        made.update({self.of(key): self.of(item) for key, item in values.items()})
        return made

    @_copied.register
    def _list(self, values: list) -> Any:  # type: ignore[type-arg]
        made = self._remember(values, copy.copy(values))
        made[:] = [self.of(item) for item in values]
        return made

    @_copied.register
    def _tuple(self, values: tuple) -> Any:  # type: ignore[type-arg]
        items = [self.of(item) for item in values]
        if all(a is b for a, b in zip(items, values, strict=True)):
            return values
        return getattr(type(values), "_make", type(values))(items)

    @_copied.register
    def _set(self, values: set) -> Any:  # type: ignore[type-arg]
        return self._remember(values, {self.of(item) for item in values})

    @_copied.register
    def _method(self, method: MethodType) -> Any:
        return MethodType(method.__func__, self.of(method.__self__))

    @_copied.register
    def _partial(self, function: partial) -> Any:  # type: ignore[type-arg]
        keywords = {key: self.of(item) for key, item in function.keywords.items()}
        return partial(self.of(function.func), *map(self.of, function.args), **keywords)

    @_copied.register
    def _reference(self, reference: weakref.ref) -> Any:  # type: ignore[type-arg]
        made = self._made.get(id(reference()))
        return reference if made is None else weakref.ref(made)

    @_copied.register
    def _function(self, function: FunctionType) -> Any:
        if not _closes_over_modules(function):
            return function
        cells = tuple(CellType() for _ in function.__closure__ or ())
        made = FunctionType(
            function.__code__,
            function.__globals__,
            function.__name__,
            function.__defaults__,
            cells,
        )
        made.__kwdefaults__ = function.__kwdefaults__
        made.__qualname__ = function.__qualname__
        self._remember(function, made)
        for cell, value in zip(cells, _enclosed(function), strict=True):
            if value is not _EMPTY:
                cell.cell_contents = self.of(value)
        return made


_EMPTY = object()


def _enclosed(function: FunctionType) -> list[Any]:
    """Return what a function closes over, `_EMPTY` for names that are not bound yet."""
    found = []
    for cell in function.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:
            found.append(_EMPTY)
    return found


def _closes_over_modules(function: FunctionType, above: tuple[FunctionType, ...] = ()) -> bool:
    held = [getattr(value, "__self__", value) for value in _enclosed(function)]
    if any(isinstance(value, nn.Module) for value in held):
        return True
    above = (*above, function)
    inner = [value for value in held if isinstance(value, FunctionType) and value not in above]
    return any(_closes_over_modules(value, above) for value in inner)


def _holds_modules(value: Any) -> bool:
    """Tell whether an object of an ordinary class refers to modules or weights directly."""
    content = getattr(value, "__dict__", None)
    if not isinstance(content, dict) or isinstance(value, (type, FunctionType, ModuleType)):
        return False
    return any(isinstance(item, (nn.Module, Tensor)) for item in content.values())


class Apart(TorchFunctionMode):
    """Refuses a forward pass of a copy that reaches tensors of the original.

    A function that refers to the original by a global name, for example, cannot be redirected.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._foreign = {id(t): n for n, t in (*model.named_parameters(), *model.named_buffers())}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            for item in value if isinstance(value, (list, tuple)) else (value,):
                if isinstance(item, Tensor) and id(item) in self._foreign:
                    raise ModelError(
                        f"The model's forward pass reaches {self._foreign[id(item)]!r} by another "
                        "way than through its own modules, so that it can't be computed on a copy. "
                        "Refer to modules and weights through self."
                    )
        return func(*args, **kwargs)
