"""Memory is planned before anything is begun: a smaller batch, or one clear error."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from vall_e_core import DeviceError, Registry, VallE
from vall_e_lm import Model, ModelConfig, memory

TEXT = " ".join(f"here is sentence number {name}." for name in ("one", "two", "three", "four", "five"))
SETTINGS: dict[str, Any] = {"phonemizer": "letters", "seed": 1, "max_ar_steps": "40", "input_prompt_length": 1.0}


@pytest.fixture
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


def have(monkeypatch: pytest.MonkeyPatch, count: float, engine: VallE, tokens: int = 1) -> None:
    """Room for `count` rows of so many tokens."""
    size = memory.cache_bytes(engine.loaded.model, tokens)
    monkeypatch.setattr(memory, "free_bytes", lambda device: int(count * size / memory.SHARE))


def test_a_row_is_as_large_as_its_cache() -> None:
    model = Model(ModelConfig(width=32, heads=4, layers=3, levels=4, audio_tokens=24, phoneme_tokens=20, langs=2))
    cache = model.new_cache(5, 70)
    real = cache.keys.numel() * cache.keys.element_size() + cache.values.numel() * cache.values.element_size()
    assert memory.cache_bytes(model, 70) * 5 == real


@pytest.mark.slow
def test_a_smaller_batch_says_the_same_and_is_told(engine: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = engine.synthesize(TEXT, voice="tim", **SETTINGS)
    assert len(plain.parts) > 2 and plain.record["passes"]["batch_size"] == 8
    have(monkeypatch, 2.5, engine, 120)
    small = engine.synthesize(TEXT, voice="tim", **SETTINGS)
    assert 1 <= small.record["passes"]["batch_size"] < len(plain.parts)
    assert any("no more fit into memory" in line for line in small.warnings)
    assert [part.codes.tolist() for part in small.parts] == [part.codes.tolist() for part in plain.parts]


@pytest.mark.parametrize("how", [{}, {"ar": ["beam:4"]}, {"cfg_strength": 2.0}], ids=str)
def test_what_does_not_fit_is_an_error_before_it_is_begun(
    engine: VallE, monkeypatch: pytest.MonkeyPatch, how: dict[str, Any]
) -> None:
    have(monkeypatch, 0.9, engine, 60)
    with pytest.raises(DeviceError, match="out of memory") as error:
        engine.synthesize(TEXT, voice="tim", **SETTINGS, **how)
    assert "MB are free" in str(error.value.cause) and error.value.exit_code == 5


def test_a_beam_and_guidance_count(engine: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    model = engine.loaded.model
    have(monkeypatch, 12, engine, 100)
    assert [memory.fitting(model, 16, 100, rows) for rows in (1, 2, 4, 12)] == [12, 6, 3, 1]
    assert memory.fitting(model, 3, 100) == 3


def test_free_memory_is_a_number_or_unknown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "none")
    assert memory.free_bytes(cpu) is None and memory.free_bytes(torch.device("mps")) is None
    (tmp_path / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable:   64 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free_bytes(cpu) == 64 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.free_bytes(cpu) == 64 * 1024
    (tmp_path / "memory.max").write_text("21000\n")
    assert memory.free_bytes(cpu) == 20_000


def resident() -> int:
    """Bytes that the process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.once
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="how much is held at the moment is read from /proc")
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_g1_two_hundred_utterances_hold_no_more_than_the_first(
    registry: Registry, make_model: Callable[..., Path], tmp_path: Path, device: str
) -> None:
    """Less than 2 % more, of whatever lengths they are."""
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    talkative = make_model(tmp_path / "talkative.sft", stop=-1e4)
    engine = VallE.load(talkative, registry=registry, device=device, engine="eager")

    def speak(count: int) -> None:
        for number in range(count):
            text = "one " * (1 + number % 7)
            steps = str(10 + number % 7)
            engine.synthesize(text, voice="tim", **SETTINGS | {"seed": number, "max_ar_steps": steps, "max_tries": 1})

    speak(40)
    held, reserved = resident(), torch.cuda.memory_reserved() if device == "cuda" else 0
    speak(200)
    assert resident() < 1.02 * held
    assert device == "cpu" or torch.cuda.memory_reserved() < 1.02 * reserved
