"""What checks of transforms and of selectors share."""
# ruff: noqa: ANN401 - what a component builds, and its state, are of its own types

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from vall_e_core.sampling import StateContext, Step
from vall_e_core.sampling import state as states
from vall_e_core.sampling.running import SyncError

from ..sync import NoSync, no_transfer
from .probes import Probe

CLOSE = 1e-4
"""How far values may be apart, relative, where the same thing is computed for other rows beside it."""


def context(probe: Probe, step: Step) -> StateContext:
    """What `init` gets for a probe."""
    return StateContext(
        probe.logits.device, probe.size, step.history.shape[1], step.stage, step.stop_token, step.frame_rate
    )


def replayed(built: Any, probe: Probe, step: Step) -> Any:
    """The state of a built transform after the probe's histories."""
    rows = step.rows.shape[0]
    state = built.init(rows, context(probe, step))
    if state is None:
        return None
    from dataclasses import replace

    for position in range(int(step.lengths.max())):
        past = replace(step, lengths=step.lengths.clamp(max=position))
        after = built.accept(step.history[:, position], past, state)
        state = states.merge(step.lengths > position, after, state)
    return state


def same(left: Tensor, right: Tensor) -> bool:
    """Equal support, and values within CLOSE, relative to the larger of 1 and the value."""
    if left.shape != right.shape or left.dtype != right.dtype:
        return False
    if not left.is_floating_point():
        return torch.equal(left, right)
    gone = left == float("-inf")
    if not torch.equal(gone, right == float("-inf")):
        return False
    return bool(((left - right).abs() <= CLOSE * right.abs().clamp(min=1))[~gone].all())


def unsynced(call: Callable[[], object]) -> Iterator[str]:
    """What in `call` waits for the device, seen by the dispatcher."""
    try:
        with NoSync():
            call()
    except SyncError as error:
        yield f"host sync: {error}"


def on_meta(built: Any, probe: Probe, call: Callable[[Any, Tensor, Step, Any], object]) -> Iterator[str]:
    """What needs the values of tensors, makes tensors on another device, or copies from the host, as no captured step
    may: the meta device has no values at all."""
    step = probe.step()
    state = replayed(built, probe, step)
    moved = states.map_tensors(lambda each: each.to("meta"), step)
    try:
        logits, state = probe.logits.to("meta"), states.map_tensors(lambda each: each.to("meta"), state)
        with no_transfer():
            call(built, logits, moved, state)
    except (RuntimeError, NotImplementedError, TypeError, ValueError) as error:  # what torch raises without values
        reason = str(error).strip().splitlines()[0]
        yield f"host sync or tensors on another device: without values it fails ({reason})"


def on_cuda(built: Any, probe: Probe, call: Callable[[Any, Tensor, Step, Any], object]) -> Iterator[str]:
    """What waits for a CUDA device, where there is one."""
    if not torch.cuda.is_available():
        return
    step = states.map_tensors(lambda each: each.cuda(), probe.step())
    state = states.map_tensors(lambda each: each.cuda(), replayed(built, probe, probe.step()))
    logits = probe.logits.cuda()
    call(built, logits, step, state)  # lazy initialisation may wait
    mode = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        call(built, logits, step, state)
    except RuntimeError as error:
        yield f"host sync on CUDA: {str(error).splitlines()[0]}"
    finally:
        torch.cuda.set_sync_debug_mode(mode)


def state_rows(state: object, rows: int) -> Iterator[str]:
    """Every tensor of a state has the rows first."""
    for each in states.tensors(state):
        if each.dim() > 0 and each.shape[0] != rows:
            yield f"a state tensor of shape {tuple(each.shape)} doesn't have the {rows} rows first"


def frozen(built: Any) -> list[tuple[str, int, object]]:
    """What an object holds, to see whether it changes: tensors by value, the rest by representation."""
    held = vars(built) if hasattr(built, "__dict__") else {}
    found: list[tuple[str, int, object]] = []
    for key, value in sorted(held.items()):
        tensors = states.tensors(value)
        content: object = [each.flatten()[:64].tolist() for each in tensors] if tensors else repr(value)
        found.append((key, len(tensors), content))
    return found
