"""Voices that a model can't speak with: another prompt for level 0, another voice if asked for, or a clear end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import Tensor

from vall_e_audio import resample
from vall_e_core import BuildContext, InputError, Registry, Sampler, VallE, hookimpl
from vall_e_core.sampling import StatelessTransform, Step
from vall_e_voices import make_voice

TEXT = "The train to the north leaves at nine."
EXAMPLES = Path(__file__).parents[2] / "examples"
LISTEN = ("--listen", "on", "--max-tries", "1")
"""The tiny model's weights are random: whatever it says, it hears something else."""


@pytest.fixture(scope="module")
def engine() -> VallE:
    """The embedded voice."""
    return VallE.load(device="cpu", engine="eager")


def bent(factor: float) -> tuple[np.ndarray[Any, Any], int]:
    """A packaged voice, played slower: lower and longer, as nobody sounds that the embedded voice knows."""
    samples, rate = soundfile.read(EXAMPLES / "heart.wav", dtype="float32")
    return resample(samples, round(rate * factor), rate), rate


class Stumble(StatelessTransform):
    """Nonsense in so many takes, and then speech: as with a reference that leads nowhere."""

    takes = 0

    def apply(self, logits: Tensor, step: Step, state: None) -> Tensor:
        Stumble.takes += int(step.index.max()) == 0
        return torch.zeros_like(logits) if Stumble.takes <= 2 else logits


class Stumbling(Sampler):
    """Nonsense in the first two takes."""

    name = "stumbling"
    stages = frozenset({"ar"})

    def build(self, ctx: BuildContext) -> Stumble:
        return Stumble()


@pytest.mark.slow
def test_level_0_is_taken_from_a_neutral_prompt_where_the_reference_leads_nowhere() -> None:
    @hookimpl
    def vall_e_samplers() -> list[type[Sampler]]:
        return [Stumbling]

    registry = Registry.load()
    registry.register(SimpleNamespace(vall_e_samplers=vall_e_samplers), name="stumbling")
    engine = VallE.load(device="cpu", engine="eager", registry=registry)
    how: dict[str, Any] = {"seed": 1, "sampler": ["stumbling"]}
    Stumble.takes = 0
    speech = engine.synthesize(TEXT, bent(0.75), **how)
    part = speech.record["parts"][0]
    assert part["verdict"] == "ok" and part["rung"] == "neutral prompt"
    assert any("made with a neutral prompt" in each for each in speech.warnings)
    assert [each["rung"] for each in part["attempts"]] == ["as asked", "as asked", "neutral prompt"]
    assert [each["verdict"] for each in part["attempts"]][2] == "ok"
    assert "ok" not in [each["verdict"] for each in part["attempts"]][:2]
    Stumble.takes = 0
    again = engine.synthesize(TEXT, bent(0.75), **how).record["parts"][0]
    assert again["codes_sha256"] == part["codes_sha256"]
    in_its_voice = engine.synthesize(TEXT, voice="heart", seed=part["seed"], listen="off").parts[0]
    spoken = speech.parts[0]
    frames = min(len(in_its_voice.codes), len(spoken.codes))
    assert frames and not np.array_equal(in_its_voice.codes[:frames, 1], spoken.codes[:frames, 1]), "its own levels"


@pytest.mark.slow
def test_a_voice_of_a_plugin_is_tried_as_ever(engine: VallE) -> None:
    assert engine.synthesize(TEXT, voice="heart", seed=1).record["parts"][0]["rung"] == "as asked"


@pytest.mark.slow
def test_the_record_tells_how_like_the_reference_it_sounds(engine: VallE) -> None:
    own = engine.synthesize(TEXT, EXAMPLES / "heart.wav", seed=1)
    assert own.record["likeness"] > 0.6 and not any("sounds little like" in each for each in own.warnings)
    samples, rate = soundfile.read(EXAMPLES / "heart.wav", dtype="float32")
    noise = np.random.default_rng(0).standard_normal(len(samples)) * np.sqrt(np.mean(samples**2))
    strange = engine.synthesize(TEXT, ((samples + noise).astype(np.float32), rate), seed=1)
    assert strange.record["likeness"] < 0.4
    assert any("sounds little like the recording: likeness" in each for each in strange.record["warnings"])
    assert engine.synthesize(TEXT, voice="heart", seed=1).record["likeness"] is None
    saved = make_voice(engine.codec, EXAMPLES / "heart.wav")
    assert engine.synthesize(TEXT, voice=saved, seed=1).record["likeness"] > 0.6


def test_a_run_that_says_nothing_ends_and_names_the_reference(tts: Any) -> None:
    done = tts.run(*LISTEN, code=3)
    assert "can't speak like ref.wav" in done.stderr and "--voice-fallback" in done.stderr
    assert "of the text" in done.stderr and not tts.out.exists()


@pytest.mark.slow
def test_the_first_three_parts_tell(tts: Any) -> None:
    text = "one two three four five six seven. " * 12
    done = tts.run(*LISTEN, "--max-duration", "2s", text=text, code=3)
    assert "3 of the first 3 parts" in done.stderr and not tts.out.exists()


def test_nothing_is_handed_out_before_they_do(cli: Any, model_path: Path, reference: Path) -> None:
    text = "one two three four five six seven. " * 12
    flags = ("--model", model_path, "--phonemizer", "letters", "--seed", "1", "--max-duration", "2s", *LISTEN)
    done = cli("tts", text, reference, "-o", "-", *flags, code=3)
    assert done.stdout == "" and "can't speak like ref.wav" in done.stderr


@pytest.mark.slow
def test_another_voice_speaks_the_whole_text_if_asked_to(tts: Any, cli: Any) -> None:
    record = tts(*LISTEN, "--voice-fallback", "tim", seed=4)
    fallback = record["voice_fallback"]
    assert fallback["voice"] == "tim" and Path(fallback["instead_of"][0]["path"]).name == "ref.wav"
    assert [each["voice"] for each in record["references"]] == ["tim"] and record["seed"] == 4
    assert any("can't speak like ref.wav: tim speaks instead" in each for each in record["warnings"])
    first = soundfile.read(tts.out)[0]
    tts.count += 1
    flags = ("--model", tts.model, "--phonemizer", "letters", "--device", "cpu", "--seed", "4", *LISTEN)
    cli("tts", record["text"], "--voice", "tim", "-o", tts.out, *flags)
    np.testing.assert_array_equal(soundfile.read(tts.out)[0], first)
    assert "voice_fallback" not in tts.record()


def test_a_voice_that_is_not_there_is_said_before_any_work(tts: Any) -> None:
    assert "nobody" in tts.run("--voice-fallback", "nobody", code=2).stderr


def test_without_listening_nothing_is_known_and_it_is_said(tts: Any) -> None:
    record = tts("--listen", "off", "--voice-fallback", "tim", seed=1)
    assert "voice_fallback" not in record
    assert any("--voice-fallback does nothing" in each for each in record["warnings"])


@pytest.mark.slow
def test_python_raises_it(model_path: Path, reference: Path, registry: Any) -> None:
    tiny = VallE.load(model_path, registry=registry, device="cpu", engine="eager")
    how: dict[str, Any] = {"phonemizer": "letters", "listen": "on", "max_tries": 1, "seed": 1}
    with pytest.raises(InputError, match="the model can't speak like the recording"):
        tiny.synthesize("the canoe slid", (soundfile.read(reference)[0], 16_000), **how)
    speech = tiny.synthesize("the canoe slid", [reference], voice_fallback="tim", **how)
    assert speech.record["voice_fallback"]["voice"] == "tim" and len(speech.parts) == 1
