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
    packaged = engine.registry.get("voice", "slt")
    engine.make_voice(EXAMPLES / "slt.wav", text=packaged.transcript).save("mine")  # type: ignore[attr-defined]
    wanted = engine.synthesize("Hello there.", voice="slt", seed=1)
    found = engine.synthesize("Hello there.", voice="mine", seed=1)
    np.testing.assert_array_equal(found.wave, wanted.wave)
    assert found.record["prompt"] == wanted.record["prompt"]


@pytest.mark.slow
def test_what_is_known_of_the_packaged_voices(engine: VallE, tmp_path: Path) -> None:
    """Two men, one woman: their pitch, and no silence to leave out; what is heard in them is noted."""
    notices: list[str] = []
    engine.notify = notices.append
    made = {
        name: engine.make_voice(EXAMPLES / f"{name}.wav", transcribe=name == "rms") for name in ("slt", "rms", "awb")
    }
    pitches = {name: voice.pitch or 0.0 for name, voice in made.items()}
    assert 90 < pitches["rms"] < 120 and 110 < pitches["awb"] < 140 and 150 < pitches["slt"] < 190
    assert notices == [] and all(not voice.warnings for voice in made.values())
    assert len(made["rms"].phonemes or "") > 40 and made["slt"].phonemes is None
    path = made["slt"].save("slt", folder=tmp_path)
    assert path.stat().st_size < 8_000
    assert VoiceFolder(tmp_path).read("slt").origin.code_books_sha256 == engine.codec.code_books_sha256  # type: ignore[attr-defined]
