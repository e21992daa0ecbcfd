"""Making a voice from a recording, and using one in the place of a recording."""

from __future__ import annotations

import datetime
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from vall_e_audio import (
    MINIMUM_SECONDS,
    AudioClip,
    Recording,
    median_pitch,
    read_again,
    read_reference,
    readable,
    sha256_of,
)
from vall_e_core import BuildContext, InputError, ModelError, UsageError, Voice, suggestion
from vall_e_files import sha256_file
from vall_e_lm import ModelOptions, find_codec, find_model
from vall_e_text import Words, clean_text, estimate_seconds, require_speech

from .file import LONGEST_TEXT, printable
from .folder import CodesOrigin, SavedVoice, VoiceFolder

if TYPE_CHECKING:
    from torch import Tensor

    from vall_e_core import CodecModel, Registry

FEW_SECONDS = 1.0
"""Less than this says little of a voice."""
_PLAUSIBLE = (0.4, 2.5)
"""How the length of a recording may differ from what its text usually takes."""


def _silent(line: str) -> None:
    """Nobody listens."""


def find_voice(registry: Registry, name: str) -> SavedVoice | Voice:
    """The user's saved voice of that name, else a packaged one.

    Raises UsageError with a did-you-mean, InputError for a voice whose file is damaged.
    """
    folder = VoiceFolder()
    if folder.find(name) is not None:
        return folder.read(name)
    try:
        return cast("type[Voice]", registry.get(Voice.kind, name))()
    except UsageError as error:
        known = [*folder.files(), *registry.names(Voice.kind)]
        hint = suggestion(name, known, "vall-e voices list")
        raise UsageError(error.message, cause=error.cause, try_=hint) from None


def model_codec(
    registry: Registry, options: ModelOptions, *, notify: Callable[[str], None] = _silent
) -> CodecModel:
    """The codec of a model, built; the model's weights aren't read.

    Raises ModelError, UsageError.
    """
    spec = options.codec
    if spec is None:
        from vall_e_lm import codec_name, inspect_model

        place = find_model(registry, options)
        if place.path is None:
            raise UsageError("the codec of a model from a YAML file is unknown", try_="--codec NAME")
        config, container = inspect_model(place.path, allow_pickle=options.allow_pickle)
        spec = codec_name(config, container.config, container, None)
    from vall_e_lm import choose_device

    device = choose_device(options.device)
    component = find_codec(registry, spec)
    return component.build(BuildContext(device.name, notify=notify, component=registry.get, owner=registry.owner))


