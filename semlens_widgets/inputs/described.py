"""What tells Python values apart: one digest for anything that may be a setting.

Two values that would act alike have the same digest in every process and on every machine; two that
would not have different ones. So no ``hash()``, address, file name, line number or time goes in.

Code of a person (a notebook, a script, a package of theirs under development) is looked into:
operations, constants, defaults, what a function closes over, and the globals it names. What an
installed library defines goes by its name, because its code changes with every release while its
results do not; what such a thing is *set to* (attributes, closures, arguments) is looked into all
the same. Another minor release of Python compiles functions otherwise, so they count as changed.
"""

from __future__ import annotations

import argparse
import builtins
import dis
import hashlib
import re
import sys
import sysconfig
from collections.abc import Mapping
from enum import Enum
from functools import cache, partial
from pathlib import Path
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from torch import Tensor, nn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ADDRESS = re.compile("0x[0-9a-fA-F]+")
_SELF = "semlens_widgets"
_MODULE_STATE = frozenset(nn.Module().__dict__)  # parameters, hooks, mode: not settings
_USED = ("__call__", "forward")  # what these write is state, not setting
_PLAIN = (str, bytes, int, float, complex, type(None), type(Ellipsis))


def digest(parts: Iterable[Any]) -> str:
    """Hash strings and byte buffers, in order."""
    total = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        total.update(f"{memoryview(data).nbytes}:".encode())
        total.update(data)
    return total.hexdigest()


def describe(value: Any) -> str:
    """Return the digest of a value, see the module's text."""
    return _Walk().of(value)


def tensor_bytes(value: Tensor) -> Any:
    """Return the bytes of a tensor, whichever device it lies on."""
    import torch

    if value.layout != torch.strided:
        value = value.to_dense()
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data


