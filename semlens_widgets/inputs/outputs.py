"""What a model returns: which of it is explained, what its outputs are called, and its logits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from semlens_widgets.errors import ModelError

_LOGITS = "logits"  # what most that return several things call them
_HEADS = {"softmax", "log_softmax", "sigmoid", "logsigmoid", "log_sigmoid", "expit", "hardsigmoid"}
_AROUND = {"exp", "log", "clamp", "clip"}  # what is left out together with a head before it
_KEEPING = {
    *("view", "reshape", "flatten", "squeeze", "unsqueeze", "contiguous", "clone", "detach"),
    *("to", "type", "float", "double", "half", "bfloat16", "type_as", "dropout", "feature_dropout"),
    *("__getitem__", "select", "view_as", "reshape_as", "alias", "positive", "cpu", "cuda"),
}
_ARITHMETIC = {
    *(
        "add",
        "radd",
        "iadd",
        "sub",
        "rsub",
        "isub",
        "mul",
        "rmul",
        "imul",
        "div",
        "rdiv",
        "truediv",
    ),
    *("rtruediv", "itruediv", "subtract", "multiply", "divide", "true_divide", "neg", "negative"),
    *("reciprocal", "pow", "rpow"),
}
_SQUASHING = {*_HEADS, "exp", "tanh"}  # where arithmetic with numbers makes probabilities of them
_CLOSE = 1e-3

Place = str | int


Names = dict[str, list[int]]


def checked_names(outputs: Sequence[str] | Mapping[str, int] | None) -> Names:
    """Return the numbers of the outputs of each name; of a list, in its order.

    Names need not be unique: two kinds of ImageNet are called "crane".
    """
    if isinstance(outputs, str):
        raise TypeError(f"outputs must be a list of names: outputs=[{outputs!r}].")
    if isinstance(outputs, Mapping):
        pairs: list[tuple[str, int]] = list(outputs.items())
    else:
        given = () if outputs is None else outputs  # an array has no truth value
        pairs = [(name, number) for number, name in enumerate(given)]
    names: Names = {}
    for name, number in pairs:
        whole = hasattr(number, "__index__") and not isinstance(number, bool)
        if not isinstance(name, str) or not whole or number < 0:
            raise TypeError(
                "outputs must be the names of the model's outputs in their order, or a dictionary "
                f"from names to numbers; it holds {name!r}: {number!r}."
            )
        names.setdefault(name, []).append(int(number))
    return names


def checked_place(logits: Place | None) -> Place | None:
    """Return where the logits are as a plain string or integer."""
    if logits is None or isinstance(logits, str):
        return logits
    if not hasattr(logits, "__index__") or isinstance(logits, bool):
        raise TypeError(f"logits={logits!r} must be a key, an attribute's name or a position.")
    return int(logits)


def check_count(names: Names, *, all_named: bool, count: int) -> None:
    """Refuse names that cannot be those of a model with so many outputs."""
    numbers = [number for some in names.values() for number in some]
    if max(numbers, default=0) >= count or (all_named and len(numbers) != count):
        raise ModelError(
            f"outputs names {len(numbers)} outputs, and the model has {count}. Name all of them in "
            "their order, or some of them by a dictionary from names to numbers."
        )


@dataclass(frozen=True)
class Head:
    """What comes after the logits: from which call on to leave it out, and what it is called."""

    start: int | None = None
    name: str = ""

    @property
    def said(self) -> str:
        """What explaining the logits means, in words; empty where they are what is returned."""
        return f"at the logits, before the {self.name}" if self.name else ""


class Explained(nn.Module):
    """A model that returns its logits alone, whatever else it returns or does with them.

    Parameters
    ----------
    model
        In evaluation mode.
    place
        Key, attribute or position of the logits; by default what is called so, or the only tensor
        of shape ``(batch, outputs)``.
    head
        What `head_of` found.
    """

    def __init__(self, model: nn.Module, place: Place | None, head: Head | None = None) -> None:
        super().__init__()
        self.model = model
        self._place = place
        self.head: Head = head or Head()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, ``(batch, outputs)``."""
        if self.head.start is None:
            return logits(self.model(images), self._place)
        with _Calls(self.head.start):
            return logits(self.model(images), self._place)


def logits(result: object, place: Place | None) -> Tensor:
    """Find the outputs to explain, ``(batch, outputs)``, in what a model returns.

    Raises
    ------
    ModelError
        If there are none, or it is not clear which they are.
    """
    found: object = result
    if place is not None:
        found = _at(result, place)
    elif not isinstance(result, Tensor):
        named = dict(_parts(result))
        tensors = {key: t for key, t in named.items() if isinstance(t, Tensor)}
        flat = {key: t for key, t in tensors.items() if t.ndim == 2}
        if _LOGITS in named:
            found = named[_LOGITS]
        elif len(flat) == 1:
            (found,) = flat.values()
        else:
            raise ModelError(
                f"The model returns {_described(result)}, and it is not clear which are the "
                "outputs to explain, (batch, outputs). "
                + (
                    f"Say so: TargetModel(..., logits={next(iter(flat or tensors))!r})."
                    if tensors
                    else "Wrap it in a module whose forward returns them alone."
                )
            )
    if not isinstance(found, Tensor) or found.ndim != 2:
        what = f"{_described(result)}, with {place!r}" if place is not None else _described(result)
        raise ModelError(f"The model returns {what}; relevance needs outputs (batch, outputs).")
    return found


