"""The loop that is fed while it runs: every row writes what it writes alone, whoever comes and goes beside it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext
from vall_e_core.sampling import StatelessTransform, Step
from vall_e_core.sampling.running import Chain, compile_chain
from vall_e_core.testing import as_sampler
from vall_e_lm import ArPass, Model, ModelConfig, SharedLoop, Target, Utterance, Written, generate_ar, speech_job

from .conftest import Make

STOP = 24
OFTEN = f"logit-bias:{STOP}@9"
CHAINS: list[tuple[str, ...]] = [
    (OFTEN,), (OFTEN, "dry", "top-k:12"), (OFTEN, "mirostat:3"), ("min-p", "repetition-penalty", OFTEN),
    (OFTEN, "ras:4"), (OFTEN, "no-repeat-ngram:3", "top-p:0.9"),
]  # fmt: skip
CPU = torch.device("cpu")


def chain_of(*specs: str, vocab: int = STOP + 1, stop: int = STOP) -> Chain:
    plan = compile_chain([as_sampler(spec) for spec in specs], "ar")
    return plan.build(BuildContext(vocab_size=vocab, stop_token=stop))


def utterance(i: int, codes: int = 24, levels: int = 4) -> Utterance:
    made = torch.Generator().manual_seed(i)
    return Utterance(
        i, torch.randint(3, 20, (4 + 5 * i % 7,), generator=made), 1,
        torch.randint(0, codes, (3 + i % 9, levels), generator=made),
        prefix=torch.randint(0, codes, (i % 3,), generator=made) if i % 3 else None,
    )  # fmt: skip


def alone(model: Model, i: int, chain: Chain, limit: int) -> Tensor:
    (made,) = generate_ar(model, [utterance(i)], ArPass(chain, seed=100 + i), max_steps=limit)
    return made.codes


def run_all(loop: SharedLoop, jobs: Sequence[tuple[int, Chain, int]], order: random.Random) -> list[Written]:
    """Everything through the loop joining at odd moments."""
    waiting, running, made = list(range(len(jobs))), dict[int, int](), dict[int, Written]()
    while waiting or running:
        some = waiting[: order.randint(0, loop.free)]
        waiting = waiting[len(some) :]
        entries = [
            (speech_job(utterance(i), limit, CPU, seed=100 + i), chain) for i, chain, limit in (jobs[at] for at in some)
        ]
        running |= dict(zip(loop.admit(entries), some, strict=True))
        for number, written in loop.step().items():
            assert isinstance(written, Written)
            made[running.pop(number)] = written
    return [made[at] for at in range(len(jobs))]


@pytest.mark.parametrize("alike", [False, True])
@pytest.mark.parametrize("most", [1, 3, 8])
def test_rows_of_different_chains_and_seeds_write_what_they_write_alone(make: Make, most: int, alike: bool) -> None:
    model, order = make(layers=2), random.Random(most)
    chains = [chain_of(*specs) for specs in CHAINS]
    jobs = [(i, chains[i % len(chains)], 3 + i * 7 % 29) for i in range(24)]
    loop = SharedLoop(model, Target("ar"), "ar", most=most, alike=alike)
    for (i, chain, limit), written in zip(jobs, run_all(loop, jobs, order), strict=True):
        assert torch.equal(written.tokens, alone(model, i, chain, limit)), i
    assert loop.active == 0 and loop.step() == {}


@pytest.mark.slow
def test_a_long_row_may_join_short_ones(make: Make) -> None:
    model, chain = make(), chain_of(f"suppress:{STOP}")
    loop = SharedLoop(model, Target("ar"), "ar", most=8)
    (short,) = loop.admit([(speech_job(utterance(1), 4, CPU, seed=101), chain)])
    ended = loop.step()
    (long,) = loop.admit([(speech_job(utterance(2), 400, CPU, seed=102), chain)])
    while loop.active:
        ended |= loop.step()
    made = [ended[number] for number in (short, long)]
    assert [len(each.tokens) for each in made if isinstance(each, Written)] == [4, 400]
    assert isinstance(made[1], Written) and torch.equal(made[1].tokens, alone(model, 2, chain, 400))


def test_cancelled_rows_leave_at_once_and_nobody_notices(make: Make) -> None:
    model, chain = make(), chain_of(f"suppress:{STOP}", "top-k:9")
    loop = SharedLoop(model, Target("ar"), "ar", most=8)
    numbers = loop.admit([(speech_job(utterance(i), 30, CPU, seed=100 + i), chain) for i in range(4)])
    ended: dict[int, Written | Exception] = {}
    for step in range(30):
        if step == 7:
            assert len(loop.written(numbers[2])) == 7
            loop.cancel([numbers[0], numbers[2], 99])
            assert loop.active == 2
        ended |= loop.step()
    assert sorted(ended) == [numbers[1], numbers[3]]
    for i in (1, 3):
        found = ended[numbers[i]]
        assert isinstance(found, Written) and torch.equal(found.tokens, alone(model, i, chain, 30))


def test_tokens_can_be_read_while_they_are_written(make: Make) -> None:
    model, chain = make(), chain_of(f"suppress:{STOP}")
    loop = SharedLoop(model, Target("ar"), "ar", most=8)
    (number,) = loop.admit([(speech_job(utterance(4), 9, CPU, seed=104), chain)])
    whole = alone(model, 4, chain, 9)
    for step in range(1, 9):
        assert loop.step() == {}
        assert torch.equal(loop.written(number), whole[:step])


class _Breaks(StatelessTransform):
    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        if int(step.index.max()) > 2:
            raise RuntimeError("broken")
        return logits


def test_a_chain_that_fails_ends_its_own_rows_alone(make: Make) -> None:
    from vall_e_core.sampling.running import Stage

    model, good = make(), chain_of(f"suppress:{STOP}")
    bad = Chain([Stage("breaks", _Breaks())], vocab_size=STOP + 1)
    loop = SharedLoop(model, Target("ar"), "ar", most=8)
    fine, broken = loop.admit(
        [(speech_job(utterance(i), 12, CPU, seed=100 + i), chain) for i, chain in ((1, good), (2, bad))]
    )
    ended: dict[int, Written | Exception] = {}
    while loop.active:
        ended |= loop.step()
    assert isinstance(ended[broken], Exception)
    found = ended[fine]
    assert isinstance(found, Written) and torch.equal(found.tokens, alone(model, 1, good, 12))


@pytest.mark.slow
@pytest.mark.parametrize("width", [32, 64, 192])
def test_neighbours_dont_show_in_a_single_bit(width: int) -> None:
    """Tokens and log-probability at 1, 2, 3 and 8 rows, with neighbors of other lengths and chains."""
    model = Model(ModelConfig(width=width, heads=4, layers=3, levels=6, audio_tokens=512), seed=3).eval()
    chains = [
        chain_of(*specs, vocab=513, stop=512)
        for specs in (("top-p:0.95", "suppress:512"), ("min-p", "top-k:40", "suppress:512"))
    ]
    torch.manual_seed(0)
    for each in model.parameters():
        each.data.add_(0.02 * torch.randn_like(each))

    def job(i: int, limit: int) -> tuple[object, Chain]:
        return speech_job(utterance(i, 512, 6), limit, CPU, seed=100 + i), chains[i % 2]

    seen = []
    for rows in (1, 2, 3, 8):
        loop = SharedLoop(model, Target("ar"), "ar", most=8, alike=True)
        (mine,) = loop.admit([job(1, 60)])  # type: ignore[list-item]
        for i in range(2, rows + 1):
            loop.step() if i % 2 and rows < 3 else None
            loop.admit([job(i, 9 * i)])  # type: ignore[list-item]
        ended: dict[int, Written | Exception] = {}
        while loop.active:
            ended |= loop.step()
        found = ended[mine]
        assert isinstance(found, Written)
        seen.append((found.tokens.tolist(), found.log_probability))
    assert all(each == seen[0] for each in seen)