class _Walk:
    """One walk through a value; what occurs twice is looked into once.

    With `bare`, a function is its code and defaults alone.
    """

    def __init__(self, *, bare: bool = False) -> None:
        self._bare = bare
        self._done: dict[int, str] = {}
        self._kept: list[Any] = []  # an address stands for its object while that is alive
        self._open: list[int] = []

    def of(self, value: Any) -> str:
        if isinstance(value, _PLAIN) and not isinstance(value, Enum):
            return digest([type(value).__name__, repr(value)])
        key = id(value)
        if key in self._open:
            return f"the one {len(self._open) - self._open.index(key)} above"
        if key not in self._done:
            self._open.append(key)
            self._kept.append(value)
            found = digest(self._parts(value))
            self._open.pop()
            self._done[key] = found
        return self._done[key]

    def _parts(self, value: Any) -> Iterator[Any]:
        if isinstance(value, Tensor):
            yield from ("tensor", str(value.dtype), str(tuple(value.shape)), tensor_bytes(value))
        elif isinstance(value, (np.ndarray, np.generic)):
            yield from self._array(np.asarray(value))
        elif isinstance(value, Image.Image):
            yield from ("picture", value.mode, str(value.size), value.tobytes())
        elif isinstance(value, nn.Module):
            yield from self._network(value)
        elif isinstance(value, (Mapping, set, frozenset, list, tuple)):
            yield from self._collection(value)
        elif isinstance(value, type):
            yield from self._class(value)
        elif isinstance(value, ModuleType):
            yield from ("module", value.__name__)
        elif isinstance(value, re.Pattern):  # whose repr is cut
            yield from ("pattern", str(value.flags), self.of(value.pattern))
        else:
            yield from self._callable_or_object(value)

    def _array(self, value: np.ndarray[Any, Any]) -> Iterator[Any]:
        yield from ("array", str(value.dtype), str(value.shape))
        if value.dtype.hasobject:
            yield from (self.of(item) for item in value.reshape(-1).tolist())
        else:
            yield np.ascontiguousarray(value).tobytes()

    def _collection(self, value: Any) -> Iterator[str]:
        if isinstance(value, Mapping):
            yield "mapping"
            yield from sorted(self.of(key) + self.of(item) for key, item in value.items())
        elif isinstance(value, (set, frozenset)):
            yield "set"
            yield from sorted(map(self.of, value))
        else:
            yield "list" if isinstance(value, list) else "tuple"
            yield from map(self.of, value)

    def _callable_or_object(self, value: Any) -> Iterator[str]:
        if isinstance(value, partial):
            yield from ("partial", self.of(value.func), self.of(value.args))
            yield self.of(value.keywords)
        elif isinstance(value, MethodType):
            written = _written(value.__func__)
            yield from ("method", self.of(value.__func__))
            yield from self._object(value.__self__, written)
        elif isinstance(value, FunctionType):
            yield from self._function(value)
        elif isinstance(value, CodeType):
            yield from self._code(value)
        elif isinstance(value, BuiltinFunctionType):
            yield from ("function", value.__qualname__)
            if not isinstance(value.__self__, (ModuleType, type(None))):
                yield self.of(value.__self__)
        elif isinstance(value, (staticmethod, classmethod)):
            yield from (type(value).__name__, self.of(value.__func__))
        elif isinstance(value, property):
            yield from ("property", self.of(value.fget))
        elif hasattr(value, "__wrapped__"):
            yield from ("wrapped", self.of(value.__wrapped__))
        else:
            yield from self._object(value, frozenset())

    # -- code ----------------------------------------------------------------------------------

    def _function(self, function: FunctionType) -> Iterator[str]:
        yield "function"
        inner = getattr(function, "__wrapped__", None)
        if inner is not None:
            yield self.of(inner)
        library = _of_library(str(function.__globals__.get("__name__")))
        if library:
            yield function.__qualname__
        else:
            yield from self._code(function.__code__)
            if not self._bare:
                yield from self._globals(function)
        defaults = function.__defaults__ or ()
        code = function.__code__
        yield from code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
        yield from (self.of(defaults), self.of(function.__kwdefaults__))
        if not (self._bare or (library and inner is not None)):
            for cell in function.__closure__ or ():
                try:
                    yield self.of(cell.cell_contents)
                except ValueError:
                    yield "empty"

    def _code(self, code: CodeType) -> Iterator[str]:
        """Yield the operations with their constants and names, and nothing of where they stand."""
        yield f"{code.co_argcount} {code.co_kwonlyargcount} {code.co_flags}"
        yield from code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
        for step in dis.get_instructions(code):
            yield step.opname
            if step.opcode in dis.hasconst or "CONST" in step.opname or "SMALL" in step.opname:
                yield self.of(step.argval)
            elif step.opcode in dis.hasname:
                yield str(step.argval)
            elif step.arg is not None:
                yield str(step.arg)

    def _globals(self, function: FunctionType) -> Iterator[str]:
        names, stored, attributes = _names(function.__code__)
        for name in sorted(names - stored):
            if name not in function.__globals__:
                yield from (name, "built in" if hasattr(builtins, name) else "missing")
                continue
            value = function.__globals__[name]
            yield from (name, self.of(value))
            if isinstance(value, ModuleType) and not _of_library(value.__name__):
                for attribute in sorted(attributes & vars(value).keys()):
                    yield from (attribute, self.of(vars(value)[attribute]))

    # -- objects -------------------------------------------------------------------------------

    def _class(self, cls: type) -> Iterator[str]:
        yield from ("class", cls.__name__)
        for one in cls.__mro__:
            if _of_library(one.__module__):
                yield one.__name__
                continue
            methods = {name: item for name, item in vars(one).items() if _is_code(name, item)}
            written: set[str] = set()
            for method in methods.values():
                written |= _written(getattr(method, "__func__", method))
            for name, item in sorted(vars(one).items()):
                if name in methods or not (name.startswith(("__", "_abc_")) or name in written):
                    yield from (name, self.of(item))

    def _object(self, value: Any, written: frozenset[str]) -> Iterator[str]:
        cls = type(value)
        if isinstance(value, Enum):
            yield from (cls.__name__, value.name)
            return
        if isinstance(value, type):  # the owner of a class method
            yield from self._class(value)
            return
        if isinstance(value, nn.Module):
            yield self.of(value)
            return
        yield from ("object", self.of(cls))
        state = dict(getattr(value, "__dict__", {}))
        slots = {name for one in cls.__mro__ for name in _slots(one) if hasattr(value, name)}
        state |= {name: getattr(value, name) for name in slots}
        plain = isinstance(value, (SimpleNamespace, argparse.Namespace))
        if not state:
            yield _ADDRESS.sub("", repr(value))
        elif plain or not _of_standard_library(cls.__module__):  # a logger knows all others
            for method in _USED:
                written |= _written(getattr(cls, method, None))
            for name in sorted(state.keys() - written):
                yield from (name, self.of(state[name]))
        else:
            yield self.of(_made_of(value))

    def _network(self, network: nn.Module) -> Iterator[Any]:
        yield from ("network", *self.architecture(network))
        yield from weight_parts(network)

    def architecture(self, network: nn.Module) -> Iterator[str]:
        """Yield names, classes and settings of all modules, and names and shapes of all weights.

        What a class's code names or closes over is left out: models often count or log by it.
        """
        classes = _Walk(bare=True)
        for name, module in network.named_modules(remove_duplicate=False):
            yield from (name, classes.of(type(module)))
            for attribute, value in sorted(_module_settings(module).items()):
                yield from (attribute, self.of(value))
        for name, value in _weights(network):
            yield f"{name}:{tuple(value.shape)}"


