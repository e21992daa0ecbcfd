"""What is spoken, and in whose voice: sentences, references, recordings with their text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vall_e_core import (
    AudioClip,
    CodesOrigin,
    InputError,
    SavedVoice,
    UsageError,
    Voice,
    VoiceFolder,
    read_audio,
    sha256_file,
)
from vall_e_text import read_text

from .bend import Bend
from .store import AUDIO, ITEMS

if TYPE_CHECKING:
    from vall_e_core import CodecModel, Registry

PACKAGED = Path(__file__).parent / "data" / "sentences.tsv"
"""120 sentences written for this, in the lists A (for tuning), B (for reporting) and C (for what else needs some)."""
_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")


@dataclass(frozen=True)
class Sentence:
    """One sentence of a set; `list` is empty where the set has no lists."""

    id: str
    list: str
    text: str


def read_sentences(path: Path | None = None) -> list[Sentence]:
    """A set: lines of id, list and sentence with tabs between (a head line is left out), or one sentence a line.

    The packaged set if None. Raises InputError.
    """
    lines = [line.strip("\r\n ") for line in read_text(PACKAGED if path is None else path).splitlines()]
    lines = [line for line in lines if line]
    width = max(4, len(str(len(lines))))
    found: list[Sentence] = []
    for number, line in enumerate(lines, 1):
        cells = [each.strip() for each in line.split("\t")]
        if cells[:3] == ["id", "list", "sentence"]:
            continue
        if len(cells) not in (1, 3):
            raise InputError(
                f"not a list of sentences: {path}", cause=f"line {number} has {len(cells)} cells",
                try_="id, list and sentence with tabs between, or one sentence a line",
            )  # fmt: skip
        own = f"{number:0{width}}" if len(cells) == 1 else _identity(cells[0])
        found.append(Sentence(own, "" if len(cells) == 1 else cells[1], cells[-1]))
    if not found:
        raise InputError(f"no sentences in {path}")
    if len({each.id for each in found}) < len(found):
        raise InputError(f"two sentences of {path} have the same id")
    return found


def choose(sentences: Sequence[Sentence], lists: str, number: int | None) -> list[Sentence]:
    """Those of some lists (letters, or `all`), in the file's order, the first `number` of them. Raises UsageError."""
    known = {each.list for each in sentences}
    if lists.lower() == "all" or known == {""}:
        chosen = list(sentences)
    else:
        wanted = {lists} if lists in known else set(lists)
        if not wanted or not wanted <= known:
            raise UsageError(f"no such list of sentences: {lists}", try_=f"of {', '.join(sorted(known))}, or all")
        chosen = [each for each in sentences if each.list in wanted]
    return chosen if number is None else chosen[:number]


