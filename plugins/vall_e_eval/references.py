"""In whose voice is spoken: packaged and saved voices, recordings, manifests of recordings; bent ones of all."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vall_e_audio import AudioClip, read_audio
from vall_e_core import InputError, UsageError, Voice
from vall_e_files import sha256_file
from vall_e_voices import CodesOrigin, SavedVoice, VoiceFolder

from .bend import Bend
from .material import MANIFESTS, identity, read_items, text_beside

if TYPE_CHECKING:
    from vall_e_core import CodecModel, Registry


@dataclass(frozen=True)
class Speaker:
    """A reference: whole where it is a packaged or saved voice or a file as it is, a clip where it was bent."""

    name: str
    origin: str
    """`voice`: a packaged voice; `saved`: one of the user's; `file`: a recording; `bent`: any of them, bent."""
    clip: AudioClip
    """What it sounds like; of a saved voice the recording if that was kept, else what the codec makes of its codes."""
    paths: tuple[Path, ...]
    """Its recordings: several if they were named together, or the file of a saved voice."""
    voice: str | None = None
    transcript: str | None = None
    bend: Bend = field(default_factory=Bend)
    saved: SavedVoice | None = None
    person: str = ""
    """Whose voice it is, where several references are of one speaker."""

    def __post_init__(self) -> None:
        if not self.person:
            object.__setattr__(self, "person", self.name)

    def facts(self) -> dict[str, object]:
        """What decides how it sounds."""
        return {
            "name": self.name, "origin": self.origin, "sha256": "+".join(map(sha256_file, self.paths)),
            "transcript": self.transcript, "speaker": self.person, "pitch": self.bend.pitch,
            "formant": self.bend.formant, "rate": self.bend.rate,
        }  # fmt: skip


