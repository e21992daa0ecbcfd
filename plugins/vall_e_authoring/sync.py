"""Finds waits for the device and copies to it, on a machine without one."""
# ruff: noqa: ANN401 - as torch has the hook

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from vall_e_core.sampling.running import SyncError

WAITS = frozenset(
    {
        "_local_scalar_dense", "item", "equal", "is_nonzero", "nonzero", "nonzero_numpy", "masked_select", "_unique",
        "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive", "bincount", "multinomial",
    }
)  # fmt: skip
"""Operations whose result's value or shape the host must know (multinomial checks its input on the host)."""


class NoSync(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """While it is active, whatever would wait for the device raises SyncError.

    `.item()`, `if tensor`, `nonzero`, `unique`, `masked_select`, boolean masks as an index: everything that goes
    through an operator. `.tolist()` and `.numpy()` don't on a CPU; running on the meta device finds those.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Look at one operation, then do it."""
        name = func.overloadpacket.__name__
        if name in WAITS:
            raise SyncError(f"{name} waits for the device")
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            masks = [each for each in args[1] if isinstance(each, Tensor) and each.dtype in (torch.bool, torch.uint8)]
            if masks:
                raise SyncError("a boolean mask as an index waits for the device")
        if name == "repeat_interleave" and kwargs is not None and kwargs.get("output_size") is None:
            raise SyncError("repeat_interleave without output_size waits for the device")
        return func(*args, **({} if kwargs is None else kwargs))


class NoTransfer(NoSync):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """As `NoSync`, and whatever copies between the host and a device raises as well: no captured graph can hold it.

    Without a device, tensors on the meta device stand for its own. A number in a tensor without dimensions may stay on
    the host where an operation takes it as an argument of its kernel, which most do.
    """

    COPYING = frozenset({"where", "copy_", "index", "index_put", "index_put_", "_index_put_impl_", "_to_copy", "to"})

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Look at one operation, then do it."""
        given = {} if kwargs is None else kwargs
        name = func.overloadpacket.__name__
        found = [each for each in _flat((*args, *given.values())) if isinstance(each, Tensor)]
        devices = {each.device.type for each in found if each.dim() > 0 or name in self.COPYING}
        if name in ("_to_copy", "to"):
            devices |= {each.type for each in (*args, *given.values()) if isinstance(each, torch.device)}
        if len(devices) > 1:
            raise SyncError(f"{name} copies between {' and '.join(sorted(devices))}")
        return super().__torch_dispatch__(func, types, args, kwargs)


def _flat(values: Any) -> Iterator[object]:
    for each in values:
        if isinstance(each, (list, tuple)):
            yield from _flat(each)
        else:
            yield each


class _NoMaking(TorchFunctionMode):
    """Tensors of the host's values on a device: the dispatcher doesn't see them made."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Look at one call, then do it."""
        made = func(*args, **({} if kwargs is None else kwargs))
        if func in (torch.tensor, torch.as_tensor) and isinstance(made, Tensor) and made.device.type != "cpu":
            raise SyncError(f"{func.__name__} copies from cpu to {made.device.type}")
        return made


@contextmanager
def no_transfer() -> Iterator[None]:
    """While it is active, nothing waits for a device and nothing is copied to one or from one, else SyncError."""
    with _NoMaking(), NoTransfer():
        yield
