"""A device that isn't there: tensors that say they lie elsewhere and keep their values on the CPU, and its graphs.

So whatever the code does on other devices than a CPU is done, and a captured step is repeated as a graph repeats it:
the same operations, with the same numbers from the host, on the same memory, and without any Python of the project's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from vall_e_authoring import no_transfer

Sent = TypeVar("Sent", bound=nn.Module)
NAME = "meta"
"""A name that torch accepts everywhere; a tensor that really is there has no values, and is refused."""


class Elsewhere(Tensor):
    """What looks like a tensor of the device."""

    held: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # as torch documents it

    @staticmethod
    def __new__(cls: type, held: Tensor) -> Elsewhere:
        made: Elsewhere = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]  # torch leaves it undeclared
            cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=NAME
        )
        return made

    def __init__(self, held: Tensor) -> None:
        self.held = held

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func} on the device, which isn't on")


Op = tuple[Any, Any, Any, Any]


class Dispatch(TorchDispatchMode):
    """Does every operation on the values, and notes it while a graph is captured."""

    def __init__(self) -> None:
        super().__init__()
        self.tape: list[Op] | None = None
        self.written: dict[int, tuple[Tensor, Tensor]] = {}
        """While a graph is captured: memory that was written to, by its address, and what was there before."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = (args, {} if kwargs is None else kwargs)
        leaves = tree_leaves(given)
        tensors = [each for each in leaves if isinstance(each, Tensor)]
        lost = [each for each in tensors if not isinstance(each, Elsewhere) and each.device.type == NAME]
        assert not lost, f"{func}: a tensor without values"
        named = {each.type for each in leaves if isinstance(each, torch.device)}
        here = NAME in named if named else any(isinstance(each, Elsewhere) for each in tensors)
        plain_args, plain_kwargs = tree_map(_held, given)
        if self.tape is not None:
            self._keep(func, plain_args, plain_kwargs)
        out = func(*plain_args, **plain_kwargs)
        if self.tape is not None:
            self.tape.append((func, plain_args, plain_kwargs, out))
        same = {id(each.held): each for each in tensors if isinstance(each, Elsewhere)}

        def shown(each: Any) -> Any:
            if not isinstance(each, Tensor) or not here:
                return each
            return same[id(each)] if id(each) in same else Elsewhere(each)

        return tree_map(shown, out)

    def _keep(self, func: Any, args: Any, kwargs: Any) -> None:
        for at, each in enumerate(func._schema.arguments):
            given = args[at] if at < len(args) else kwargs.get(each.name)
            if each.alias_info is not None and each.alias_info.is_write and isinstance(given, Tensor):
                memory = given.untyped_storage()
                if memory.data_ptr() not in self.written:
                    whole = torch.empty(0, dtype=torch.uint8).set_(memory)
                    self.written[memory.data_ptr()] = whole, whole.clone()


class Making(TorchFunctionMode):
    """What doesn't go through the dispatcher."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = {} if kwargs is None else dict(kwargs)
        device = given.get("device")
        if func is torch.tensor and device is not None and torch.device(device).type == NAME:
            return torch.tensor(*args, **{**given, "device": "cpu"}).to(NAME)
        if func is Tensor.tolist and isinstance(args[0], Elsewhere):
            return args[0].held.tolist()
        return func(*args, **given)


def _held(each: Any) -> Any:
    if isinstance(each, Elsewhere):
        return each.held
    return torch.device("cpu") if isinstance(each, torch.device) else each


def _memory(value: Any) -> set[int]:
    return {each.untyped_storage().data_ptr() for each in tree_leaves(value) if isinstance(each, Tensor)}


class PretendedGraphs:
    """What `vall_e_cuda_graph.graphs.Cuda` is to a GPU."""

    def __init__(self, dispatch: Dispatch) -> None:
        self.dispatch = dispatch
        self.tried = self.captured = self.repeated = 0

    def pool(self) -> object:
        return object()

    def run(self, work: Callable[[], None]) -> None:
        self.tried += 1
        work()

    def capture(self, work: Callable[[], None], pool: object) -> Callable[[], None]:
        """As on a GPU, what it writes to is as before."""
        tape: list[Op] = []
        self.dispatch.tape, self.dispatch.written = tape, {}
        try:
            with no_transfer():
                work()
        finally:
            self.dispatch.tape = None
            for memory, before in self.dispatch.written.values():
                memory.copy_(before)
        self.captured += 1

        def repeat() -> None:
            self.repeated += 1
            for func, args, kwargs, out in tape:
                known = _memory((args, kwargs))
                for old, new in zip(tree_leaves(out), tree_leaves(func(*args, **kwargs)), strict=True):
                    if isinstance(old, Tensor) and old.untyped_storage().data_ptr() not in known:
                        old.copy_(new)

        return repeat


@contextmanager
def pretended() -> Iterator[PretendedGraphs]:
    """The device is there."""
    dispatch = Dispatch()
    with torch.inference_mode(), Making(), dispatch:
        yield PretendedGraphs(dispatch)


def sent(module: Sent) -> Sent:
    """A module's parameters, moved to the device; only within `pretended`."""
    for each in module.modules():
        for name, parameter in list(each.named_parameters(recurse=False)):
            setattr(each, name, nn.Parameter(parameter.detach().to(NAME), requires_grad=False))
    return module
