"""A row alone on a CPU goes through numpy: it gets what it gets in a batch, which goes through torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from vall_e_core import BuildContext
from vall_e_core.sampling import StatelessTransform, Step, cumulated_row
from vall_e_core.sampling.running import Chain, Stage, compile_chain
from vall_e_core.testing import as_sampler

SIZE, STOP, ROWS, TURNS = 40, 39, 12, 14
GONE = -torch.inf
CHAINS = [
    ["repetition-penalty:1.2", "dry:0.8", "top-k:12", "top-p:0.9", "min-p:0.05", "temperature:0.95"],
    ["repetition-penalty:0.7,decay=0.5,window=4", "dry:-2,range=6,breakers=3+5,allowed_length=1", "top-p:0.6"],
    ["repetition-penalty:3,window=-1", "dry:1e9,base=9,allowed_length=0", "min-p:0.3", "greedy"],
    ["top-k:3", "temperature:0"],
    ["temperature:1.3", "top-k:9", "typical-p:0.6", "top-p:0.5"],  # typical-p knows nothing of arrays
    ["suppress:3", "top-k:12", "xtc:1,threshold=0.05", "min-p:0.1"],  # xtc gets the whole vocabulary back
    ["top-k:8", "min-p:0.1", "mirostat"],
    ["repetition-penalty:1.5", "ras"],
    ["temperature:0.8", "top-k:8", "adaptive-p"],
]


def difficult(made: torch.Generator, turn: int) -> Tensor:
    """Logits [ROWS, SIZE]: ordinary, tied, removed, broken, with the stop token high or low or alone."""
    logits = torch.randn(ROWS, SIZE, generator=made) * 3
    logits[0] = logits[0].round()
    logits[1, 4:] = GONE
    logits[2, :STOP] = GONE
    logits[3] = torch.nan if turn % 2 else GONE
    logits[4, STOP] = 20.0
    logits[5, STOP] = -20.0
    logits[6] = torch.inf if turn == 3 else 0.0
    logits[7, STOP] = GONE
    logits[8] = logits[8].sign() * 0.0
    logits[9, torch.randperm(SIZE, generator=made)[:10]] = 2.0
    return logits


@pytest.mark.slow
@pytest.mark.parametrize("stop", [None, STOP, 3])
@pytest.mark.parametrize("specs", CHAINS, ids="+".join)
def test_a_row_alone_gets_what_it_gets_in_the_batch(specs: list[str], stop: int | None) -> None:
    """Tokens, what is left, and what is counted; through steps in which the history repeats itself."""
    chain = compile_chain([as_sampler(each) for each in specs], "ar").build(BuildContext(vocab_size=SIZE))
    batches = [list(range(ROWS)), *([row] for row in range(ROWS))]
    steps = [Step.start(each, seed=5, capacity=TURNS - 2, stop_token=stop) for each in batches]
    states = [chain.init(len(each.rows), each) for each in steps]
    made = torch.Generator().manual_seed(7)
    for turn in range(TURNS):
        logits = difficult(made, turn)
        given = logits.clone()
        inputs = [logits, *logits.split(1)]
        tokens = [chain.choose(*each) for each in zip(inputs, steps, states, strict=True)]
        assert torch.equal(tokens[0], torch.cat(tokens[1:]))
        left = [chain.process(*each) for each in zip(inputs, steps, states, strict=True)]
        assert torch.equal(left[0] == GONE, torch.cat(left[1:]) == GONE)
        assert torch.allclose(left[0], torch.cat(left[1:]), atol=1e-5)
        assert torch.equal(given.nan_to_num(), logits.nan_to_num()), "the logits are the engine's"
        forced = tokens[0] if turn % 3 else torch.full_like(tokens[0], turn % 2)
        imposed = [forced, *forced.split(1)]
        states = [chain.accept(*each) for each in zip(imposed, steps, states, strict=True)]
        for step, token in zip(steps, imposed, strict=True):
            step.append(token)
    counts = [each.counts() for each in states]
    for key, batch in counts[0].items():
        assert batch == [each[key][0] for each in counts[1:]]
    assert counts[0]["degenerate"][3] > 0


def test_many_draws_are_the_same() -> None:
    """At the size of a codec's vocabulary, one step after the other with the same noise."""
    specs = [*CHAINS[0][:2], "top-k:50", *CHAINS[0][3:]]
    chain = compile_chain([as_sampler(each) for each in specs], "ar").build(BuildContext(vocab_size=1025))
    made = torch.Generator().manual_seed(3)
    both, alone = (Step.start(range(count), seed=9, capacity=300, stop_token=1024) for count in (2, 1))
    states = [chain.init(2, both), chain.init(1, alone)]
    for _ in range(300):
        logits = torch.randn(2, 1025, generator=made) * 2.5
        tokens = [chain.choose(logits, both, states[0]), chain.choose(logits[:1], alone, states[1])]
        assert torch.equal(tokens[0][:1], tokens[1])
        states = [chain.accept(*each) for each in zip(tokens, (both, alone), states, strict=True)]
        both.append(tokens[0])
        alone.append(tokens[1])


@pytest.mark.parametrize("size", [1, 10, 50, 51, 1025])
def test_probabilities_add_up_to_the_bit(size: int) -> None:
    """Where a nucleus ends may hang on the last bit: ten equal tokens, and p = 0.9."""
    made = torch.Generator().manual_seed(size)
    drawn = torch.randn(1, size, generator=made)
    for logits in (torch.zeros(1, size), drawn, drawn.round()):
        assert torch.equal(torch.from_numpy(cumulated_row(logits.numpy()[0])), torch.softmax(logits, -1).cumsum(-1)[0])


class Halves(StatelessTransform):
    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits / 2

    def apply_row(self, logits: NDArray[np.float32], step: Step, state: None) -> NDArray[np.float32]:
        return logits / np.float32(2)


class Doubles(Halves):
    """Its author knows nothing of `apply_row`."""

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        return logits * 2


def test_a_derived_class_that_changes_only_apply_is_asked_for_that() -> None:
    chain = Chain([Stage("halves", Halves(), removes=False), Stage("doubles", Doubles(), removes=False)])
    step = Step.start([0])
    logits = torch.randn(1, SIZE)
    assert torch.equal(chain.process(logits, step, chain.init(1, step)), logits)
