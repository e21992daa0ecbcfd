"""Behind top-k a chain works on the tokens that are left, and makes the same of them as on the whole vocabulary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from vall_e_core import BuildContext
from vall_e_core.sampling import StatelessTransform, Step, descending, highest
from vall_e_core.sampling.running import Candidates, Chain, Stage, compile_chain
from vall_e_core.testing import as_sampler

quick = settings(max_examples=60, deadline=None)
SIZE, STOP = 40, 39
values = st.sampled_from([-torch.inf, -3.0, -0.0, 0.0, 1e-30, 1.0, 1.5, 2.0, 2.25, 6.0])
rows = st.lists(st.lists(values, min_size=SIZE, max_size=SIZE), min_size=1, max_size=3)


@quick
@given(table=rows, k=st.integers(1, SIZE))
def test_order_is_exact(table: list[list[float]], k: int) -> None:
    """As one stable sort says, which is also what other devices use."""
    logits = torch.tensor(table)
    sort = logits.sort(dim=-1, descending=True, stable=True)
    ordered, ids = descending(logits)
    assert torch.equal(ordered, sort.values)
    assert torch.equal(ids, sort.indices)
    assert torch.equal(highest(logits, k), sort.indices[:, :k].sort(dim=-1).values)


def test_order_of_many_rows() -> None:
    logits = torch.randn(9, 1025, generator=torch.Generator().manual_seed(1)).mul(2).round()
    sort = logits.sort(dim=-1, descending=True, stable=True)
    assert torch.equal(descending(logits)[1], sort.indices)
    assert torch.equal(highest(logits.T.contiguous().T, 50), sort.indices[:, :50].sort(dim=-1).values)
    assert descending(logits.to("meta"))[1].shape == (9, 1025)
    assert highest(logits.to("meta"), 50).shape == (9, 50)


CHAINS = [
    ["top-k:7", "top-p:0.8", "min-p:0.1", "temperature:0.7"],
    ["repetition-penalty:1.5", "top-k:3", "temperature:1.4", "min-p:0.3"],
    ["suppress:3", "top-k:9", "typical-p:0.6", "eta:0.1"],
    ["top-k:5", "dynamic-temperature", "quadratic:0.3", "top-a:0.3", "epsilon:0.05"],
    ["top-k:12", "top-p:0.9", "xtc:1,threshold=0.05", "temperature:0.8"],  # xtc gets the whole vocabulary
    ["top-k:12", "tfs:0.9", "top-k:4", "min-p:0.2"],
    ["top-k:1"],
    ["top-k:8", "top-p:0.7", "greedy"],
    ["top-k:8", "min-p:0.1", "mirostat"],
]


def both(specs: Sequence[str]) -> tuple[Chain, Chain]:
    """The chain, and the same one that never narrows."""
    chain = compile_chain([as_sampler(each) for each in specs], "ar").build(BuildContext(vocab_size=SIZE))
    selector = chain.selector
    return chain, Chain([replace(each, compact=False) for each in chain.stages], selector, vocab_size=SIZE)


@pytest.mark.parametrize("stop", [None, STOP, 3])
@pytest.mark.parametrize("specs", CHAINS, ids="+".join)
def test_the_chain_chooses_as_on_the_whole_vocabulary(specs: list[str], stop: int | None) -> None:
    few, whole = both(specs)
    step = Step.start(range(16), seed=5, capacity=12, stop_token=stop)
    states = [each.init(16, step) for each in (few, whole)]
    made = torch.Generator().manual_seed(7)
    for turn in range(10):
        logits = torch.randn(16, SIZE, generator=made) * 3
        logits[0] = logits[0].round()
        logits[1, 4:] = -torch.inf
        logits[2, : SIZE - 1] = -torch.inf
        logits[3] = torch.nan
        logits[4, STOP] = 20.0  # the stop token is among the best, and nearly alone
        logits[5, STOP] = -20.0
        logits[6] = torch.inf if turn == 3 else 0.0
        given = logits.clone()
        tokens = [each.choose(logits, step, state) for each, state in zip((few, whole), states, strict=True)]
        assert torch.equal(*tokens)
        assert torch.equal(given.nan_to_num(), logits.nan_to_num()), "the logits are the engine's"
        left = [each.process(logits, step, states[at]) for at, each in enumerate((few, whole))]
        assert torch.equal(left[0] == -torch.inf, left[1] == -torch.inf)
        assert torch.allclose(left[0], left[1], atol=1e-5)
        assert torch.equal(few.select(left[0], step, states[0]), tokens[0])
        states = [each.accept(tokens[0], step, state) for each, state in zip((few, whole), states, strict=True)]
        step.append(tokens[0])
    assert states[0].counts() == states[1].counts()
    assert states[0].counts()["degenerate"][3] > 0


def test_what_follows_sees_few_tokens_only_if_it_says_so() -> None:
    seen: list[int] = []

    class Looks(StatelessTransform):
        def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
            seen.append(logits.shape[-1])
            return logits

    top_k = as_sampler("top-k:7").build(BuildContext())
    for compact, stop, width in ((True, STOP, 8), (True, None, 7), (False, STOP, SIZE), (True, 3, SIZE)):
        chain = Chain([Stage("top-k", top_k, compact=True), Stage("looks", Looks(), compact=compact)])
        step = Step.start([0], stop_token=stop)
        logits = torch.randn(1, SIZE)
        logits[0, STOP] = -9.0  # one column more, for it isn't among the highest
        chain.choose(logits, step, chain.init(1, step))
        assert seen.pop() == width


def test_the_stop_token_is_there_once() -> None:
    logits = torch.arange(6.0).repeat(2, 1)
    logits[1, 5] = -9.0
    few = Candidates.of(logits, highest(logits, 2), 5)
    assert few.ids.tolist() == [[4, 5, 5], [3, 4, 5]]
    assert few.logits.tolist() == [[4.0, -torch.inf, 5.0], [3.0, 4.0, -9.0]]
    nothing = torch.full_like(few.logits, -torch.inf)
    assert few.filtered(nothing).spread().tolist() == [[-torch.inf] * 5 + [5.0], [-torch.inf] * 5 + [-9.0]]
    assert few.tokens(torch.tensor([2, 0])).tolist() == [5, 3]
