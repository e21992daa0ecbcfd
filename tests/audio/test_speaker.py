"""Descriptions of speakers: recordings of one are alike, whatever the level and the rate; of two they aren't."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from vall_e_audio import Wave, likeness, resample, voiceprint

EXAMPLES = Path(__file__).parents[2] / "examples"
VOICES = ("heart", "sarah", "isabella", "michael", "puck", "fable")
Print = NDArray[np.float64]


def recording(name: str) -> tuple[Wave, int]:
    samples, rate = soundfile.read(EXAMPLES / f"{name}.wav", dtype="float32")
    return samples, rate


def found(wave: Wave, rate: int) -> Print:
    made = voiceprint(wave, rate)
    assert made is not None and np.linalg.norm(made) == pytest.approx(1.0)
    return made


@pytest.fixture(scope="module")
def halves() -> dict[str, tuple[Print, Print]]:
    """Of each voice, the two halves of its recording: different words."""
    made = {}
    for name in VOICES:
        wave, rate = recording(name)
        made[name] = (found(wave[: len(wave) // 2], rate), found(wave[len(wave) // 2 :], rate))
    return made


@pytest.mark.parametrize("name", VOICES)
def test_a_voice_is_nearest_to_itself(halves: dict[str, tuple[Print, Print]], name: str) -> None:
    one, other = halves[name]
    others = [likeness(one, each) for mine, pair in halves.items() if mine != name for each in pair]
    assert likeness(one, other) > max(others) + 0.05


def test_two_seconds_of_one_speaker_are_alike_and_of_two_are_not(halves: dict[str, tuple[Print, Print]]) -> None:
    own = [likeness(*pair) for pair in halves.values()]
    others = [
        likeness(a, b) for one in VOICES for other in VOICES if one < other for a in halves[one] for b in halves[other]
    ]
    assert np.mean(own) > 0.5 and np.mean(others) < 0.05


def test_level_rate_and_silence_around_it_say_nothing() -> None:
    wave, rate = recording("heart")
    plain = found(wave, rate)
    assert likeness(plain, found(0.1 * wave, rate)) > 0.999
    assert likeness(plain, found(resample(wave, rate, 24_000), 24_000)) > 0.98
    assert likeness(plain, found(np.pad(wave, (rate, rate)), rate)) > 0.99


@pytest.mark.parametrize("wave", [np.zeros(0), np.zeros(50), np.zeros(16_000), np.full(16_000, 0.3)], ids=len)
def test_there_is_none_of_hardly_any_sound(wave: Wave) -> None:
    assert voiceprint(wave.astype(np.float32), 16_000) is None
