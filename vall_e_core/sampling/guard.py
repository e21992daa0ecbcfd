"""What a member of a chain does wrong is its own failure: it ends the run with its name, before it can be heard.

NaN, +inf and emptied rows are looked for at every step; shape, type, device, rows and what was written to at the first
steps of a run, and whenever the number of rows changes. On a CPU that raises at once. Elsewhere nothing may wait, so
what was found is kept on the device, and whoever looks there anyway (who has stopped?) raises it: `Chain.require`.
"""
# ruff: noqa: ANN401 - what a member returns may be anything: that is what is looked at

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DeviceError, ModelError, PluginError, VallEError
from . import state as states
from .step import Step
from .sync import SyncError

NEVER, MOST = float("-inf"), float("inf")
LOOKS = 4
"""Steps at which shapes, types and what was written to are looked at."""
NAN, EMPTY, WROTE, ID = range(4)
"""Kinds of faults that tensors can tell: bits in a row's number, four for each member."""
_SAID = {
    NAN: "gave NaN or +inf", EMPTY: "left a row without any token", WROTE: "wrote to the logits it was given",
    ID: "chose a token that doesn't exist",
}  # fmt: skip
_MEMBERS = 15


@dataclass(frozen=True)
class Maker:
    """Who is to blame for a member: its name, and the plugin it comes from."""

    name: str
    plugin: str = "an unknown plugin"
    foreign: bool = True
    """It isn't ours, or wraps what isn't: its results are looked at, every one."""

    def failure(self, did: str, error: BaseException | None = None) -> PluginError:
        """The error that ends the run."""
        told = "" if error is None else f": {type(error).__name__}{f': {said}' if (said := _line(error)) else ''}"
        return PluginError(
            f"the sampler {self.name} {did}{told}", cause=f"it comes from {self.plugin}",
            try_=f"leave it out; its author sees what is wrong with: vall-e plugins check {self.name}",
        )  # fmt: skip

    def raised(self, method: str, error: BaseException) -> BaseException:
        """What to raise for something that a method raised: what says enough by itself stays as it is."""
        own: tuple[type[VallEError], ...] = (ModelError, DeviceError) if self.foreign else (VallEError,)
        if isinstance(error, (*own, SyncError, MemoryError, torch.cuda.OutOfMemoryError)) or _capturing():
            return error
        did = f"exited in {method}()" if isinstance(error, SystemExit) else f"failed in {method}()"
        return self.failure(did, error)


def raise_for(maker: Maker | None, method: str, error: BaseException) -> NoReturn:
    """Raise what is to be said of something that a method of a member raised."""
    failed = error if maker is None else maker.raised(method, error)
    if failed is error:
        raise error
    raise failed from error


class Watch:
    """How much of a run is still looked at closely. It goes through a run as it is, whatever becomes of its rows."""

    def __init__(self) -> None:
        self.rows, self.left, self.now = -1, 0, False

    def begin(self, rows: int) -> None:
        """A step of so many rows begins."""
        if rows != self.rows:
            self.rows, self.left = rows, LOOKS
        self.now = self.left > 0 and not _capturing()
        self.left -= self.now


class Seen:
    """What a member was given, to see whether it wrote to it."""

    def __init__(self, logits: Tensor, step: Step) -> None:
        self.logits, self.given = logits, logits.clone()
        self.step, self.history, self.lengths = step, step.history.clone(), step.lengths.clone()
        self.index = step.index.clone()

    def check(self, maker: Maker, method: str) -> Tensor | None:
        """Raises PluginError on a CPU; elsewhere which rows [N] were written to."""
        step = self.step
        pairs = (
            (self.logits, self.given), (step.history, self.history), (step.lengths, self.lengths),
            (step.index, self.index),
        )  # fmt: skip
        if self.logits.device.type != "cpu":
            return (_bits(self.logits) != _bits(self.given)).any(1)
        for what, (now, then) in zip(("logits", "history", "history's lengths", "step's number"), pairs, strict=True):
            if now.numel() > 0 and bool((_bits(now).numpy() != _bits(then).numpy()).any()):
                raise maker.failure(f"wrote to the {what} it was given, in {method}()")
        return None


