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
    """The embedded codec: 24 kHz, 8 codebooks of 1,024 entries, 40 frames per second (3.2 kbps). For speech only."""

    name = "mini"

    def build(self, ctx: BuildContext) -> CodecModel:
        """Load the packaged weights. Raises ModelError."""
        from .codec import load

        return load(DATA / "codec.safetensors", ctx)


class MiniModel(ModelSource):
    """The embedded AR + NAR + STT model: English, trained on the voices of Kokoro-82M."""

    name = "mini"
    title = "VALL-E mini, the embedded voice"
    license = "Apache-2.0"
    default = True
    languages = frozenset({"en"})
    tasks = frozenset({"tts"})
    listens = True
    neutral_voice = "heart"

    def path(self, cache_dir: Path | None) -> Path | None:
        """The packaged checkpoint."""
        path = DATA / "model.sft"
        return path if path.is_file() else None


class PackagedVoice(Voice):
    """A recording beside this file."""

    def audio_path(self) -> Path:
        """The recording."""
        return DATA / f"{self.name}.wav"


class Heart(PackagedVoice):
    """A woman's voice, American (Kokoro's af_heart)."""

    name = "heart"
    transcript = "The train to the coast was late, so we sat in the sun and talked about our plans."


class Sarah(PackagedVoice):
    """A woman's voice, American (Kokoro's af_sarah)."""

    name = "sarah"
    transcript = "Her brother keeps two horses and a goat in the field behind the old school."


class Isabella(PackagedVoice):
    """A woman's voice, British (Kokoro's bf_isabella)."""

    name = "isabella"
    transcript = "It rained all through the night, but by breakfast the garden was warm and bright."


class Michael(PackagedVoice):
    """A man's voice, American (Kokoro's am_michael)."""

    name = "michael"
    transcript = "On Friday we will meet at the office, look at the new house, and have a quiet dinner."


class Puck(PackagedVoice):
    """A man's voice, American (Kokoro's am_puck)."""

    name = "puck"
    transcript = "Turn left behind the church, follow the river for a mile, and ask for the white house on the hill."


class Fable(PackagedVoice):
    """A man's voice, British (Kokoro's bm_fable)."""

    name = "fable"
    transcript = "Nine people asked for bread and cheese, but there was only a jar of honey left."


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
    return [Heart, Sarah, Isabella, Michael, Puck, Fable]
