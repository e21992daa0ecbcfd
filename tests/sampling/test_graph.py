"""A step of the whole chain needs no value on the host, so that a CUDA graph can hold it."""

from __future__ import annotations

from copy import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext
from vall_e_core.sampling import Step
from vall_e_core.sampling import state as states
from vall_e_core.sampling.running import Chain, ChainState, compile_chain
from vall_e_core.testing import as_sampler

SIZE, STOP, ROWS = 1025, 1024, 4
SPECS = (
    "repetition-penalty:1.2", "dry:0.8", "top-k:50", "top-p:0.9", "min-p:0.05", "temperature:0.95", "multinomial",
)  # fmt: skip


def started(device: str) -> tuple[Chain, Step, ChainState]:
    made = torch.Generator().manual_seed(3)
    prefixes = [torch.randint(0, 30, (length,), generator=made) for length in (0, 5, 40, 90)]
    plan = compile_chain([as_sampler(each) for each in SPECS], "ar")
    chain = plan.build(BuildContext(device, vocab_size=SIZE, stop_token=STOP))
    step = Step.start(range(ROWS), capacity=120, stop_token=STOP, prefixes=prefixes, device=device)
    return chain, step, chain.init(ROWS, step)


def advance(chain: Chain, logits: Tensor, step: Step, state: ChainState) -> Tensor:
    """One step in place: what a graph holds."""
    work = copy(state)
    tokens = chain.choose(logits, step, work)
    states.copy_into(state, replace(chain.accept(tokens, step, work), logits=None))
    step.append(tokens)
    return tokens


def test_without_values() -> None:
    """On the meta device nothing has a value, and every shape is known beforehand."""
    chain, step, state = started("cpu")
    shapes = [each.shape for each in states.tensors(state)]
    moved_step, moved = (states.map_tensors(lambda each: each.to("meta"), each) for each in (step, state))
    tokens = advance(chain, torch.randn(ROWS, SIZE, device="meta"), moved_step, moved)
    assert tokens.shape == (ROWS,) and tokens.device.type == "meta"
    assert [each.shape for each in states.tensors(moved)] == shapes


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_a_captured_step_is_the_eager_one() -> None:
    made = torch.Generator().manual_seed(4)
    given = [torch.randn(ROWS, SIZE, generator=made).mul(3).cuda() for _ in range(12)]
    chain, step, state = started("cuda")
    with torch.inference_mode():
        eager = [advance(chain, each, step, state).tolist() for each in given]
        chain, step, state = started("cuda")
        marked_step, marked = states.snapshot(step), states.snapshot(state)
        logits = given[0].clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                advance(chain, logits, step, state)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            tokens = advance(chain, logits, step, state)
        states.copy_into(step, marked_step)
        states.copy_into(state, marked)
        replayed = []
        for each in given:
            logits.copy_(each)
            graph.replay()
            replayed.append(tokens.tolist())
    assert replayed == eager
