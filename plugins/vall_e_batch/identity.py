"""What made a batch's sound beside the rows: the model, its adapters and its codec, as hashes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from vall_e_audio import check_audio
from vall_e_core import Voice
from vall_e_files import sha256_file
from vall_e_lm import ModelOptions, find_model
from vall_e_tts import VallE
from vall_e_voices import CodesOrigin, VoiceFolder, find_voice, model_codec

from .settling import canonical, digest

if TYPE_CHECKING:
    from vall_e_core import CodecModel, Registry

OUTPUT_VERSION = 1
"""To be raised whenever the same request sounds different from now on: everything is then made anew."""


def identify(registry: Registry, options: ModelOptions, engine: VallE | None = None) -> tuple[str, VallE | None]:
    """A hash of the model and all that it sounds with.

    A model from a YAML file is loaded for it; for others, reading their files suffices.

    Args:
        registry: where models and codecs are found.
        options: which model.
        engine: the model, if it has been loaded.

    Returns:
        The hash, and the model if it is loaded now.

    Raises:
        ModelError, UsageError, DeviceError, InputError: as loading raises them.
    """
    if engine is None and options.yaml is not None:
        engine = VallE.load(options=options, registry=registry)
    if engine is not None:
        sha256, loras, codec = engine.loaded.sha256, engine.loaded.loras, engine.codec
    else:
        place = find_model(registry, options)
        assert place.path is not None  # without a YAML file there is one
        sha256, loras, codec = sha256_file(place.path), options.lora, model_codec(registry, options)
    return _hash(options, sha256, loras, codec), engine


def _hash(options: ModelOptions, model: str, loras: Sequence[Path], codec: CodecModel) -> str:
    facts = {
        "version": OUTPUT_VERSION, "model": model, "loras": [sha256_file(each.expanduser()) for each in loras],
        "tokenizer": None if options.tokenizer is None else sha256_file(options.tokenizer.expanduser()),
        "set": sorted(options.set), "dtype": options.dtype, "quantize": options.quantize,
        "codec": {"name": codec.name, **asdict(CodesOrigin.of(codec))},
    }  # fmt: skip
    return digest([canonical(facts)])


class Sources:
    """Hashes of voices and recordings; each is read once."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._voices: dict[str, str] = {}
        self._files: dict[Path, str] = {}
        self._heard: set[Path] = set()
        """Files that are known to be audio."""

    def voice(self, name: str) -> str:
        """What a voice sounds like. Raises UsageError for a name that no voice has, InputError for a damaged one."""
        if name not in self._voices:
            found = find_voice(self._registry, name)
            path = found.audio_path() if isinstance(found, Voice) else VoiceFolder().find(name)
            parts = [] if path is None else [self.file(path.expanduser())]
            self._voices[name] = digest([*parts, found.transcript or ""])
        return self._voices[name]

    def reference(self, path: Path) -> str:
        """The hash of a recording whose voice is asked for. Raises InputError, also for a file that isn't audio."""
        if path not in self._heard:
            check_audio(path)
            self._heard.add(path)
        return self.file(path)

    def file(self, path: Path) -> str:
        """The hash of a recording. Raises InputError."""
        if path not in self._files:
            self._files[path] = sha256_file(path)
        return self._files[path]