def _parts(result: object) -> Iterator[tuple[Place, object]]:
    if isinstance(result, Mapping):
        yield from result.items()
    elif is_dataclass(result):
        for field in fields(result):
            yield field.name, getattr(result, field.name)
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        yield from zip(result._fields, result, strict=True)
    elif isinstance(result, (tuple, list)):
        yield from enumerate(result)
    elif hasattr(result, "__dict__"):
        yield from vars(result).items()


def _at(result: object, place: Place) -> object:
    parts = dict(_parts(result))
    if place in parts:
        return parts[place]
    if isinstance(place, int) and not isinstance(result, Tensor) and 0 <= place < len(parts):
        return list(parts.values())[place]
    if isinstance(place, str) and not isinstance(result, Tensor) and hasattr(result, place):
        return getattr(result, place)
    raise ModelError(
        f"logits={place!r}: the model returns {_described(result)}, which has no such part."
    )


def _described(result: object) -> str:
    if isinstance(result, Tensor):
        return f"a tensor of shape {tuple(result.shape)}"
    parts = ", ".join(
        f"{key!r}: {tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__}"
        for key, part in _parts(result)
    )
    return f"{type(result).__name__} ({parts})" if parts else type(result).__name__


def head_of(model: nn.Module, place: Place | None, images: Tensor) -> Head:
    """See in one forward pass whether a model ends with a softmax, log-softmax or sigmoid.

    Raises
    ------
    ModelError
        If it returns probabilities that it makes in another way.
    """
    with _Calls() as calls:
        result = logits(model(images), place)
    head: Head = calls.head(result)
    squashed = calls.squashed(result)
    fault = ""
    if not head.name and _are_probabilities(result):
        fault = "probabilities: they add up to 1, and where they come from could not be followed"
    elif squashed in _HEADS or (squashed and _lie_between_0_and_1(result)):
        fault = f"what comes out of a calculation with {squashed}, not logits"
    if fault:
        raise ModelError(
            f"The model returns {fault}. Relevance of a probability is not that of a class, and "
            "may mix all outputs; let the model return its logits, or say where they are: "
            "TargetModel(..., logits=...)."
        )
    return head


def _lie_between_0_and_1(result: Tensor) -> bool:
    return bool(((result >= 0) & (result <= 1)).all())


def _are_probabilities(result: Tensor) -> bool:
    values = result.detach().float()
    return result.shape[1] > 1 and any(
        bool((some >= 0).all() and ((some.sum(1) - 1).abs() < _CLOSE).all())
        for some in (values, values.exp())
    )


class _Calls(TorchFunctionMode):
    """Numbers the calls that may be a head; leaves them out from one on."""

    def __init__(self, start: int | None = None) -> None:
        super().__init__()
        self._start = start
        self._count = 0
        # By id, which the tensor kept here reserves: calls before it, and those that end in it.
        self._made: dict[int, tuple[Tensor, int, tuple[tuple[int, str], ...]]] = {}
        self._squashed: dict[int, tuple[str, bool]] = {}  # by what, and whether calculated with

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if not name.startswith("__"):
            name = name.removesuffix("_").removeprefix("special_")  # in place, or of torch.special
        source = args[0] if args else kwargs.get("input")
        watched = name in _HEADS | _AROUND
        number = self._count
        self._count += watched
        if watched and self._start is not None and number >= self._start:
            return source
        _, _, steps = self._made.get(id(source), (None, 0, ()))
        result = func(*args, **kwargs)
        if isinstance(result, Tensor) and self._start is None:
            self._follow(name, args, result)
            if not watched and name not in _KEEPING:
                steps = ()
            elif watched:
                steps = (*steps, (number, name))
            self._made[id(result)] = result, self._count, steps
        return result

    def _follow(self, name: str, args: tuple[Any, ...], result: Tensor) -> None:
        """Note which results are squashed values, and which are those after some arithmetic."""
        plain = name.strip("_")
        tensors = [value for value in args if isinstance(value, Tensor) and value.ndim]
        before = self._squashed.get(id(tensors[0])) if len(tensors) == 1 else None
        self._squashed.pop(id(result), None)  # in place
        if plain in _SQUASHING:
            self._squashed[id(result)] = plain.replace("_", "-"), False
        elif before and (plain in _ARITHMETIC or name in _KEEPING):
            self._squashed[id(result)] = before[0], before[1] or plain in _ARITHMETIC

    def squashed(self, result: Tensor) -> str:
        """Return what a result was squashed by, if numbers were added or multiplied after that."""
        name, calculated = self._squashed.get(id(result), ("", False))
        return name if calculated else ""

    def head(self, result: Tensor) -> Head:
        """Return what a result of the forward pass ends with, and what comes after it."""
        _, count, steps = self._made.get(id(result), (None, None, ()))
        heads = [(number, name) for number, name in steps if name in _HEADS]
        if heads:
            number, name = heads[0]
            return Head(number, name.replace("_", "-"))
        return Head(count if count != self._count else None)
