"""The work of `hf`: making a processor, and handing it rows as it expects them."""

from __future__ import annotations

import ast
import copy
import inspect
from collections.abc import Callable, Mapping
from importlib import import_module

import torch
from torch import Tensor

from vall_e_core import ComponentError, UsageError
from vall_e_core.sampling import StateContext, Step

NEVER = float("-inf")
_WORDS = {"true": True, "false": False, "none": None, "null": None}
_FAILURES = (RuntimeError, ValueError, TypeError, LookupError, AttributeError)
Processor = Callable[[Tensor, Tensor], Tensor]


def make(target: str, args: Mapping[str, str]) -> Processor:
    """The processor that `module:Class` and its arguments stand for. Raises ComponentError.

    Only a class whose objects are called with `input_ids` and `scores` is ever made: a chain may come from a file.
    """
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ComponentError(f"hf: there is no {target}", cause=str(error)) from error
    if not _is_processor(found):
        raise ComponentError(f"hf: {target} is no logits processor", cause="it takes no input_ids and scores")
    values = {key: argument(value) for key, value in args.items()}
    try:
        made: Processor = found(**values)
    except _FAILURES as error:
        taken = ", ".join(inspect.signature(found).parameters) or "no arguments"
        raise ComponentError(f"hf: {target} can't be made", cause=str(error), try_=f"it takes: {taken}") from error
    return made


def _is_processor(found: object) -> bool:
    call = next((vars(each)["__call__"] for each in getattr(found, "__mro__", ()) if "__call__" in vars(each)), None)
    function = inspect.unwrap(call) if callable(call) else None
    if not inspect.isclass(found) or not inspect.isfunction(function):
        return False
    return list(inspect.signature(function).parameters)[1:3] == ["input_ids", "scores"]


def argument(text: str) -> object:
    """`3`, `0.5`, `-inf`, `true`, `none`, `3;4`, or text."""
    if ";" in text:
        return [argument(each) for each in text.removesuffix(";").split(";")]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        found = ast.literal_eval(text)
        return found if isinstance(found, (int, float)) else text
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return float(text)
    except ValueError:
        return text


class Run:
    """A processor of one run's own: one that keeps state begins anew with every run."""

    def __init__(self, processor: Processor) -> None:
        self.processor = copy.deepcopy(processor)
        self.called = False


class ProcessorTransform:
    """Calls a processor once for all rows of one length, for it knows no padding."""

    def __init__(self, target: str, processor: Processor) -> None:
        self.target, self._processor = target, processor

    def init(self, rows: int, ctx: StateContext) -> Run:
        """A copy of the processor."""
        return Run(self._processor)

    def accept(self, tokens: Tensor, step: Step, state: Run) -> Run:
        """A processor sees the tokens when it is called next."""
        return state

    def apply(self, logits: Tensor, step: Step, state: Run) -> Tensor:
        """Logits [N, V] -> [N, V]. Waits for the device: ids of a row must end where its history does."""
        result = logits.clone()
        lengths = step.lengths.tolist()
        for length in sorted(set(lengths)):
            rows = [row for row, each in enumerate(lengths) if each == length]
            at = torch.tensor(rows, device=logits.device)
            ids = step.history.index_select(0, at)[:, :length]
            result.index_copy_(0, at, self._called(ids, logits.index_select(0, at), state, alone=len(lengths) == 1))
        return result.masked_fill_(logits == NEVER, NEVER)

    def _called(self, ids: Tensor, scores: Tensor, state: Run, alone: bool) -> Tensor:
        before = _held(state.processor)
        alive = list(getattr(state.processor, "__dict__", {}).values())  # so that no new object gets an old one's id
        try:
            made = state.processor(ids, scores)
        except _FAILURES as error:
            raise UsageError(f"hf: {self.target} failed", cause=f"{type(error).__name__}: {error}") from error
        if not isinstance(made, Tensor) or made.shape != scores.shape:
            shape = tuple(made.shape) if isinstance(made, Tensor) else made
            raise UsageError(f"hf: {self.target} returns {shape!r} for scores of shape {tuple(scores.shape)}")
        after = _held(state.processor)
        del alive
        if state.called and not alone and before != after:
            changed = ", ".join(sorted(key for key in {*before, *after} if before.get(key) != after.get(key)))
            raise UsageError(
                f"hf: {self.target} keeps state of its own, which can't follow several rows",
                cause=f"it changes {changed} when it is called", try_="one utterance at a time, and no search",
            )  # fmt: skip
        state.called = True  # what the first call leaves behind may be a cache
        return made.to(scores.dtype)


def _held(processor: object) -> dict[str, object]:
    """What an object holds, cheaply, to see whether it changes."""

    def mark(value: object) -> object:
        if isinstance(value, Tensor):
            return id(value), value._version if not value.is_inference() else 0
        if isinstance(value, (int, float, str, bytes, bool, type(None))):
            return value
        return id(value), len(value) if isinstance(value, (list, dict, set, tuple)) else 0

    return {key: mark(value) for key, value in getattr(processor, "__dict__", {}).items()}
