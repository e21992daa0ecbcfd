"""Servers that tests share."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from vall_e_core import Registry
from vall_e_tts import VallE

from .browsing import Tab, browsing
from .running import Running, running

ROOT = Path(__file__).parents[2]


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

    @contextmanager
    def ready(self) -> Iterator[None]:
        yield

    def scheduler(self, **_how: object) -> _Tones:
        return _Tones(self)


class _Tones:
    """Its scheduler: a wave for each tone in turn."""

    def __init__(self, engine: SlowEngine) -> None:
        self.engine = engine
        self._tones: list[_Tone] = []

    def begin(self, request: Any, chains: object, *, progress: Any, **_how: object) -> _Tone:
        made = _Tone(self.engine, request.request.text, progress)
        self._tones.append(made)
        return made

    def step(self) -> bool:
        self._tones = [each for each in self._tones if not each.ended]
        waiting = [each for each in self._tones if not each.waves]
        for each in waiting:
            each.go_on()
        return bool(waiting)


class _Tone:
    """Its stream."""

    def __init__(self, engine: SlowEngine, text: str, progress: Any) -> None:
        self._engine, self._text, self._progress = engine, text, progress
        self.warnings = ()
        self.parts: list[Any] = []
        self.sample_rate = engine.codec.sample_rate
        self.waves: list[Any] = []
        self._left = engine.most if text.startswith("lazy") else engine.waves
        self._first = True
        self._error: BaseException | None = None
        self.ended = self.finished = False
        engine.begun.append(text)

    def go_on(self) -> None:
        engine = self._engine
        try:
            self._progress("level 0", 1, 2)
            if self._left == 0:
                self.ended = True
            elif engine.go.acquire(timeout=0.002):
                if self._text.startswith("fail") or (not self._first and self._text.startswith("break")):
                    raise RuntimeError("a secret of /home/somebody/model.py")
                self._first, self._left = False, self._left - 1
                self.waves.append(np.full(round(16_000 * engine.seconds), len(self._text) / 1000, np.float32))
        except BaseException as error:
            self._error = error

    def poll(self) -> Any:
        if self._error is not None:
            error, self._error = self._error, None
            self.close()
            raise error
        if self.waves:
            return self.waves.pop(0)
        self.finished = self.ended
        return None

    def close(self) -> None:
        if not self.ended:
            self._engine.left.append(self._text)
        self.ended = self.finished = True

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


@pytest.fixture(scope="session")
def browser() -> Iterator[Tab]:
    """Chromium, whose microphone plays a recording; skipped where it isn't installed."""
    with browsing(ROOT / "examples" / "heart.wav") as found:
        yield found


@pytest.fixture
def page(browser: Tab, served: Running) -> Iterator[Tab]:
    """The page of a server with the embedded voice. Its console has to stay empty, and nobody else may be asked."""
    browser.size(1280)
    browser.prefer(prefers_color_scheme="light")
    browser.open(served.url)
    yield browser
    assert browser.log() == []
    foreign = [each for each in browser.requests() if not each.startswith((served.url, "blob:", "data:", "about:"))]
    assert foreign == []
