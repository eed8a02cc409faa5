"""How the device computes: beside the host, and the same whatever mode the caller is in."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from numpy.typing import NDArray
    from torch import Tensor

T = TypeVar("T")


@contextmanager
def plainly() -> Iterator[None]:
    """Compute in full precision and with ordinary tensors, whatever mode the caller is in.

    Around a cell, ``torch.autocast`` would round what is stored, and of what is made in
    ``torch.inference_mode`` no relevance can be propagated.
    """
    kinds = [kind for kind in ("cpu", "cuda", "mps") if torch.is_autocast_enabled(kind)]
    with ExitStack() as stack:
        for kind in kinds:
            stack.enter_context(torch.autocast(kind, enabled=False))
        stack.enter_context(torch.inference_mode(False))
        yield


class HostCopy:
    """Tensors on their way to the host; nobody waits for them until they are read.

    Sent to another process, it is the copies.

    Parameters
    ----------
    values
        Tensors on one device. From CUDA they are copied behind the work already queued there; from
        other devices at once.
    """

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        # PyTorch puts what it copies without blocking from CUDA into pinned memory.
        self._values = {
            name: value.detach().to("cpu", non_blocking=value.is_cuda)
            for name, value in values.items()
        }
        devices = {value.device for value in values.values() if value.is_cuda}
        self._copied = [torch.cuda.current_stream(device).record_event() for device in devices]

    def __reduce__(self) -> tuple[Any, ...]:
        return HostCopy, ({name: torch.from_numpy(value) for name, value in self.read().items()},)

    def read(self) -> dict[str, NDArray[Any]]:
        """Wait for the copies and return them."""
        for event in self._copied:
            event.synchronize()
        return {name: value.numpy() for name, value in self._values.items()}


def one_behind(items: Iterator[T]) -> Iterator[T]:
    """Yield each item once the next one has been made, so that its copy has had time to arrive.

    If making the next one fails or is interrupted, what was made before is yielded first.
    """
    held = next(items, None)
    while held is not None:
        try:
            following = next(items, None)
        except BaseException:
            yield held
            raise
        yield held
        held = following
