"""Codecs that are wrong on purpose, one way each: the contract suite must catch every one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor

from vall_e_core import BuildContext, Codec, ModelError, param
from vall_e_core.testing import check_codec

HOP = 100


class Good:
    """8 kHz, 80 frames a second: a frame's loudest samples as 8-bit numbers."""

    name = "made"
    sample_rate = 8_000
    frame_rate = 80.0
    levels = 2
    codebook_size = 256
    context_frames = 0

    def encode(self, wave: Tensor) -> Tensor:
        frames = torch.nn.functional.pad(wave, (0, -len(wave) % HOP)).view(-1, HOP)
        ends = torch.stack([frames.amax(1), frames.amin(1)], dim=1)
        return ((ends + 1) * 127.5).round().long().clamp(0, 255)

    def decode(self, codes: Tensor) -> Tensor:
        heights = codes.float() / 127.5 - 1
        return heights.mean(1).repeat_interleave(HOP)


def codec(model: Callable[[], Any], name: str = "made") -> type[Codec]:
    """A component whose model is made by `model`."""

    @dataclass(frozen=True)
    class Made(Codec):
        """A codec for this test."""

        def build(self, ctx: BuildContext) -> Any:
            return model()

    Made.name = name
    return Made


def test_a_good_one_passes() -> None:
    assert check_codec(codec(Good)) == []


def wrong(**changes: object) -> Callable[[], Any]:
    """A model with attributes or methods of its own."""
    return lambda: type("Wrong", (Good,), changes)()


class Nameless(Good):
    name = None  # type: ignore[assignment]


class Remembers(Good):
    def __init__(self) -> None:
        self.last = torch.zeros(1)

    def decode(self, codes: Tensor) -> Tensor:
        made = super().decode(codes) + self.last
        self.last = made[-1:] * 0.5
        return made


class Normalizes(Good):
    """Every sample depends on the loudest of all."""

    def decode(self, codes: Tensor) -> Tensor:
        made = super().decode(codes)
        return made * codes[0, 0] / made.abs().max()


class Remembered(Good):
    calls = 0

    def encode(self, wave: Tensor) -> Tensor:
        self.calls += 1
        return (super().encode(wave) + self.calls) % 256


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "wrong number of levels": (wrong(levels=3), "encode() of a voice gives 2 levels, `levels` says 3"),
    "codes outside the codebook": (wrong(codebook_size=128), "ids run from 0 to 127"),
    "codes of another type": (
        wrong(encode=lambda self, wave: Good.encode(self, wave).int()), "return int64 codes [T, 2]"
    ),
    "another frame rate": (wrong(frame_rate=50.0), "`frame_rate` says 65.0: make them agree"),
    "a wave of wrong length": (
        wrong(decode=lambda self, codes: Good.decode(self, codes)[:-7]), "makes 8000, return exactly these"
    ),
    "a wave with NaN": (wrong(decode=lambda self, codes: Good.decode(self, codes) / 0 * 0), "NaN or infinity"),
    "a wave of two dimensions": (
        wrong(decode=lambda self, codes: Good.decode(self, codes)[None]), "return float32 samples [n]"
    ),
    "random codes": (
        wrong(encode=lambda self, wave: (Good.encode(self, wave) + torch.randint(9, (1, 2))) % 256),
        "the second time: keep no state, draw no random numbers",
    ),
    "codes that depend on earlier calls": (Remembered, "encode() gives other codes"),
    "sound that depends on earlier calls": (Remembers, "decode() gives another sound"),
    "sound that depends on all frames": (Normalizes, "raise `context_frames`"),
    "the same sound for all codes": (
        wrong(decode=lambda self, codes: torch.zeros(len(codes) * HOP)), "make it depend on them"
    ),
    "a model without a name": (Nameless, "has no attribute `name`"),
    "a model of another name": (wrong(name="other"), "the component's is 'made': make them equal"),
    "a model without decode": (wrong(decode=None), "has no method `decode`"),
    "an input that is written to": (
        wrong(encode=lambda self, wave: Good.encode(self, wave.mul_(0.5))), "writes to the samples"
    ),
    "something raised": (wrong(encode=lambda self, wave: 1 // 0), "raises ZeroDivisionError"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_one_is_caught(case: str) -> None:
    model, said = CASES[case]
    problems = check_codec(codec(model))
    assert any(said in each for each in problems), problems
    assert all("\n" not in each for each in problems)


def test_a_component_without_a_name_is_caught() -> None:
    (problem,) = check_codec(codec(Good, name=""))
    assert "needs a name" in problem


def test_a_forgotten_dataclass_is_caught() -> None:
    class Forgotten(Codec):
        """A codec for this test."""

        name = "made"
        gain: float = param(1.0, help="loudness")

        def build(self, ctx: BuildContext) -> Any:
            return Good()

    (problem,) = check_codec(Forgotten)
    assert "lacks @dataclass(frozen=True)" in problem


def test_what_is_missing_on_this_machine_is_told() -> None:
    def missing() -> Any:
        raise ModelError("no weights", try_="vall-e models download them")

    (problem,) = check_codec(codec(missing))
    assert problem == "made can't be built on this machine: no weights (vall-e models download them)"
