"""What the wheel carries speaks and listens: a slice of the voice's report, with floors well below its figures."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
import torch

from vall_e_audio import AudioClip, read_audio
from vall_e_core import VallE, Voice
from vall_e_eval import Recording
from vall_e_eval.material import choose, read_sentences
from vall_e_eval.sphinx import SentenceJudge
from vall_e_scorers.hearing import distance, letters
from vall_e_tts import Speech

ROOT = Path(__file__).parents[2]
LIST_A = [each.text for each in choose(read_sentences(), "A", 8)]
VOICES = ("heart", "sarah", "isabella", "michael", "puck", "fable")
FIRST = "The birch canoe slid on the smooth planks."
"""What the README's first command says."""


@pytest.fixture(scope="module")
def engine() -> VallE:
    return VallE.load(device="cpu")


@pytest.fixture(scope="module")
def judge() -> SentenceJudge:
    return SentenceJudge([*(each.text for each in read_sentences()), FIRST])


@pytest.mark.slow
def test_the_first_command_is_heard(engine: VallE, judge: SentenceJudge) -> None:
    said = [engine.synthesize(FIRST, [ROOT / "examples" / "heart.wav"], seed=seed) for seed in (1, 2, 3)]
    assert all(speech.stopped for speech in said)
    assert sum(judge.hear(Recording(speech.wave, speech.sample_rate)) == FIRST for speech in said) >= 2


@pytest.mark.once
@pytest.mark.slow
def test_sentences_are_identified_in_every_voice(engine: VallE, judge: SentenceJudge) -> None:
    """16 recordings, a choice of 121 sentences: chance is 0.1."""
    right = 0
    for sentence in LIST_A[:4]:
        for voice in VOICES:
            speech = engine.synthesize(sentence, voice=voice, seed=1)
            assert 0.8 < speech.seconds < 6.0
            right += judge.hear(Recording(speech.wave, speech.sample_rate)) == sentence
    assert right >= 12


@pytest.mark.slow
def test_the_codec_keeps_the_references_and_stt_reads_them(engine: VallE) -> None:
    errors = length = 0
    phonemizer = engine.registry.get("phonemizer", "espeak").from_spec("")
    from vall_e_core import BuildContext

    for voice in VOICES:
        component = engine.registry.get("voice", voice)
        assert issubclass(component, Voice)
        clip = read_audio(component().audio_path(), sample_rate=engine.codec.sample_rate)
        codes = engine.codec.encode(clip.tensor())
        again = engine.codec.decode(codes)
        frame = engine.codec.sample_rate / engine.codec.frame_rate
        assert abs(len(again) - len(clip.samples)) < frame and bool(torch.isfinite(again).all())
        assert len(codes.unique(dim=0)) > 0.7 * len(codes)
        truth = phonemizer.build(BuildContext()).phonemize([component.transcript], "en")[0]
        heard = engine.transcribe(component().audio_path()).phonemes
        errors += distance(letters(truth), letters(heard))
        length += len(letters(truth))
    assert errors < 0.3 * length


@pytest.mark.slow
def test_d5_every_sentence_of_a_long_text_is_heard_in_its_place(engine: VallE, judge: SentenceJudge) -> None:
    sentences = LIST_A[4:8]
    speech = engine.synthesize(" ".join(sentences), voice="heart", seed=1)
    assert [part.text for part in speech.parts] == sentences
    heard = engine.transcribe(clip_of(speech)).phonemes
    wanted = " ".join(part.phonemes for part in speech.parts)
    assert distance(letters(wanted), letters(heard)) < 0.35 * len(letters(wanted))
    rate = speech.sample_rate
    places = [slice(round(p.start * rate), round((p.start + p.seconds) * rate)) for p in speech.parts]
    found = [judge.hear(Recording(speech.wave[place], rate)) for place in places]
    assert sum(a == b for a, b in zip(found, sentences, strict=True)) >= 3


def clip_of(speech: Speech) -> AudioClip:
    """What was said, as a recording."""
    return AudioClip(speech.wave, speech.sample_rate, "speech", False, speech.sample_rate, 1, "array", "float32")


def test_examples_are_the_packaged_voices(engine: VallE) -> None:
    for voice in VOICES:
        packaged = engine.registry.get("voice", voice)().audio_path()  # type: ignore[attr-defined]
        assert packaged.read_bytes() == (ROOT / "examples" / f"{voice}.wav").read_bytes()


def test_all_that_the_wheel_carries_is_small() -> None:
    import vall_e_mini

    files = list(Path(vall_e_mini.__file__).parent.rglob("*"))
    assert sum(path.stat().st_size for path in files if path.is_file()) <= 30e6


def test_output_is_at_the_codecs_rate(engine: VallE, tmp_path: Path) -> None:
    path = engine.synthesize("Hello.", voice="heart", seed=1).save(tmp_path / "hello.wav")
    info = soundfile.info(path)
    assert info.samplerate == 24000 and 0.2 <= info.duration <= 2.0
