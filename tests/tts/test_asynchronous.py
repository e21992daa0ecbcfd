"""One model for many coroutines: each gets what it would get alone, and who leaves frees the model at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest

from vall_e_core import InputError, ModelError, Registry, UsageError, VallE
from vall_e_tts import AsyncVallE

T = TypeVar("T")
HOW: dict[str, Any] = {"voice": "tim", "phonemizer": "letters", "max_ar_steps": "30", "max_tries": 1}
TEXTS = ["hello there", "one two three. four five six.", "the last of them", "and one more"]


@pytest.fixture
def with_engine(registry: Registry, model_path: Path) -> Callable[[Callable[[AsyncVallE], Awaitable[T]]], T]:
    """Runs a coroutine function with an engine."""

    def run(use: Callable[[AsyncVallE], Awaitable[T]]) -> T:
        async def main() -> T:
            engine = AsyncVallE.load(
                model_path, rows=3, registry=registry, device="cpu", threads=1, engine="eager"
            )  # fmt: skip
            async with engine:
                return await use(engine)

        return asyncio.run(main())

    return run


@pytest.mark.slow
def test_calls_side_by_side_give_what_they_give_alone(with_engine: Any) -> None:
    async def use(engine: AsyncVallE) -> Any:
        alone = [await engine.synthesize(text, seed=n, **HOW) for n, text in enumerate(TEXTS)]
        together = await asyncio.gather(*(engine.synthesize(text, seed=n, **HOW) for n, text in enumerate(TEXTS)))
        return alone, together

    alone, together = with_engine(use)
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.wave, other.wave)
        assert [part.text for part in one.parts] == [part.text for part in other.parts]
        assert one.record["seed"] == other.record["seed"] and one.sample_rate == 8_000


@pytest.mark.slow
def test_a_stream_is_the_speech_in_pieces_and_may_be_left(with_engine: Any) -> None:
    async def use(engine: AsyncVallE) -> Any:
        whole = [wave async for wave in engine.stream(TEXTS[1], seed=1, **HOW)]
        left = engine.stream(TEXTS[1] * 20, seed=1, **HOW)
        async for _ in left:
            break
        await left.aclose()
        again = [wave async for wave in engine.stream(TEXTS[1], seed=1, **HOW)]
        return whole, again

    whole, again = with_engine(use)
    assert len(whole) > 1
    np.testing.assert_array_equal(np.concatenate(whole), np.concatenate(again))


def test_a_call_that_is_cancelled_ends(with_engine: Any) -> None:
    async def use(engine: AsyncVallE) -> Any:
        task = asyncio.create_task(engine.synthesize(TEXTS[1] * 50, seed=1, **HOW))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return await engine.synthesize(TEXTS[0], seed=0, **HOW)

    assert len(with_engine(use).wave)


def test_what_is_wrong_is_raised_where_it_was_asked_for(with_engine: Any) -> None:
    async def use(engine: AsyncVallE) -> Any:
        with pytest.raises(InputError, match="nothing to say"):
            await engine.synthesize("", **HOW)
        with pytest.raises(UsageError):
            await engine.synthesize("hello", seed=-1, **HOW)
        with pytest.raises(TypeError):
            await engine.synthesize("hello", colour="red", **HOW)
        good, bad = await asyncio.gather(
            engine.synthesize(TEXTS[0], seed=0, **HOW), engine.synthesize("hello", seed=0, **{**HOW, "voice": "who"}),
            return_exceptions=True,
        )  # fmt: skip
        return good, bad

    good, bad = with_engine(use)
    assert len(good.wave) and isinstance(bad, UsageError)


def test_it_also_transcribes(with_engine: Any) -> None:
    async def use(engine: AsyncVallE) -> Any:
        speech = await engine.synthesize(TEXTS[0], seed=0, **HOW)
        heard, said = await asyncio.gather(
            engine.transcribe((speech.wave, speech.sample_rate)), engine.synthesize(TEXTS[0], seed=0, **HOW)
        )
        return speech, heard, said

    speech, heard, said = with_engine(use)
    assert heard.seconds == pytest.approx(len(speech.wave) / speech.sample_rate)
    np.testing.assert_array_equal(speech.wave, said.wave)


def test_a_model_that_cannot_be_loaded_is_said_on_entering(tmp_path: Path) -> None:
    async def enter() -> None:
        async with AsyncVallE.load(tmp_path / "none.sft"):
            raise AssertionError("it was entered")

    with pytest.raises(ModelError):
        asyncio.run(enter())


def test_before_it_is_entered_it_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = AsyncVallE.load().sample_rate


def test_it_is_a_model_like_any_other(with_engine: Any) -> None:
    async def use(engine: AsyncVallE) -> Any:
        return engine.engine

    assert isinstance(with_engine(use), VallE)
