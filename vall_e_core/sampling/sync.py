"""Finds waits for the device, on a machine without one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

WAITS = frozenset(
    {
        "_local_scalar_dense", "equal", "is_nonzero", "nonzero", "nonzero_numpy", "masked_select", "_unique",
        "_unique2", "unique_dim", "unique_consecutive", "unique_dim_consecutive", "bincount", "multinomial",
    }
)  # fmt: skip
"""Operations whose result's value or shape the host must know (multinomial checks its input on the host)."""


class SyncError(RuntimeError):
    """The host would have waited for the device."""


class NoSync(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch leaves it untyped
    """While it is active, whatever would wait for the device raises SyncError.

    `.item()`, `if tensor`, `nonzero`, `unique`, `masked_select`, boolean masks as an index: everything that goes
    through an operator. `.tolist()` and `.numpy()` don't on a CPU; running on the meta device finds those.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
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
