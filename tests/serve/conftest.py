"""Servers that tests share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vall_e_core import Registry
from vall_e_tts import VallE

from .running import Running, running


@pytest.fixture(scope="session")
def registry() -> Registry:
    return Registry.load(third_party=False)


@pytest.fixture(scope="session")
def engine(registry: Registry) -> VallE:
    """The embedded voice."""
    return VallE.load(registry=registry)


@pytest.fixture(autouse=True)
def voices_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of saved voices for each test."""
    folder = tmp_path / "voices"
    monkeypatch.setenv("VALL_E_VOICES", str(folder))
    return folder


@pytest.fixture(scope="session")
def served(registry: Registry, engine: VallE) -> Iterator[Running]:
    """A server with the embedded voice."""
    with running(registry, lambda: engine) as found:
        yield found


class SlowEngine:
    """Stands for the engine where only the queue is looked at: each step of a tone waits until it is let go."""

    def __init__(self, registry: Registry, real: VallE) -> None:
        self.registry = registry
        self.loaded, self.place, self.options, self.engine = real.loaded, real.place, real.options, real.engine
        self.codec = SimpleNamespace(sample_rate=16_000, frame_rate=50.0, name="tone")
        self.go = threading.Semaphore(0)
        """Released once for each wave that may be made."""
        self.begun: list[str] = []
        self.left: list[str] = []
        self.waves, self.most = 2, 2000
        """Of a request, and of one that nobody reads."""
        self.seconds = 0.1
        """Of a wave."""

    def release(self, waves: int = 1000) -> None:
        self.go.release(waves)

    def speak_stream(self, request: Any, chains: object, *, progress: Any, **_how: object) -> Any:
        return _Tone(self, request.request.text, progress)


class _Tone:
    """Its stream."""

    def __init__(self, engine: SlowEngine, text: str, progress: Any) -> None:
        self._engine, self._text = engine, text
        self.warnings = ()
        engine.begun.append(text)
        self._made = self._make(progress)

    def _make(self, progress: Any) -> Iterator[Any]:
        engine = self._engine
        try:
            for wave in range(engine.most if self._text.startswith("lazy") else engine.waves):
                while not engine.go.acquire(timeout=0.002):
                    progress("level 0", 1, 2)
                if self._text.startswith("fail") or (wave and self._text.startswith("break")):
                    raise RuntimeError("a secret of /home/somebody/model.py")
                yield np.full(round(16_000 * engine.seconds), len(self._text) / 1000, np.float32)
        except BaseException:
            engine.left.append(self._text)
            raise

    def __iter__(self) -> _Tone:
        return self

    def __next__(self) -> Any:
        return next(self._made)

    def close(self) -> None:
        self._made.close()

    @property
    def record(self) -> Mapping[str, Any]:
        part = {"verdict": "ok"}
        return {"text": self._text, "phonemes": self._text, "duration": 0.1, "parts": [part], "path": "/root/x/y.sft"}

    def trace(self) -> None:
        return None


@pytest.fixture
def slow(registry: Registry, engine: VallE) -> Iterator[SlowEngine]:
    """A slow engine; what still waits at the end is let go."""
    made = SlowEngine(registry, engine)
    yield made
    made.release(100_000)
    time.sleep(0)