@dataclass(frozen=True)
class Speaker:
    """A reference: whole where it is a packaged or saved voice or a file as it is, a clip where it was bent."""

    name: str
    origin: str
    """`voice`: a packaged voice; `saved`: one of the user's; `file`: a recording; `bent`: any of them, bent."""
    clip: AudioClip
    """What it sounds like; of a saved voice the recording if that was kept, else what the codec makes of its codes."""
    path: Path
    voice: str | None = None
    transcript: str | None = None
    bend: Bend = field(default_factory=Bend)
    saved: SavedVoice | None = None

    def facts(self) -> dict[str, object]:
        """What decides how it sounds."""
        return {
            "name": self.name, "origin": self.origin, "sha256": sha256_file(self.path), "transcript": self.transcript,
            "pitch": self.bend.pitch, "formant": self.bend.formant, "rate": self.bend.rate,
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
    file of the same name beside it, where there is one. `codec` is only asked for saved voices without a recording.
    Raises UsageError, InputError.
    """
    variants = [Bend.parse(each) for each in bends] or [Bend()]
    found: list[Speaker] = []
    plain_ones = [speaker_of(registry, each, max_seconds, codec) for each in refs]
    for plain in plain_ones or [packaged_speaker(registry, each, max_seconds) for each in registry.names(Voice.kind)]:
        for bend in variants:
            if bend.neutral:
                found.append(plain)
                continue
            clip = replace(plain.clip, samples=bend(plain.clip.samples, plain.clip.sample_rate))
            found.append(replace(plain, name=plain.name + bend.label, origin="bent", clip=clip, bend=bend, saved=None))
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
    if not path.is_file():
        folder, packaged = VoiceFolder(), registry.names(Voice.kind)
        if folder.find(ref) is not None:
            return saved_speaker(folder.read(ref), max_seconds, codec)
        if ref in packaged:
            return packaged_speaker(registry, ref, max_seconds)
        if not path.exists() and not path.suffix:
            known = ", ".join([*folder.files(), *packaged])
            raise UsageError(f"no reference {ref}", cause="it is neither a file nor a voice", try_=known)
    name = re.sub(r"[^\w.+-]", "_", path.stem)
    return Speaker(name, "file", _loud(read_audio(path, max_seconds=max_seconds), ref), path, None, text_beside(path))


def packaged_speaker(registry: Registry, name: str, max_seconds: float) -> Speaker:
    """A packaged voice. Raises InputError where its recording can't be read."""
    voice = registry.all(Voice)[name]()
    path = voice.audio_path()
    clip = _loud(read_audio(path, max_seconds=max_seconds), name)
    return Speaker(voice.name, "voice", clip, path, voice.name, voice.transcript or None)


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
    return Speaker(voice.name, "saved", _loud(clip, voice.name), voice.path, None, voice.transcript, saved=voice)


def _loud(clip: AudioClip, name: str) -> AudioClip:
    """The clip, if there is sound in it. Raises InputError."""
    if clip.silent:
        raise InputError(f"the reference {name} is silent")
    return clip


def text_beside(path: Path) -> str | None:
    """What the text file of the same name says, or None."""
    beside = path.with_suffix(".txt")
    return (read_text(beside).strip() or None) if beside.is_file() else None


@dataclass(frozen=True)
class Item:
    """A recording, and what it says where that is known. `speaker` groups recordings of one voice."""

    id: str
    path: Path
    text: str | None = None
    phonemes: str | None = None
    speaker: str = ""


def read_items(source: Path, number: int | None = None) -> list[Item]:
    """Recordings of a folder (each with NAME.txt beside it, or without), or of a manifest.

    A folder that `vall-e eval tts` has written gives what was spoken there. A manifest is JSON lines: `audio` (a path,
    from the manifest's folder), and where known `text`, `phonemes` (IPA), `speaker`, `id`. Raises InputError.
    """
    if (source / ITEMS).is_dir() and (source / AUDIO).is_dir():
        items = _spoken(source)
    elif source.is_dir():
        paths = sorted(each for each in source.rglob("*") if each.suffix.lower() in _SUFFIXES)
        items = [
            Item(_identity(each.relative_to(source).with_suffix("").as_posix()), each, text_beside(each))
            for each in paths
        ]
    else:
        items = [_item(line, source, n) for n, line in enumerate(read_text(source).splitlines(), 1) if line.strip()]
    if not items:
        raise InputError(f"no recordings in {source}", try_="a folder with audio, or a manifest of JSON lines")
    if len({each.id for each in items}) < len(items):
        raise InputError(f"two recordings of {source} have the same id", try_='"id" in each line of the manifest')
    return items if number is None else items[:number]


def _spoken(source: Path) -> list[Item]:
    """What a run of `vall-e eval tts` has spoken."""
    found = []
    for path in sorted((source / ITEMS).glob("*.json")):
        record = json.loads(path.read_text("utf-8"))
        audio = source / AUDIO / f"{path.stem}.wav"
        if audio.is_file() and "phonemes" in record:
            found.append(Item(path.stem, audio, record["text"], record["phonemes"], record["reference"]))
    return found


def _item(line: str, source: Path, number: int) -> Item:
    try:
        value = json.loads(line)
        known = {key: value.get(key) for key in ("audio", "text", "phonemes", "speaker", "id")}
        if not all(each is None or isinstance(each, str) for each in known.values()) or not known["audio"]:
            raise ValueError('"audio" and the other keys are texts')
    except (ValueError, AttributeError) as error:
        raise InputError(
            f"not a manifest: {source}", cause=f"line {number}: {error}",
            try_='{"audio": "a.wav", "text": "What it says."}',
        ) from error  # fmt: skip
    path = source.parent / known["audio"]
    identity = known["id"] if known["id"] else f"{number:05}-{Path(known['audio']).stem}"
    return Item(_identity(identity), path, known["text"], known["phonemes"], known["speaker"] or "")


def _identity(name: str) -> str:
    """A name for files."""
    return re.sub(r"[^\w.+-]", "_", name)[:128]