def architecture_parts(network: nn.Module) -> Iterator[str]:
    """Yield what a network is but for its weights, see `of_architecture`."""
    return _Walk().architecture(network)


def weight_parts(network: nn.Module) -> Iterator[Any]:
    """Yield all parameters, buffers (also those that are not saved) and extra states."""
    for _, value in sorted(_weights(network), key=lambda item: item[0]):
        yield tensor_bytes(value)
    for name, module in network.named_modules():
        own = type(module).get_extra_state
        if own is not nn.Module.get_extra_state:
            yield from (name, describe(module.get_extra_state()))


def _weights(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    yield from network.named_parameters(remove_duplicate=False)
    yield from network.named_buffers(remove_duplicate=False)


def _module_settings(module: nn.Module) -> dict[str, Any]:
    """Return what a module was set to, where that is not the default.

    Of a library's module only the arguments of its constructor count, and only if they are not the
    default: an option that a later release adds changes nothing then.
    """
    cls = type(module)
    state = {name: value for name, value in vars(module).items() if name not in _MODULE_STATE}
    if _of_library(cls.__module__):
        defaults = _defaults(cls)  # type: ignore[arg-type]
        state = {
            name: value
            for name, value in state.items()
            if name in defaults and isinstance(value, (*_PLAIN, tuple, list))
            if not (isinstance(value, _PLAIN) and value == defaults[name])
        }
    written = _written(cls.forward)
    return {name: value for name, value in state.items() if name not in written}


@cache
def _defaults(cls: type[object]) -> dict[str, Any]:
    import inspect

    found: dict[str, Any] = {}
    for one in reversed(cls.__mro__):
        if "__init__" in vars(one) and one is not object:
            parameters = inspect.signature(vars(one)["__init__"]).parameters.values()
            found |= {parameter.name: parameter.default for parameter in parameters}
    return found


def _names(code: CodeType) -> tuple[set[str], set[str], set[str]]:
    """Return the globals that code reads, those it writes, and the attributes it names."""
    read: set[str] = set()
    stored: set[str] = set()
    attributes: set[str] = set()
    for step in dis.get_instructions(code):
        if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
            read.add(step.argval)
        elif step.opname == "STORE_GLOBAL":
            stored.add(step.argval)
        elif step.opcode in dis.hasname:
            attributes.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _names(constant)
            read, stored, attributes = read | inner[0], stored | inner[1], attributes | inner[2]
    return read, stored, attributes


def _written(function: Any) -> frozenset[str]:
    """Return the attributes that a function sets, on whatever object."""
    code = getattr(function, "__code__", None)
    if code is None:
        return frozenset()
    steps = dis.get_instructions(code)
    return frozenset(step.argval for step in steps if step.opname == "STORE_ATTR")


def _made_of(value: Any) -> Any:
    """Return what an object of the standard library is made of: a path its parts, a lock nothing.

    This is what pickle would give its constructor. What the object has become since is state.
    """
    try:
        made = value.__reduce_ex__(2)
    except (TypeError, AttributeError):
        return ()
    return made[1] if isinstance(made, tuple) else ()


def _is_code(name: str, item: Any) -> bool:
    kinds = (FunctionType, staticmethod, classmethod, property)
    return isinstance(item, kinds) and not name.startswith("__annotate")


def _slots(cls: type) -> list[str]:
    slots = vars(cls).get("__slots__", ())
    names = [slots] if isinstance(slots, str) else list(slots)
    return [name for name in names if name not in {"__dict__", "__weakref__"}]


def _of_library(module: str) -> bool:
    """Whether a module is installed rather than written by the person at work."""
    top = module.split(".", maxsplit=1)[0]
    if top == _SELF or top in sys.stdlib_module_names or top == "builtins":
        return top != "__main__"
    file = getattr(sys.modules.get(module) or sys.modules.get(top), "__file__", None)
    return file is not None and _installed(file)


def _of_standard_library(module: str) -> bool:
    top = module.split(".", maxsplit=1)[0]
    return top in sys.stdlib_module_names or top == "builtins"


@cache
def _installed(file: str) -> bool:
    folders = [sysconfig.get_path(name) for name in ("purelib", "platlib")]
    parts = Path(file).parts
    inside = any(Path(file).is_relative_to(folder) for folder in folders if folder)
    return inside or "site-packages" in parts or "dist-packages" in parts