def speakers(
    registry: Registry,
    refs: Sequence[str],
    bends: Sequence[str],
    max_seconds: float,
    codec: Callable[[], CodecModel],
) -> list[Speaker]:
    """The references: saved and packaged voices by name, or files; the packaged ones where none is named.

    With bends, every variant of every reference instead of itself (`none` keeps it). A file's transcript is the text
    file of the same name beside it, where there is one; files of one name in several folders get the folder's name
    too. A manifest stands for all its recordings, and says who speaks and what.

    Args:
        refs: names, files, files of one voice with semicolons between, or manifests.
        codec: only asked for saved voices without a recording.

    Raises:
        UsageError: no such voice, or two of one name.
        InputError: a recording or a manifest can't be read, or nothing is in it.
    """
    variants = [Bend.parse(each) for each in bends] or [Bend()]
    found: list[Speaker] = []
    plain_ones = _told_apart([
        each
        for ref in refs
        for each in (
            _listed(Path(ref).expanduser(), max_seconds)
            if Path(ref).suffix.lower() in MANIFESTS
            else [speaker_of(registry, ref, max_seconds, codec)]
        )
    ])  # fmt: skip
    for plain in plain_ones or [packaged_speaker(registry, each, max_seconds) for each in registry.names(Voice.kind)]:
        for bend in variants:
            if bend.neutral:
                found.append(plain)
                continue
            clip = replace(plain.clip, samples=bend(plain.clip.samples, plain.clip.sample_rate))
            found.append(replace(
                plain, name=plain.name + bend.label, origin="bent", clip=clip, bend=bend, saved=None,
                person=plain.person + bend.label,
            ))  # fmt: skip
    names = [each.name for each in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(f"two references are called {', '.join(twice)}", try_="rename one, or leave one out")
    if not found:
        raise UsageError("no references: no voice is installed", try_="--ref FILE")
    return found


def speaker_of(registry: Registry, ref: str, max_seconds: float, codec: Callable[[], CodecModel]) -> Speaker:
    """A reference: a file, a saved voice by its name, or a packaged one. Raises UsageError, InputError."""
    path = Path(ref).expanduser()
    if not path.is_file() and ";" in ref:
        return _recorded(tuple(Path(each.strip()).expanduser() for each in ref.split(";") if each.strip()), max_seconds)
    if not path.is_file():
        folder, packaged = VoiceFolder(), registry.names(Voice.kind)
        if folder.find(ref) is not None:
            return saved_speaker(folder.read(ref), max_seconds, codec)
        if ref in packaged:
            return packaged_speaker(registry, ref, max_seconds)
        if not path.exists() and not path.suffix:
            known = ", ".join([*folder.files(), *packaged])
            raise UsageError(f"no reference {ref}", cause="it is neither a file nor a voice", try_=known)
    return _recorded((path,), max_seconds, text_beside(path))


def _recorded(
    paths: Sequence[Path], max_seconds: float, text: str | None = None, name: str = "", person: str = ""
) -> Speaker:
    """Recordings of one voice; what they sound like is all of them, one after the other."""
    clips = [_loud(read_audio(each, max_seconds=max_seconds), str(each)) for each in paths]
    clip = replace(clips[0], samples=np.concatenate([each.samples for each in clips]))  # read_audio gives them one rate
    own = name or "+".join(identity(each.stem) for each in paths)[:96]
    return Speaker(own, "file", clip, tuple(paths), None, text, person=person)


def _listed(manifest: Path, max_seconds: float) -> list[Speaker]:
    """Every recording of a manifest, with its speaker."""
    return [
        _recorded(
            (each.path,), max_seconds, each.text, person=each.speaker,
            name=identity(f"{each.speaker}-{each.path.stem}") if each.speaker else each.id,
        )
        for each in read_items(manifest)
    ]  # fmt: skip


def _told_apart(found: Sequence[Speaker]) -> list[Speaker]:
    """Files of one name in folders of several names, with the folder's name before theirs."""
    names = [each.name for each in found]
    return [
        each
        if each.origin != "file" or names.count(each.name) == 1
        else replace(each, name=identity(f"{each.paths[0].absolute().parent.name}-{each.name}"), person="")
        for each in found
    ]


def packaged_speaker(registry: Registry, name: str, max_seconds: float) -> Speaker:
    """A packaged voice. Raises InputError where its recording can't be read."""
    voice = registry.all(Voice)[name]()
    path = voice.audio_path()
    clip = _loud(read_audio(path, max_seconds=max_seconds), name)
    return Speaker(voice.name, "voice", clip, (path,), voice.name, voice.transcript or None)


def saved_speaker(voice: SavedVoice, max_seconds: float, codec: Callable[[], CodecModel]) -> Speaker:
    """One of the user's voices, and what it sounds like. Raises InputError where its codes are another codec's."""
    if voice.path is None:
        raise InputError("a voice that isn't saved can't be a reference here", try_="vall-e voices add")
    if voice.audio is not None and voice.audio_rate is not None:
        rate = voice.audio_rate
        samples = voice.audio[: round(max_seconds * rate)].astype(np.float32) / np.float32(32768)
    else:
        import torch

        model = codec()
        rate, why = model.sample_rate, voice.origin.difference(CodesOrigin.of(model))
        if why is not None:
            raise InputError(
                f"the voice {voice.name} doesn't fit the model", cause=why, try_="vall-e voices add --keep-audio"
            )
        kept = torch.from_numpy(voice.codes[: math.ceil(max_seconds * model.frame_rate)]).long()
        with torch.inference_mode():
            samples = model.decode(kept).float().cpu().reshape(-1).numpy()
    clip = AudioClip(samples, rate, voice.name, not samples.any(), rate, 1, "voice", "float32")
    return Speaker(voice.name, "saved", _loud(clip, voice.name), (voice.path,), None, voice.transcript, saved=voice)


def _loud(clip: AudioClip, name: str) -> AudioClip:
    """The clip, if there is sound in it. Raises InputError."""
    if clip.silent:
        raise InputError(f"the reference {name} is silent")
    return clip
