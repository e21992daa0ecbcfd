"""A recording kept as a voice for the embedded model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vall_e_core import VallE
from vall_e_voices import VoiceFolder

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def engine() -> VallE:
    return VallE.load(device="cpu")


@pytest.mark.slow
def test_a_packaged_recording_kept_as_a_voice_says_the_same(
    engine: VallE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALL_E_VOICES", str(tmp_path))
    packaged = engine.registry.get("voice", "heart")
    engine.make_voice(EXAMPLES / "heart.wav", text=packaged.transcript).save("mine")  # type: ignore[attr-defined]
    wanted = engine.synthesize("Hello there.", voice="heart", seed=1)
    found = engine.synthesize("Hello there.", voice="mine", seed=1)
    np.testing.assert_array_equal(found.wave, wanted.wave)
    assert found.record["prompt"] == wanted.record["prompt"]


@pytest.mark.slow
def test_what_is_known_of_the_packaged_voices(engine: VallE, tmp_path: Path) -> None:
    """Two men, one woman: their pitch, and no silence to leave out; what is heard in them is noted."""
    notices: list[str] = []
    engine.notify = notices.append
    made = {
        name: engine.make_voice(EXAMPLES / f"{name}.wav", transcribe=name == "michael")
        for name in ("heart", "michael", "fable")
    }
    pitches = {name: voice.pitch or 0.0 for name, voice in made.items()}
    assert 90 < pitches["michael"] < 120 and 110 < pitches["fable"] < 140 and 150 < pitches["heart"] < 210
    assert notices == [] and all(not voice.warnings for voice in made.values())
    assert len(made["michael"].phonemes or "") > 40 and made["heart"].phonemes is None
    path = made["heart"].save("heart", folder=tmp_path)
    assert path.stat().st_size < 8_000
    assert VoiceFolder(tmp_path).read("heart").origin.code_books_sha256 == engine.codec.code_books_sha256  # type: ignore[attr-defined]
