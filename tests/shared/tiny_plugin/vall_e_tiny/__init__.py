"""A codec, a phonemizer and a voice so small that the whole pipeline runs in a test."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Codec, Phonemizer, Sampler, Voice, hookimpl, param

if TYPE_CHECKING:
    from vall_e_core import CodecModel, PhonemizerModel
    from vall_e_core.sampling import Transform


@dataclass(frozen=True)
class TinyCodec(Codec):
    """8 kHz, 50 frames a second, 4 levels of 32 codes: a frame's loudness and pitch as numbers, a sine as sound."""

    name = "tiny"
    gain: float = param(0.5, help="loudness of what is decoded", min=0.0, max=1.0)

    def build(self, ctx: BuildContext) -> CodecModel:
        from .codec import TinyCodecModel

        return TinyCodecModel(self.gain)


@dataclass(frozen=True)
class BrokenCodec(Codec):
    """The same, but decoding gives NaN."""

    name = "tiny-nan"

    def build(self, ctx: BuildContext) -> CodecModel:
        from .codec import TinyCodecModel

        return TinyCodecModel(float("nan"))


@dataclass(frozen=True)
class WideCodec(Codec):
    """A codec of another size."""

    name = "tiny-wide"

    def build(self, ctx: BuildContext) -> CodecModel:
        from .codec import TinyCodecModel

        made = TinyCodecModel(0.5)
        made.codebook_size = 64
        return made


class Letters:
    """A letter is a phoneme."""

    name = "letters"

    def __init__(self, extra: str) -> None:
        self._extra = extra

    def languages(self) -> list[str]:
        return ["de", "en"]

    def detect(self, texts: list[str]) -> str:
        return "de" if "ß" in "".join(texts) else "en"

    def phonemize(self, texts: list[str], language: str) -> list[str]:
        from vall_e_core import UsageError

        if language not in self.languages():
            raise UsageError(f"unknown language: {language!r}", try_="one of de, en")
        gate = os.environ.get("VALL_E_TINY_GATE")
        while gate is not None and not os.path.exists(gate):  # a test looks at what is under way
            time.sleep(0.02)
        return [" ".join(f"{text.lower().replace('ß', 's')}{self._extra}".split()) for text in texts]


@dataclass(frozen=True)
class LettersPhonemizer(Phonemizer):
    """A letter is a phoneme."""

    name = "letters"
    extra: str = param("", help="put behind every text")

    def build(self, ctx: BuildContext) -> PhonemizerModel:
        return Letters(self.extra)


@dataclass(frozen=True)
class Tim(Voice):
    """Three seconds of a wobbling tone."""

    name = "tim"
    transcript = "la la la"

    def audio_path(self) -> Path:
        return Path(__file__).with_name("tim.wav")


@dataclass(frozen=True)
class BanAll(Sampler):
    """Leave no token at all."""

    name = "ban-all"
    place = "bans"
    bans = True

    def build(self, ctx: BuildContext) -> Transform:
        from .codec import BanAllTransform

        return BanAllTransform()


@hookimpl
def vall_e_samplers() -> Iterable[type[Sampler]]:
    return [BanAll]


@hookimpl
def vall_e_codecs() -> Iterable[type[Codec]]:
    return [TinyCodec, BrokenCodec, WideCodec]


@hookimpl
def vall_e_phonemizers() -> Iterable[type[Phonemizer]]:
    return [LettersPhonemizer]


@hookimpl
def vall_e_voices() -> Iterable[type[Voice]]:
    return [Tim]