def check_logits(maker: Maker, method: str, made: Any, given: Tensor) -> None:
    """Raises PluginError where `made` isn't float32 logits of the same rows, tokens and device as `given` [N, V]."""
    if not isinstance(made, Tensor):
        raise maker.failure(f"returned {_kind(made)} from {method}(), not a tensor")
    if made.shape != given.shape:
        raise maker.failure(f"returned {_shape(made)} from {method}() for logits of {_shape(given)}")
    if made.dtype != torch.float32:
        raise maker.failure(f"returned {_dtype(made)} from {method}(), not float32")
    if made.device != given.device:
        raise maker.failure(f"returned a tensor on {made.device} from {method}(), not on {given.device}")


def check_tokens(maker: Maker, method: str, made: Any, given: Tensor) -> None:
    """Raises PluginError where `made` isn't one int64 for each row of `given` [N, V], on its device."""
    if not isinstance(made, Tensor):
        raise maker.failure(f"returned {_kind(made)} from {method}(), not a tensor")
    if made.shape != given.shape[:1] or made.dtype != torch.int64:
        raise maker.failure(f"returned {_shape(made)} {_dtype(made)} from {method}(), not {len(given)} int64")
    if made.device != given.device:
        raise maker.failure(f"returned a tensor on {made.device} from {method}(), not on {given.device}")


def check_row(maker: Maker, made: Any, given: NDArray[Any]) -> None:
    """`check_logits` for one row [V] as an array."""
    if not isinstance(made, np.ndarray):
        raise maker.failure(f"returned {_kind(made)} from apply_row(), not an array")
    if made.shape != given.shape or made.dtype != np.float32:
        raise maker.failure(f"returned {made.shape} {made.dtype} from apply_row() for {given.shape} float32")


def check_state(maker: Maker, state: object, rows: int) -> None:
    """Raises PluginError where a tensor of a state doesn't have the rows first."""
    for each in states.tensors(state):
        if each.dim() > 0 and each.shape[0] != rows:
            raise maker.failure(f"made a state of {_shape(each)} for {rows} rows")


def row_fault(highest: float, before: float, bans: bool) -> int | None:
    """What is wrong with a row whose highest logit this is, if that was `before` in what was given; None: nothing."""
    if NEVER < highest < MOST or not NEVER < before < MOST:
        return None
    if highest == NEVER:
        return None if bans else EMPTY
    return NAN


def faults(made: Tensor, before: Tensor, bans: bool) -> Tensor | None:
    """The faults [N] of logits made [N, V] of others, as bits; on a CPU None where there are none."""
    highest = made.amax(-1)
    if made.device.type == "cpu":
        found = highest.numpy()
        if bool(((found > NEVER) & (found < MOST)).all()):
            return None
    given = before.amax(-1)
    had = (given > NEVER) & (given < MOST)
    empty = highest == NEVER
    broken = ~(highest < MOST)
    bits = (broken & had).long() << NAN
    return bits if bans else bits | (empty & had).long() << EMPTY


def noted(member: int, bits: Tensor) -> Tensor:
    """Faults [N] as a chain's state keeps them."""
    return bits << 4 * min(member, _MEMBERS - 1)


def told(makers: Sequence[Maker], found: int) -> PluginError:
    """The error for what a chain's state kept of a row."""
    member = next(at for at in range(_MEMBERS) if found >> 4 * at & 15)
    kind = next(each for each in (NAN, EMPTY, WROTE, ID) if found >> 4 * member >> each & 1)
    return makers[min(member, len(makers) - 1)].failure(_SAID[kind])


def said(maker: Maker, bits: int, method: str) -> PluginError:
    """The error for one row's bits."""
    return maker.failure(f"{_SAID[next(each for each in (NAN, EMPTY, WROTE, ID) if bits >> each & 1)]}, in {method}()")


def _capturing() -> bool:
    """Whether what is done is being recorded as a graph: nothing may be looked at, and errors are the recorder's."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


def _bits(values: Tensor) -> Tensor:
    """The same as whole numbers: NaN equals itself there."""
    return values.view(torch.int32) if values.dtype == torch.float32 else values


def _line(error: BaseException) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception:  # another's class may do anything there, too
        return ""
    return text if len(text) <= 200 else text[:199] + "…"


def _kind(made: object) -> str:
    return "nothing" if made is None else f"a {type(made).__name__}"


def _shape(made: Tensor) -> str:
    return f"[{', '.join(map(str, made.shape))}]"


def _dtype(made: Tensor) -> str:
    return str(made.dtype).removeprefix("torch.")
