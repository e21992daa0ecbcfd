"""Many requests, one engine: each is spoken as it is alone, to the bit where that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch

from vall_e_core import InputError, Registry, VallE
from vall_e_core.sampling.running import ChainRequest
from vall_e_core.testing import as_sampler
from vall_e_tts import Scheduler, SpeechOptions, SpeechRequest, SpeechStream

TEXTS = [
    "hello there", "one two three. four five six seven. eight nine ten eleven.", "a much longer sentence than that",
    "and another. and one more.", "the last of them", "really the last. no. yes.", "so many requests", "and so few",
]  # fmt: skip
CHAINS = [(), ("top-k:9",), ("min-p", "dry"), ("beam:2",)]


@pytest.fixture
def engine(registry: Registry, model_path: Any) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu", threads=1, engine="eager")


def begin(scheduler: Scheduler, n: int, **how: Any) -> SpeechStream:
    options = SpeechOptions(phonemizer="letters", seed=n, max_ar_steps=str(20 + 5 * n), max_tries=2, batch_size=4)
    specs = CHAINS[n % len(CHAINS)]
    chains = {"ar": ChainRequest([as_sampler(spec) for spec in specs], {})} if specs else {}
    request = SpeechRequest(TEXTS[n], (), "tim", None, "tts", options)
    return scheduler.begin(request, chains, early=n % 2 == 0, **how)


def finish(scheduler: Scheduler, streams: Sequence[SpeechStream]) -> list[np.ndarray[Any, Any]]:
    waves: list[list[Any]] = [[] for _ in streams]
    while not all(each.finished for each in streams):
        scheduler.step()
        for found, each in zip(waves, streams, strict=True):
            while (wave := each.poll()) is not None:
                found.append(wave)
    return [np.concatenate(each) for each in waves]


@pytest.mark.slow
def test_whatever_runs_beside_it_a_request_gets_the_same_bytes(engine: VallE) -> None:
    alone = []
    for n in range(len(TEXTS)):
        scheduler = Scheduler(engine, rows=4, alike=True)
        alone += finish(scheduler, [begin(scheduler, n)])
    for rows in (4, 4):
        scheduler = Scheduler(engine, rows=rows, alike=True)
        first = [begin(scheduler, n) for n in range(3)]
        for _ in range(9):
            scheduler.step()
        together = finish(scheduler, [*first, *(begin(scheduler, n) for n in range(3, len(TEXTS)))])
        for mine, other in zip(together, alone, strict=True):
            np.testing.assert_array_equal(mine, other)
        assert scheduler.idle and scheduler.active == 0


@pytest.mark.slow
def test_one_that_leaves_frees_its_rows_and_nobody_notices(engine: VallE) -> None:
    scheduler = Scheduler(engine, rows=4, alike=True)
    (expected,) = finish(scheduler, [begin(scheduler, 1)])
    stays, leaves = begin(scheduler, 1), begin(scheduler, 4)
    for _ in range(6):
        scheduler.step()
    rows = scheduler.active
    leaves.close()
    assert scheduler.active < rows
    (found,) = finish(scheduler, [stays])
    np.testing.assert_array_equal(found, expected)
    assert leaves.finished and leaves.poll() is None and list(leaves) == []
    with pytest.raises(ValueError, match="isn't finished"):
        _ = leaves.record


@pytest.mark.slow
def test_what_goes_wrong_in_one_is_its_own(engine: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = Scheduler(engine, rows=4, alike=True)
    (expected,) = finish(scheduler, [begin(scheduler, 1)])

    def stop(stage: str, done: int, most: int) -> None:
        if done > 3:
            raise InputError("enough")

    good, bad = begin(scheduler, 1), begin(scheduler, 4, progress=stop)
    found: list[Any] = []
    with pytest.raises(InputError, match="enough"):
        while True:
            scheduler.step()
            if (wave := good.poll()) is not None:
                found.append(wave)
            bad.poll()
    np.testing.assert_array_equal(np.concatenate([*found, *finish(scheduler, [good])]), expected)


@pytest.mark.slow
def test_a_stream_may_be_asked_while_others_run(engine: VallE) -> None:
    scheduler = Scheduler(engine, rows=4, alike=True)
    one, other = begin(scheduler, 0), begin(scheduler, 2)
    first = np.concatenate(list(one))
    rest = np.concatenate(list(other))
    again = Scheduler(engine, rows=4, alike=True)
    np.testing.assert_array_equal(first, np.concatenate(list(begin(again, 0))))
    np.testing.assert_array_equal(rest, np.concatenate(list(begin(again, 2))))


@pytest.mark.slow
@pytest.mark.parametrize("early", [True, False])
def test_for_a_listener_who_takes_nothing_out_little_is_made(engine: VallE, early: bool) -> None:
    """About 4 s, and the piece that goes beyond; the others go on. Then he gets all of it."""
    scheduler = Scheduler(engine, rows=4)
    options = SpeechOptions(phonemizer="letters", seed=3, max_ar_steps="150", max_tries=1, batch_size=4)
    text = ". ".join(["one two three four five six seven eight nine ten eleven twelve"] * 9)
    slow = scheduler.begin(SpeechRequest(text, (), "tim", None, "tts", options), early=early)
    quick = begin(scheduler, 3)
    (found,) = finish(scheduler, [quick])
    assert len(found)
    while scheduler.step():
        pass
    assert not slow.finished
    ready = []
    while (wave := slow.poll()) is not None:
        ready.append(wave)
    made = sum(map(len, ready)) / slow.sample_rate
    assert 0 < made < 4 + 3.2, "no more than one part beyond"
    (rest,) = finish(scheduler, [slow])
    assert made + len(rest) / slow.sample_rate == pytest.approx(slow.record["duration"], abs=1e-3)
    assert slow.record["duration"] > 10


def test_a_step_with_nothing_to_do_says_so(engine: VallE) -> None:
    scheduler = Scheduler(engine, rows=2)
    assert scheduler.idle and not scheduler.step()
    with torch.inference_mode():
        (found,) = finish(scheduler, [begin(scheduler, 0)])
    assert len(found) and not scheduler.step()


@pytest.mark.slow
def test_what_was_found_out_about_the_model_is_kept_while_nobody_speaks(
    engine: VallE, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vall_e_lm.decode import shared

    asked: list[int] = []
    tried = shared.alike_rows
    monkeypatch.setattr(shared, "alike_rows", lambda *given: asked.append(1) or tried(*given))
    scheduler = Scheduler(engine, rows=3, alike=True)
    for n in (1, 5):
        finish(scheduler, [begin(scheduler, n)])
        assert scheduler.idle
    assert len(asked) == 1
