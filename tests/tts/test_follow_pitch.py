"""Speech at the pitch of its reference."""

from __future__ import annotations

import numpy as np
import pytest

from vall_e_audio import AudioClip, at_pitch, bent, median_pitch, read_audio
from vall_e_audio.pitch import FROM_SEMITONES, TO_SEMITONES
from vall_e_core import VallE, Voice
from vall_e_tts import SpeechOptions, SpeechRequest
from vall_e_voices import SavedVoice

RATE = 16_000
TEXT = "A yellow bus stopped in front of the library."


def buzz(hertz: float, seconds: float = 1.0) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """A sawtooth of ten harmonics."""
    t = np.arange(round(seconds * RATE)) / RATE
    wave = sum(np.sin(2 * np.pi * k * hertz * t) / k for k in range(1, 11))
    return np.asarray(0.2 * wave, np.float32)


@pytest.mark.parametrize(("own", "wanted"), [(110.0, 140.0), (200.0, 150.0), (120.0, 130.0)])
def test_it_is_moved_and_keeps_its_length(own: float, wanted: float) -> None:
    moved, steps = at_pitch(buzz(own), RATE, wanted)
    assert steps == pytest.approx(12 * np.log2(wanted / own), abs=0.15)
    assert median_pitch(moved, RATE) == pytest.approx(wanted, rel=0.03)
    assert len(moved) == pytest.approx(RATE, rel=0.02) and moved.dtype == np.float32


@pytest.mark.parametrize("steps", [0.0, 0.8 * FROM_SEMITONES, 1.1 * TO_SEMITONES, 12.0])
def test_what_is_near_or_an_octave_off_is_left_alone(steps: float) -> None:
    wave = buzz(110.0)
    moved, by = at_pitch(wave, RATE, 110.0 * 2 ** (steps / 12))
    assert by == 0 and moved is wave
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    assert at_pitch(noise, RATE, 110.0)[0] is noise, "what has no pitch"


@pytest.fixture(scope="module")
def engine() -> VallE:
    return VallE.load(device="cpu", threads=1)


@pytest.fixture(scope="module")
def higher(engine: VallE) -> AudioClip:
    """michael, eight semitones higher with the formants kept: further from its own pitch than any voice that was
    learned."""
    clip = read_audio(engine.registry.all(Voice)["michael"]().audio_path())
    rate = clip.sample_rate
    wave = bent(clip.samples, rate, pitch=8.0, formant=0.0)
    return AudioClip(wave, rate, "higher", False, rate, 1, "array", "float32")


def spoken(engine: VallE, higher: AudioClip | None, voice: SavedVoice | None = None, *, follow: bool) -> float:
    references = () if higher is None else (higher,)
    options = SpeechOptions(seed=1, follow_pitch=follow)
    speech = engine.speak(SpeechRequest(TEXT, references, voice, None, "tts", options).prepare(engine.registry), {})
    found = median_pitch(speech.wave, speech.sample_rate)
    assert found is not None
    return found


@pytest.mark.slow
def test_speech_follows_a_pitch_that_the_model_misses(engine: VallE, higher: AudioClip) -> None:
    wanted = median_pitch(higher.samples, higher.sample_rate)
    assert wanted is not None
    assert spoken(engine, higher, follow=False) < 0.88 * wanted
    assert spoken(engine, higher, follow=True) == pytest.approx(wanted, rel=0.06)
    saved = engine.make_voice(higher)
    assert spoken(engine, None, saved, follow=True) == pytest.approx(wanted, rel=0.06), "a saved voice knows its pitch"