def make_voice(
    codec: CodecModel,
    recording: Recording,
    *,
    sample_rate: int | None = None,
    text: str | None = None,
    phonemes: Callable[[AudioClip], str] | None = None,
    language: str = "en",
    note: str | None = None,
    max_seconds: float = 30.0,
    trim: bool = True,
    keep_audio: bool = False,
    notify: Callable[[str], None] = _silent,
) -> SavedVoice:
    """A recording as a voice: what `SavedVoice.save` keeps and `VallE.synthesize(voice=…)` takes.

    Args:
        recording: a path, bytes, an open binary file, an array or a tensor, a pair of these and their rate, or a clip.
        sample_rate: of an array or a tensor, in Hz.
        text: what the recording says; it sets the pace, and `--input-prompt-prefix` needs it.
        phonemes: transcribes the recording if there is no text.
        note: a note, such as license or consent.
        max_seconds: use at most this much of the recording.
        trim: leave out silence at its ends. A recording without any gives the codes that it gives as a reference.
        keep_audio: keep its samples too (16 bits, one channel), so that it can be encoded again for another codec.
        notify: takes what was done to the recording, and the warnings, which the voice keeps as well.

    Raises InputError for a recording or a text that can't be used.
    """
    warnings: list[str] = []

    def warn(line: str) -> None:
        warnings.append(line)
        notify(line)

    spoken = None if text is None else _checked_text(text)
    given = readable(recording, sample_rate)
    part = read_reference(given, sample_rate=codec.sample_rate, max_seconds=max_seconds, trim=trim, notify=warn)
    clip = part.clip
    start, stop = part.span(codec.sample_rate, len(clip.samples))
    samples = clip.samples[start:stop]
    seconds = len(samples) / codec.sample_rate
    if seconds < MINIMUM_SECONDS:
        raise InputError(f"{clip.source} holds only {seconds:.2f} s of sound", try_="3-10 s of speech")
    if stop - start < len(clip.samples):
        notify(f"{clip.source}: {(len(clip.samples) - len(samples)) / codec.sample_rate:.1f} s of silence left out")
    if seconds < FEW_SECONDS:
        warn(f"{clip.source}: {seconds:.2f} s is short for a voice; 3-10 s work better")
    if spoken is not None and not _PLAUSIBLE[0] < seconds / max(estimate_seconds(spoken), 0.1) < _PLAUSIBLE[1]:
        usual = estimate_seconds(spoken)
        warn(f"{clip.source} has {seconds:.1f} s, its text usually takes {usual:.1f} s: is it what the recording says?")
    heard = None
    if spoken is None and phonemes is not None:
        heard = phonemes(replace(clip, samples=samples)) or None
        if heard is None:
            warn(f"{clip.source}: no speech was heard in it")
    codes = codec.encode(replace(clip, samples=samples).tensor())
    if len(codes) == 0:
        raise InputError(f"{clip.source} is too short for the codec {codec.name}", try_="3-10 s of speech")
    if int(codes.min()) < 0 or int(codes.max()) >= codec.codebook_size:
        raise ModelError(f"the codec gave a code outside 0..{codec.codebook_size - 1}")
    own: AudioClip | None = None
    if keep_audio:
        rate = given.sample_rate if isinstance(given, AudioClip) else clip.original_rate
        own = read_again(given, rate, max_seconds, part.skipped)
    return SavedVoice(
        codes.cpu().numpy().astype(np.int32), CodesOrigin.of(codec), transcript=spoken, phonemes=heard,
        language=language, source=printable(Path(clip.source).name),
        recording_sha256=sha256_of(given),
        recording_rate=clip.original_rate, recording_channels=clip.original_channels,
        pitch=median_pitch(samples, codec.sample_rate),
        created=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), note=note,
        warnings=tuple(map(printable, warnings)),
        audio_rate=None if own is None else own.sample_rate,
        audio=None if own is None else _kept(own, start / codec.sample_rate, stop / codec.sample_rate),
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class VoiceReference:
    """A saved voice in place of a reference recording."""

    voice: SavedVoice
    sha256: str | None = None
    """Of the voice's file."""
    max_seconds: float = 30.0

    @classmethod
    def of(cls, voice: SavedVoice, max_seconds: float) -> VoiceReference:
        """With the hash of its file, if it has one."""
        return cls(voice, None if voice.path is None else sha256_file(voice.path), max_seconds)

    def codes(self, codec: CodecModel, warn: Callable[[str], None]) -> Tensor:
        """Its codes [T, Q] for a codec. Raises InputError where they are another's and no recording was kept."""
        import torch

        from vall_e_audio import resample

        voice, wanted = self.voice, CodesOrigin.of(codec)
        why = voice.origin.difference(wanted)
        if why is None:
            frames = math.ceil(self.max_seconds * codec.frame_rate)
            return torch.tensor(voice.codes[:frames], dtype=torch.int64)
        if voice.audio is None or voice.audio_rate is None:
            name, source = voice.name or "NAME", voice.source or "REF.wav"
            raise InputError(
                f"the voice {voice.name} doesn't fit the model",
                cause=why,
                try_=f"vall-e voices add {name} {source} --codec {codec.name} --force   (--keep-audio: for any codec)",
            )
        warn(f"the voice {voice.name} was encoded for another codec; its recording is encoded again")
        samples = voice.audio[: round(self.max_seconds * voice.audio_rate)].astype(np.float32) / np.float32(32768)
        return codec.encode(torch.from_numpy(resample(samples, voice.audio_rate, codec.sample_rate)))

    def pitch(self, codec: CodecModel) -> float | None:
        """Its recording's median pitch in Hz, as it was when the voice was made; None where it isn't known."""
        return self.voice.pitch

    def voiceprint(self, codec: CodecModel) -> NDArray[np.float64] | None:
        """Who speaks in it, as the codec gives it back; None where there is hardly any sound."""
        from vall_e_audio import voiceprint

        return voiceprint(codec.decode(self.codes(codec, lambda _: None)).numpy(), codec.sample_rate)

    def record(self) -> dict[str, object]:
        """What the record of a run keeps of it."""
        voice = self.voice
        return {
            "path": None if voice.path is None else str(voice.path.absolute()), "sha256": self.sha256,
            "voice": voice.name, "seconds": round(min(voice.seconds, self.max_seconds), 6),
            "sample_rate": voice.recording_rate, "channels": voice.recording_channels,
            "recording_sha256": voice.recording_sha256,
        }  # fmt: skip


def _kept(clip: AudioClip, start: float, stop: float) -> NDArray[np.int16]:
    """The samples between two times in seconds, as 16-bit numbers; a recording of 16 bits is kept exactly."""
    samples = clip.samples[round(start * clip.sample_rate) : round(stop * clip.sample_rate)]
    return np.clip(np.round(samples * 32768), -32768, 32767).astype(np.int16)


def _checked_text(text: str) -> str:
    """A transcript in normal form, on one line. Raises InputError."""
    found = " ".join(clean_text(text).text.split())
    require_speech([Words(found, 0, len(found))], "the transcript")
    if len(found) > LONGEST_TEXT:
        raise InputError(f"the transcript has {len(found)} letters", cause=f"a voice keeps {LONGEST_TEXT} at most")
    return found


__all__ = ["VoiceReference", "find_voice", "make_voice", "model_codec"]
