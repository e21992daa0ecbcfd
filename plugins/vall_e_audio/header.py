"""What a file says of itself, read before a decoder is let near it.

libsndfile reads a file that was cut off, or whose header promises more than there is, without a word; and its
ADPCM decoders have had memory faults. So the container is recognized here, and a WAV header's claims compared with
the file.
"""

from __future__ import annotations

import shlex
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import BinaryIO

from vall_e_core import InputError

_READABLE = "WAV, FLAC, OGG (Vorbis, Opus), MP3 or AIFF"
_WAV_ENCODINGS = {1: "PCM", 3: "float", 6: "A-law", 7: "µ-law"}
_EXTENSIBLE = 0xFFFE
_GUID_TAIL = bytes.fromhex("000000001000800000aa00389b71")
_AIFC_ENCODINGS = frozenset(b"NONE sowt twos in24 in32 fl32 FL32 fl64 FL64 ulaw alaw".split())
_UNKNOWN_SIZES = (0x7FFFFFFF, 0xFFFFFFFF)
"""What programs that write to a pipe put where they can't know the size."""
_MOST_CHUNKS = 1000

_FOREIGN = (
    (4, b"ftyp", "MPEG-4 audio (.m4a, .mp4)"),
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM audio"),
    (0, b"\x30\x26\xb2\x75", "Windows Media audio"),
    (0, b"caff", "Core Audio (.caf)"),
    (0, b".snd", "Sun/NeXT audio (.au)"),
    (0, b"riff", "Wave64 audio"),
    (0, b"#!AMR", "AMR audio, of a telephone"),
    (0, b"wvpk", "WavPack audio"),
    (0, b"MAC ", "Monkey's Audio"),
    (0, b"TTA1", "True Audio"),
    (0, b"Creative Voice File", "Creative Voice audio"),
    (0, b".RMF", "RealMedia audio"),
    (0, b"\x0bw", "AC-3 audio"),
    (0, b"\xff\xf1", "AAC audio"),
    (0, b"\xff\xf9", "AAC audio"),
    (28, b"Speex   ", "Speex audio in Ogg"),
    (28, b"\x7fFLAC", "FLAC audio in Ogg"),
    (0, b"MThd", "MIDI"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
)
"""Offset, bytes and name of what is known, and isn't read. ffmpeg makes a WAV of what is called audio."""
_RAW = {
    ".g722": "-f g722", ".raw": "-f s16le -ar 16000 -ac 1", ".pcm": "-f s16le -ar 16000 -ac 1",
    ".sln": "-f s16le -ar 8000 -ac 1", ".sln16": "-f s16le -ar 16000 -ac 1", ".ulaw": "-f mulaw -ar 8000 -ac 1",
    ".alaw": "-f alaw -ar 8000 -ac 1",
}  # fmt: skip
"""Suffixes of samples without a header, and what ffmpeg has to be told of them."""
_PAGE = b"OggS"
_LAST_PAGES = 1 << 17
"""No page of Ogg is half as long."""


@dataclass(frozen=True)
class Container:
    """What was recognized.

    `kind` is wav, flac, ogg, mp3 or aiff; `promised` and `present` are bytes of audio by a WAV header, and in the file.
    """

    kind: str
    promised: int | None = None
    present: int | None = None
    ended: bool = True
    """Whether the file says that it ends where it does; only Ogg tells."""
    patches: Mapping[int, bytes] = field(default_factory=dict)
    """Bytes to read in the place of those at an offset: sizes of a header that are too small."""

    @property
    def truncated(self) -> bool:
        """Whether the header promises audio that isn't there."""
        if not self.ended:
            return True
        return self.promised is not None and self.present is not None and self.promised > self.present

    @property
    def wrapped(self) -> bool:
        """Whether the audio is longer than the header's 32 bits could say."""
        if self.promised is None or self.present is None:
            return False
        return self.present - self.promised >= 1 << 31


def identify(file: BinaryIO, size: int, source: str) -> Container:
    """Recognise the container of `file`, which is `size` bytes long, and leave the file at its start.

    Raises InputError for anything that isn't readable audio of an encoding that is trusted.
    """
    file.seek(0)
    head = file.read(64)
    file.seek(0)
    if size == 0:
        raise InputError(f"not an audio file: {source}", cause="it is empty")
    if head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE":
        container = _wav(file, size, source)
        file.seek(0)
        return container
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        container = _aiff(file, size, source)
        file.seek(0)
        return container
    if head[:4] == b"fLaC":
        return Container("flac")
    foreign = next((name for at, magic, name in _FOREIGN if head[at : at + len(magic)] == magic), None)
    if head[:4] == _PAGE and foreign is None:
        container = Container("ogg", ended=_ended(file, size))
        file.seek(0)
        return container
    mpeg = len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0
    if head[:3] == b"ID3" or (mpeg and foreign is None):
        return Container("mp3")
    if foreign is not None:
        audio = "audio" in foreign.lower()
        raise InputError(
            f"not an audio file that can be read: {source} ({foreign})",
            cause=f"{_READABLE} is read",
            try_=conversion(source) if audio else None,
        )
    suffix = PurePath(source).suffix.lower()
    if suffix in _RAW:
        raise InputError(
            f"not an audio file that can be read: {source} (samples without a header)",
            cause=f"{_READABLE} is read", try_=conversion(source, _RAW[suffix]),
        )  # fmt: skip
    what = "it holds text" if _is_text(head) else f"it isn't {_READABLE}"
    raise InputError(f"not an audio file: {source}", cause=what)


def conversion(source: str, flags: str = "") -> str:
    """The command that makes a WAV file of `source`, to be pasted into a shell."""
    path = PurePath(source)
    if source in ("standard input", "the recording"):
        return f"ffmpeg {flags + ' ' if flags else ''}-i FILE out.wav, and then out.wav"
    made = path.with_suffix(".wav")
    if made == path:
        made = path.with_name(f"{path.stem}-pcm.wav")
    words = ["ffmpeg", *flags.split(), "-i", _as_file(path), "-c:a", "pcm_s16le", _as_file(made)]
    return " ".join(shlex.quote(word) for word in words)


def _as_file(path: PurePath) -> str:
    """As ffmpeg takes it for a file: a name like `a:b` is a protocol to it, and one like `-a` a flag."""
    return str(path) if path.is_absolute() or not (":" in str(path) or str(path).startswith("-")) else f"./{path}"


def _wav(file: BinaryIO, size: int, source: str) -> Container:
    head = file.read(12)
    order = ">" if head[:4] == b"RIFX" else "<"
    long_sizes: int | None = None
    checked = False
    position = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            break
        name, length = header[:4], struct.unpack(f"{order}I", header[4:])[0]
        if name == b"ds64":
            body = file.read(28)
            long_sizes = struct.unpack("<Q", body[8:16])[0] if len(body) >= 16 else None
        elif name == b"fmt ":
            _check_wav_encoding(file.read(min(length, 40)), order, source)
            checked = True
        elif name == b"data":
            if not checked:
                break
            present = size - position - 8
            if head[:4] == b"RF64" and length == 0xFFFFFFFF and long_sizes is not None:
                return Container("wav", long_sizes, present)
            short = length < present and head[:4] != b"RF64" and size < 0xFFFFFFFF
            if short and not _chunks_follow(file, position + 8 + length, size, order):
                patches = {4: struct.pack(f"{order}I", size - 8), position + 4: struct.pack(f"{order}I", present)}
                return Container("wav", length, present, patches=patches)
            return Container("wav", None if length in _UNKNOWN_SIZES else length, present)
        position += 8 + length + (length & 1)
    cause = "it has no audio data" if checked else "its header is damaged"
    raise InputError(f"not a readable WAV file: {source}", cause=cause)


def _chunks_follow(file: BinaryIO, position: int, size: int, order: str) -> bool:
    """Whether what follows the data are chunks up to the end of the file, or nothing: then the data's size is true."""
    for start in (position, position + 1):  # a chunk of an odd size is padded, by most programs
        at = start
        for _ in range(_MOST_CHUNKS):
            if size - at < 8:
                return True
            file.seek(at)
            header = file.read(8)
            name, length = header[:4], struct.unpack(f"{order}I", header[4:])[0]
            if not all(32 <= byte < 127 for byte in name) or at + 8 + length > size:
                break
            at += 8 + length + (length & 1)
    return False


def _ended(file: BinaryIO, size: int) -> bool:
    """Whether the last page of an Ogg file is whole, and marked as the last."""
    file.seek(max(0, size - _LAST_PAGES))
    tail = file.read(_LAST_PAGES)
    at = tail.rfind(_PAGE)
    page = tail[at:]
    if at < 0 or len(page) < 27 or len(page) < 27 + page[26]:
        return False
    whole = 27 + page[26] + sum(page[27 : 27 + page[26]])
    return len(page) >= whole and bool(page[5] & 4)


def _check_wav_encoding(body: bytes, order: str, source: str) -> None:
    if len(body) < 16:
        raise InputError(f"not a readable WAV file: {source}", cause="its header is cut off")
    tag: int = struct.unpack(f"{order}H", body[:2])[0]
    if tag == _EXTENSIBLE and len(body) >= 40 and body[26:40] == _GUID_TAIL:
        tag = struct.unpack(f"{order}H", body[24:26])[0]
    if tag not in _WAV_ENCODINGS:
        raise InputError(
            f"unsupported encoding in {source} (WAV format 0x{tag:04X})",
            cause=f"only {', '.join(_WAV_ENCODINGS.values())} is read from WAV; compressed kinds aren't",
            try_=conversion(source),
        )


def _aiff(file: BinaryIO, size: int, source: str) -> Container:
    position = 12
    promised = present = None
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            break  # without a COMM chunk the decoder says so
        name, length = header[:4], struct.unpack(">I", header[4:])[0]
        if name == b"COMM":
            body = file.read(min(length, 22))
            if len(body) >= 22 and body[18:22] not in _AIFC_ENCODINGS:
                encoding = f"AIFF-C {body[18:22]!r}"
                raise InputError(f"unsupported encoding in {source} ({encoding})", try_=conversion(source))
        elif name == b"SSND":
            promised, present = length, size - position - 8
        position += 8 + length + (length & 1)
    return Container("aiff", promised, present)


def _is_text(head: bytes) -> bool:
    if not all(byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in head):
        return False
    try:
        head[:-3].decode("utf-8")  # a letter may be cut at the end
    except UnicodeDecodeError as error:
        return error.start >= len(head) - 6
    return True
