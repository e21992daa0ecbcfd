"""What the tests of the evaluation share: one loaded voice, recordings that it knows the words of, and the program."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vall_e_audio import read_audio
from vall_e_core import Registry, VallE, Voice
from vall_e_core.cli import main
from vall_e_eval import Recording


@dataclass(frozen=True)
class Done:
    """What one call of the program left."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output, read as JSON."""
        return json.loads(self.out)


Run = Callable[..., Done]
Voices = dict[str, tuple[Recording, str]]


@pytest.fixture(autouse=True)
def plain_judges(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine without the extra `judges`, so that tests take the same judges everywhere.

    Tests marked `judges` use what is installed.
    """
    if request.node.get_closest_marker("judges") is None:
        packages = ("faster_whisper", "whisper_normalizer", "speechmos", "resemblyzer")
        loaded = [name for name in sys.modules if name.partition(".")[0] in packages]
        for name in {*packages, *loaded}:
            monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.load()


@pytest.fixture(scope="session")
def voices(registry: Registry) -> Voices:
    """The packaged recordings with what they say, by name."""
    found = {}
    for name, voice in registry.all(Voice).items():
        clip = read_audio(voice().audio_path())
        found[name] = (Recording(clip.samples, clip.sample_rate), voice.transcript)
    return found


@pytest.fixture(scope="session")
def loaded(registry: Registry) -> VallE:
    """The embedded voice, loaded once for all runs of the program."""
    return VallE.load(registry=registry, device="cpu", threads=1)


@pytest.fixture
def evaluate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, loaded: VallE, registry: Registry
) -> Run:
    """`evaluate("tts", …)`: the program in this process, without loading the model every time."""

    def load(**settings: Any) -> VallE:
        return loaded

    monkeypatch.setattr(VallE, "load", load)

    def call(*args: object, given: Registry = registry) -> Done:
        capsys.readouterr()
        code = main(["eval", *(str(arg) for arg in args)], registry=given)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def manifest(voices: Voices, registry: Registry, tmp_path: Path) -> Path:
    """The packaged recordings as a manifest."""
    path = tmp_path / "recordings.jsonl"
    lines = [
        {"audio": str(registry.get("voice", name)().audio_path()), "text": said, "speaker": name}  # type: ignore[attr-defined]
        for name, (_, said) in voices.items()
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def tone(hertz: float, seconds: float = 1.0, rate: int = 16000) -> Recording:
    """A sawtooth-like tone of eight harmonics."""
    t = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 9))
    return Recording(np.asarray(0.2 * wave, np.float32), rate)
