"""Sequences that join a running batch say what they say alone; a sequence handed out in pieces is the whole one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext
from vall_e_core.sampling.running import Chain, compile_chain
from vall_e_core.testing import as_sampler
from vall_e_lm import ArPass, EarlyExit, Guidance, Model, ModelConfig, Utterance, generate_ar, stream_ar
from vall_e_lm.decode import ArResult
from vall_e_lm.decode import loop as loops
from vall_e_lm.decode.sequences import can_join
from vall_e_lm.model import Model7

from .conftest import SMALL, Make

STOP = 24
LIMITS = [9, 30, 4, 17, 25, 1, 12, 30, 6, 21]
OFTEN = f"logit-bias:{STOP}@9"
"""Stops now and then, so that rows end where nobody expects it."""
CHAINS: list[tuple[str, ...]] = [
    (), (OFTEN,), (OFTEN, "dry", "repetition-penalty", "top-k:12", "top-p:0.9"), ("mirostat:3",), (OFTEN, "ras:4"),
    ("adaptive-p",), (OFTEN, "no-repeat-ngram:3", "length-penalty:0.5"), ("frequency-presence", "xtc", "min-p"),
]  # fmt: skip
WAYS: list[dict[str, Any]] = [
    {}, {"guidance": Guidance(2.0, 0.7)}, {"guidance": Guidance(1.5, 0.0)}, {"refine_on_stop": True}, {"cache": False},
    {"early_exit": EarlyExit(3, 2.0, 2.0)},
]  # fmt: skip


def chain_of(*specs: str) -> Chain:
    plan = compile_chain([as_sampler(spec) for spec in specs], "ar")
    return plan.build(BuildContext(vocab_size=STOP + 1, stop_token=STOP))


def utterances() -> list[Utterance]:
    made = torch.Generator().manual_seed(7)
    return [
        Utterance(
            i, torch.randint(3, 20, (4 + 5 * i % 7,), generator=made), 1,
            torch.randint(0, 24, (3 + i, 4), generator=made),
            prefix=torch.randint(0, 24, (i % 3,), generator=made) if i % 3 else None, keep_prefix=i % 2 == 0,
        )
        for i in range(len(LIMITS))
    ]  # fmt: skip


def say(model: Model, chain: Chain, items: Sequence[int], batch: int | None, **how: Any) -> list[ArResult]:
    every = utterances()
    mine, limits = [every[i] for i in items], [LIMITS[i] for i in items]
    return generate_ar(model, mine, ArPass(chain, seed=5, batch_size=batch, **how), max_steps=limits)


def same(left: ArResult, right: ArResult) -> bool:
    close = abs(left.log_probability - right.log_probability) < 1e-3
    facts = left.stop_reason == right.stop_reason and (left.steps, left.refined) == (right.steps, right.refined)
    return torch.equal(left.codes, right.codes) and facts and close


@pytest.mark.slow
@pytest.mark.parametrize("specs", CHAINS, ids=" ".join)
def test_who_joins_says_what_it_says_alone(make: Make, specs: tuple[str, ...]) -> None:
    model, chain, everyone = make(layers=2), chain_of(*specs), range(len(LIMITS))
    alone = [say(model, chain, [i], None)[0] for i in everyone]
    for batch in (1, 2, 3, 9):
        assert all(map(same, say(model, chain, everyone, batch), alone))


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS, ids=lambda how: " ".join(how) or "plain")
def test_however_level_0_is_written(make: Make, how: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model, chain, everyone = make(), chain_of(OFTEN, "dry"), range(len(LIMITS))
    alone = [say(model, chain, [i], None, **how)[0] for i in everyone]
    for period, batch in ((1, 3), (5, 4), (16, 3)):
        monkeypatch.setattr(loops, "CHECK_PERIODS", {"cpu": period})
        assert all(map(same, say(model, chain, everyone, batch, **how), alone))


@pytest.mark.slow
@pytest.mark.parametrize("specs", [("beam:2",), ("mirostat:3", "beam:3")], ids=" ".join)
def test_a_search_goes_in_batches(make: Make, specs: tuple[str, ...]) -> None:
    model, chain, everyone = make(), chain_of(*specs), range(len(LIMITS))
    assert all(map(same, say(model, chain, everyone, 3), say(model, chain, everyone, None)))


def test_all_levels_at_once_go_in_batches() -> None:
    model = Model7(ModelConfig(**(SMALL | {"version": 7, "layers": 2})), seed=1).eval()
    chain = chain_of()
    made = torch.Generator().manual_seed(7)
    items = [Utterance(i, torch.randint(3, 20, (4 + i,), generator=made), 1) for i in range(5)]
    passes = [ArPass(chain, seed=5, batch_size=size) for size in (None, 2)]
    together, few = (generate_ar(model, items, how, max_steps=6) for how in passes)
    assert all(map(same, few, together))


def test_places_are_kept_full(make: Make) -> None:
    """One long and many short ones: in batches of two each short one would wait for the end of its neighbour."""
    model, rows = make(), []

    def count(module: torch.nn.Module, given: tuple[Tensor, ...]) -> None:
        rows.append(given[0].shape[:2])

    model.model.register_forward_pre_hook(count)
    every = utterances()[:7]
    limits = [40, 8, 8, 8, 8, 8, 1]
    generate_ar(model, every, ArPass(chain_of(f"suppress:{STOP}"), seed=1, batch_size=2), max_steps=limits)
    steps = sum(1 for shape in rows if shape[1] == 1)
    assert steps <= 42, "the long one's 40 steps hold all the others'"
    assert max(shape[0] for shape in rows) == 2


@dataclass
class _Shared:
    count: Tensor


def test_state_that_belongs_to_all_rows_keeps_newcomers_out(make: Make) -> None:
    chain = chain_of()
    settings = loops.Settings("ar")
    assert can_join(chain, settings)
    shared = chain_of()
    fresh = shared.init

    def init(*given: Any, **more: Any) -> Any:
        state = fresh(*given, **more)
        state.stages = [_Shared(torch.zeros(()))]
        return state

    shared.init = init  # type: ignore[method-assign]  # a chain whose state all rows share
    assert not can_join(shared, settings)
    assert not can_join(chain_of("beam:2"), settings)
    assert not can_join(chain, loops.Settings("ar", early_exit=EarlyExit(2)))


def test_progress_never_goes_beyond_what_it_said(make: Make) -> None:
    seen: list[tuple[str, int, int]] = []
    say(make(), chain_of(), range(len(LIMITS)), 3, progress=lambda *step: seen.append(step))
    assert [done for _, done, _ in seen] == list(range(1, len(seen) + 1))
    assert len({most for _, _, most in seen}) == 1 and seen[-1][1] <= seen[-1][2]


@pytest.mark.parametrize("every", [1, 3, 100])
@pytest.mark.parametrize(
    "how", [{}, {"guidance": Guidance(2.0)}, {"cache": False}, {"early_exit": EarlyExit(1, 2.0, 2.0)}]
)
def test_pieces_make_the_whole(make: Make, every: int, how: dict[str, Any]) -> None:
    model, chain = make(layers=2), chain_of(OFTEN, "dry")
    for utterance, limit in zip(utterances(), LIMITS, strict=True):
        if utterance.keep_prefix:
            continue
        (whole,) = generate_ar(model, [utterance], ArPass(chain, seed=5, **how), max_steps=limit)
        pieces: list[Tensor] = []
        stream = stream_ar(model, utterance, ArPass(chain, 5, **how), max_steps=limit, every=every)
        while True:
            try:
                pieces.append(next(stream))
            except StopIteration as end:
                assert same(end.value, whole)
                break
        assert torch.cat([*pieces, whole.codes[:0]]).equal(whole.codes)
        assert all(len(piece) == every for piece in pieces[:-1])
