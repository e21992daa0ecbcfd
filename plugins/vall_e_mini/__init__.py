"""The embedded voice: a small neural codec, a small model on its codes, and reference recordings to speak like.

All of it was learned from synthetic speech (see MODEL_CARD.md); it is here so that everything works at once, offline.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_core import BuildContext, Codec, ModelSource, Voice, hookimpl

if TYPE_CHECKING:
    from vall_e_core import CodecModel

DATA = Path(__file__).parent / "data"


class MiniCodec(Codec):
    """The embedded codec: 16 kHz, 6 codebooks of 512 entries, 31.25 frames per second (1.7 kbps). For speech only."""

    name = "mini"

    def build(self, ctx: BuildContext) -> CodecModel:
        """Load the packaged weights. Raises ModelError."""
        from .codec import load

        return load(DATA / "codec.safetensors", ctx)


class MiniModel(ModelSource):
    """The embedded AR + NAR + STT model: English, trained on four synthetic voices."""

    name = "mini"
    title = "VALL-E mini, the embedded voice"
    license = "Apache-2.0"
    default = True
    languages = frozenset({"en"})
    tasks = frozenset({"tts"})
    listens = True
    neutral_voice = "slt"

    def path(self, cache_dir: Path | None) -> Path | None:
        """The packaged checkpoint."""
        path = DATA / "model.sft"
        return path if path.is_file() else None


class PackagedVoice(Voice):
    """A recording beside this file."""

    def audio_path(self) -> Path:
        """The recording."""
        return DATA / f"{self.name}.wav"


class Slt(PackagedVoice):
    """A woman's voice, American (flite's slt)."""

    name = "slt"
    transcript = "The train to the coast was late, so we sat in the sun and talked about our plans."


class Rms(PackagedVoice):
    """A man's voice, American (flite's rms)."""

    name = "rms"
    transcript = "On Friday we will meet at the office, look at the new house, and have a quiet dinner."


class Awb(PackagedVoice):
    """A man's voice, Scottish (flite's awb)."""

    name = "awb"
    transcript = "Nine people asked for bread and cheese, but there was only a jar of honey left."


class Kal16(PackagedVoice):
    """A man's voice, American and a little mechanical (flite's kal16)."""

    name = "kal16"
    transcript = "Turn left behind the church, follow the river for a mile, and ask for the white house on the hill."


@hookimpl
def vall_e_codecs() -> Iterable[type[Codec]]:
    """The codec."""
    return [MiniCodec]


@hookimpl
def vall_e_models() -> Iterable[type[ModelSource]]:
    """The checkpoint."""
    return [MiniModel]


@hookimpl
def vall_e_voices() -> Iterable[type[Voice]]:
    """The reference voices."""
    return [Slt, Rms, Awb, Kal16]
