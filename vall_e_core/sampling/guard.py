"""What a member of a chain does wrong is its own failure: it ends the run with its name, before it can be heard.

On a CPU every look costs what a small member costs. So a step is judged by its end, at which a chain looks anyway: if
that is broken, the step is done again, member by member, until the first one that breaks its contract is found. What a
later member hides doesn't show there, so in some steps each third-party member is looked at closely (see `LOOKS`).
Members of our own have the project's tests for that.

Elsewhere nothing may wait: what third-party members make is looked at in every step, what was found is kept on the
device, and whoever looks there anyway (who has stopped?) raises it: `Chain.require`.
"""
# ruff: noqa: ANN401 - what a member returns may be anything: that is what is looked at

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import DeviceError, ModelError, PluginError, SyncError, VallEError
from . import state as states
from .step import Step

NEVER, MOST = float("-inf"), float("inf")
LOOKS, EVERY = 4, 128
"""The first steps of a stage are looked at closely, and every so many after them: numbers, shapes, types, devices, what
was written to. So is a step with another number of rows than the one before it."""
NAN, EMPTY, WROTE, ID = range(4)
"""Kinds of faults that tensors can tell: bits in a row's number, four for each member."""
_SAID = {
    NAN: "gave NaN or +inf", EMPTY: "left a row without any token", WROTE: "wrote to the logits it was given",
    ID: "chose a token that doesn't exist",
}  # fmt: skip
_GIVEN = ("history", "history's lengths", "step's number")
_MEMBERS = 15

Array = NDArray[Any]


@dataclass(frozen=True)
class Maker:
    """Who is to blame for a member: its name, and the plugin it comes from."""

    name: str
    plugin: str = "an unknown plugin"
    foreign: bool = True
    """It isn't ours, or wraps what isn't: what it does is looked at."""

    def failure(self, did: str, error: BaseException | None = None) -> PluginError:
        """The error that ends the run."""
        told = "" if error is None else f": {type(error).__name__}{f': {said}' if (said := _line(error)) else ''}"
        return PluginError(
            f"the sampler {self.name} {did}{told}", cause=f"it comes from {self.plugin}",
            try_=f"leave it out; its author can run: vall-e plugins check {self.name}",
        )  # fmt: skip

    def raised(self, method: str, error: BaseException) -> BaseException:
        """What to raise for something that a method raised: what says enough by itself stays as it is."""
        own: tuple[type[VallEError], ...] = (ModelError, DeviceError) if self.foreign else (VallEError,)
        if isinstance(error, (*own, SyncError, MemoryError, torch.cuda.OutOfMemoryError)) or _capturing():
            return error
        did = f"exited in {method}()" if isinstance(error, SystemExit) else f"failed in {method}()"
        return self.failure(did, error)


def raise_for(maker: Maker, method: str, error: BaseException) -> NoReturn:
    """Raise what is to be said of something that a method of a member raised."""
    failed = maker.raised(method, error)
    if failed is error:
        raise error
    raise failed from error


def one_of(makers: Sequence[Maker], did: str) -> PluginError:
    """The error for what one of several members did, and nobody knows which."""
    if len(makers) == 1:
        return makers[0].failure(did)
    names = ", ".join(each.name for each in makers)
    return PluginError(f"the samplers {names}: one of them {did}", try_="leave them out one by one")


def not_again(makers: Sequence[Maker], given: bool, again: bool) -> None:
    """Raises PluginError for one of several members, where a step that ended broken was done again, and none was found.

    Args:
        makers: third parties' members; with none of them, nobody is to blame.
        given: whether what the step begins with is as whole as it was.
        again: whether the step ends well now.
    """
    if makers and not given:
        raise one_of(makers, "wrote NaN or +inf to the logits it was given")
    if makers and again:
        raise one_of(makers, "broke a row, but not when it was repeated")


class Watch:
    """Which steps of a run are looked at closely. It goes through a run as it is, whatever becomes of its rows."""

    def __init__(self) -> None:
        self.steps, self.rows = 0, -1
        self.now = False
        """The step is looked at closely."""
        self.states = False
        """So are the states after it; what shape they have shows early."""
        self._look: Look | None = None

    def begin(self, logits: Tensor) -> None:
        """A step with logits [N, V] begins."""
        rows = logits.shape[0]
        self.states = self.steps < LOOKS or rows != self.rows
        self.now = (self.states or self.steps % EVERY == 0) and not (logits.is_cuda and _capturing())
        self.steps += 1
        self.rows = rows
        self._look = None

    def look(self, step: Step) -> Look:
        """The close look at this step; its members share one, for what is past is the same for all."""
        if self._look is None:
            self._look = Look(step)
        return self._look


