"""Voices that a user has saved: a folder with a file for each. Importing this imports neither torch nor numpy."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vall_e_core import InputError, UsageError
from vall_e_files import HOME_VARIABLE, write_atomic

from .file import read_voice, voice_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from typing_extensions import Self

    from vall_e_core import CodecModel

FOLDER_VARIABLE = "VALL_E_VOICES"
SUFFIX = ".safetensors"
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}(?<!\.)")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # devices, to Windows


def voices_home() -> Path:
    """The folder of saved voices: `$VALL_E_VOICES`, `$VALL_E_HOME/voices`, or the usual place for a user's data."""
    if chosen := os.environ.get(FOLDER_VARIABLE):
        return Path(chosen).expanduser()
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen).expanduser() / "voices"
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA") or Path.home() / "AppData" / "Roaming")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "vall-e" / "voices"


@dataclass(frozen=True)
class CodesOrigin:
    """Which codec codes belong to: codes mean nothing to another, nor to the same one trained anew."""

    name: str
    code_books_sha256: str | None
    """None where the codec doesn't tell: names and sizes are then all there is to compare."""
    sample_rate: int
    frame_rate: float
    levels: int
    codebook_size: int

    @classmethod
    def of(cls, codec: CodecModel) -> Self:
        """That of the codes a codec gives."""
        return cls(
            getattr(codec, "codes_of", codec.name), getattr(codec, "code_books_sha256", None), codec.sample_rate,
            codec.frame_rate, codec.levels, codec.codebook_size,
        )  # fmt: skip

    def difference(self, other: CodesOrigin) -> str | None:
        """Why these codes can't stand for `other`'s; None where they can."""
        same = all(getattr(self, each) == getattr(other, each) for each in ("name", "frame_rate", "codebook_size"))
        if not same or self.levels < other.levels:
            return f"its codes are those of {self}; wanted are those of {other}"
        hashes = {self.code_books_sha256, other.code_books_sha256} - {None}
        if len(hashes) > 1:
            return f"its codes were made with other codebooks of the codec {self.name}"
        return None

    def __str__(self) -> str:
        return f"{self.name} ({self.levels} levels of {self.codebook_size}, {self.frame_rate:g} frames per second)"


@dataclass(frozen=True, eq=False)
class SavedVoice:
    """An encoded reference. `codes` is int32 [T, Q]; `audio` int16 [N], one channel, if it was kept."""

    codes: NDArray[np.int32]
    origin: CodesOrigin
    name: str = ""
    transcript: str | None = None
    phonemes: str | None = None
    """The phonemes heard in it (IPA), if there is no transcript."""
    language: str = "en"
    source: str | None = None
    """The recording's file name, without its folder."""
    recording_sha256: str | None = None
    recording_rate: int | None = None
    recording_channels: int | None = None
    pitch: float | None = None
    """Median fundamental frequency in Hz."""
    created: str | None = None
    note: str | None = None
    """The user's note, such as license, consent or origin."""
    warnings: tuple[str, ...] = ()
    audio_rate: int | None = None
    """Sample rate of the recording, if it was kept."""
    audio: NDArray[np.int16] | None = None
    path: Path | None = None
    """The file it was read from."""

    @property
    def seconds(self) -> float:
        """Length of the encoded audio."""
        return len(self.codes) / self.origin.frame_rate

    def save(self, name: str, *, overwrite: bool = False, folder: Path | None = None) -> Path:
        """Save it under a name. Raises UsageError for an invalid or taken name."""
        return VoiceFolder(folder).write(replace(self, name=name), overwrite=overwrite)

    def record(self) -> dict[str, Any]:
        """Everything but codes and samples, as JSON."""
        return {
            "name": self.name, "seconds": round(self.seconds, 6), "transcript": self.transcript,
            "phonemes": self.phonemes, "language": self.language, "source": self.source,
            "recording_sha256": self.recording_sha256, "recording_rate": self.recording_rate,
            "recording_channels": self.recording_channels, "pitch": self.pitch, "created": self.created,
            "note": self.note, "warnings": list(self.warnings), "codec": asdict(self.origin),
            "audio_rate": self.audio_rate, "path": None if self.path is None else str(self.path),
        }  # fmt: skip


class VoiceFolder:
    """The voices in a folder, by default the user's. Names are case-insensitive."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = voices_home() if folder is None else folder

    def files(self) -> dict[str, Path]:
        """The file of every voice by name, valid or damaged. Raises InputError if the folder can't be read."""
        try:
            found = sorted(each for each in self.folder.iterdir() if each.suffix == SUFFIX)
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as error:
            raise InputError(f"can't read the folder of voices: {self.folder}", cause=error.strerror) from error
        return {each.stem.lower(): each for each in found if _NAME.fullmatch(each.stem.lower())}

    def find(self, name: str) -> Path | None:
        """The file of a voice, or None if there is no such voice; any text is allowed."""
        return self.files().get(name.lower())

    def read(self, name: str, *, audio: bool = True) -> SavedVoice:
        """A voice by name. Raises UsageError if there is none, InputError if its file is damaged."""
        path = self.find(name)
        if path is None:
            raise UsageError(f"no saved voice is called {name!r}", try_="vall-e voices list")
        return read_voice(path, audio=audio)

    def write(self, voice: SavedVoice, *, overwrite: bool = False) -> Path:
        """Save a voice under its name, completely or not at all. Raises UsageError for an invalid or taken name."""
        name = check_voice_name(voice.name)
        path = self.find(name)
        taken = UsageError(
            f"a voice is called {name} already: {path or self.folder / (name + SUFFIX)}",
            try_="another name, or --force to replace it",
        )
        if path is not None and not overwrite:
            raise taken
        path = self.folder / f"{name}{SUFFIX}" if path is None else path
        data = voice_bytes(replace(voice, name=name))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"can't make the folder of voices: {self.folder}", cause=error.strerror) from error
        try:
            write_atomic(path, lambda file: file.write(data), overwrite=overwrite)
        except UsageError as error:  # another process has been quicker
            raise taken from error
        return path

    def remove(self, name: str) -> Path:
        """Delete a voice, even a damaged one. Raises UsageError if there is none, InputError if it can't be deleted."""
        path = self.find(name)
        if path is None:
            raise UsageError(f"no saved voice is called {name!r}", try_="vall-e voices list")
        try:
            path.unlink()
        except OSError as error:
            raise InputError(f"can't remove {path}", cause=error.strerror) from error
        return path


def check_voice_name(name: str) -> str:
    """The name in lower case. Raises UsageError if it isn't a valid file name on every system."""
    found = name.strip().lower()
    if not _NAME.fullmatch(found) or _RESERVED.fullmatch(found):
        raise UsageError(
            f"{name!r} can't be a voice's name", cause="it must be a valid file name on every system",
            try_="at most 64 of the letters a-z, digits, dashes, underscores and dots, a letter or digit first",
        )  # fmt: skip
    return found


def saved_names() -> list[str]:
    """The names of the user's saved voices."""
    return list(VoiceFolder().files())