class Look:
    """A close look at the members of a step: whether one writes to what it is given.

    A step's history is compared at the `end` alone, unless `each` member is to be told from the others.
    """

    def __init__(self, step: Step, each: bool = False) -> None:
        given = (step.history, step.lengths, step.index) if step.history.device.type == "cpu" else ()
        self._step = [one.numpy() for one in given]
        self._past = [one.tobytes() for one in self._step]
        self.each = each

    def at(self, maker: Maker, logits: Tensor | Array) -> Look | None:
        """This look, if the member that is about to get these logits is looked at."""
        if not (maker.foreign or self.each):
            return None
        if isinstance(logits, Tensor):
            logits = logits.detach().numpy() if logits.device.type == "cpu" else _bits(logits)
        self._logits: Tensor | Array = logits
        self._before: Any = logits.clone() if isinstance(logits, Tensor) else logits.tobytes()  # a NaN equals itself
        return self

    def check(self, maker: Maker, method: str, last: bool = False) -> Tensor | None:
        """Raises PluginError on a CPU if it wrote to them; elsewhere the faults [N], as bits."""
        if isinstance(self._logits, Tensor):
            wrote: Tensor = self._logits != self._before
            return wrote.any(1).long() << WROTE
        if self._logits.tobytes() != self._before:
            raise maker.failure(f"wrote to the logits it was given, in {method}()")
        if last or self.each:
            self.end([maker], method)
        return None

    def end(self, makers: Sequence[Maker], method: str) -> None:
        """Raises PluginError on a CPU for members that wrote to the step's history, which gets back what it was."""
        for what, now, then in zip(_GIVEN, self._step, self._past, strict=False):
            if now.tobytes() != then:
                now[...] = np.frombuffer(then, now.dtype).reshape(now.shape)
                raise one_of(makers, f"wrote to the {what} it was given, in {method}()")


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


def check_tokens(maker: Maker, method: str, made: Any, given: Tensor, size: int) -> None:
    """Raises PluginError where `made` isn't one int64 for each row of `given` [N, V], on its device and, if that is a
    CPU, below `size`."""
    if not isinstance(made, Tensor):
        raise maker.failure(f"returned {_kind(made)} from {method}(), not a tensor")
    if made.shape != given.shape[:1] or made.dtype != torch.int64:
        raise maker.failure(f"returned {_shape(made)} {_dtype(made)} from {method}(), not {len(given)} int64")
    if made.device != given.device:
        raise maker.failure(f"returned a tensor on {made.device} from {method}(), not on {given.device}")
    ids = made.tolist() if made.is_cpu else []
    if ids and not 0 <= min(ids) <= max(ids) < size:
        raise said(maker, 1 << ID, method)


def check_row(maker: Maker, method: str, made: Any, given: Array, bans: bool) -> None:
    """Raises PluginError where `made` isn't one row [V] of float32 as `given` is, or broke it."""
    if not isinstance(made, np.ndarray):
        raise maker.failure(f"returned {_kind(made)} from {method}(), not an array")
    if made.shape != given.shape or made.dtype != given.dtype:
        raise maker.failure(f"returned {made.shape} {made.dtype} from {method}() for {given.shape} float32")
    highest = highest_of(made)
    if not NEVER < highest < MOST and NEVER < highest_of(given) < MOST and not (bans and highest == NEVER):
        raise said(maker, 1 << (EMPTY if highest == NEVER else NAN), method)


def highest_of(values: Array) -> float:
    """The highest of [K], K > 0; NaN if there is one. Its place is found in a third of the time that `max` takes."""
    found: float = values.item(values.argmax())
    return found


def check_state(maker: Maker, state: object, rows: int) -> None:
    """Raises PluginError where a tensor of a state doesn't have the rows first."""
    for each in states.tensors(state):
        shape = each.shape
        if shape and shape[0] != rows:
            raise maker.failure(f"made a state of {_shape(each)} for {rows} rows")


def faults(made: Tensor, before: Tensor, bans: bool) -> Tensor | None:
    """The faults [N] of logits made [N, V] of others, as bits; on a CPU None where there are none."""
    if made.device.type == "cpu" and isfinite(sum(made.detach().numpy().max(-1, initial=NEVER).tolist())):
        return None
    highest = made.amax(-1)
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
