"""What a file says of itself, read before a decoder is let near it.

libsndfile reads a file that was cut off, or whose header promises more than there is, without a word; and its
ADPCM decoders have had memory faults. So the container is recognised here, and a WAV header's claims compared with
the file.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

from vall_e_core.errors import InputError

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
    (0, b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (0, b"\x30\x26\xb2\x75", "Windows Media"),
    (0, b"caff", "Core Audio (.caf)"),
    (0, b".snd", "Sun/NeXT audio (.au)"),
    (0, b"riff", "Wave64"),
    (0, b"MThd", "MIDI"),
    (0, b"\x89PNG", "a PNG picture"),
    (0, b"\xff\xd8\xff", "a JPEG picture"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
)


@dataclass(frozen=True)
class Container:
    """What was recognised.

    `kind` is wav, flac, ogg, mp3 or aiff; `promised` and `present` are bytes of audio by a WAV header, and in the file.
    """

    kind: str
    promised: int | None = None
    present: int | None = None

    @property
    def truncated(self) -> bool:
        """Whether the header promises audio that isn't there."""
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
        _check_aiff(file, source)
        file.seek(0)
        return Container("aiff")
    if head[:4] == b"fLaC":
        return Container("flac")
    if head[:4] == b"OggS":
        return Container("ogg")
    if head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and head[1] & 0x06 != 0):
        return Container("mp3")
    for offset, magic, name in _FOREIGN:
        if head[offset : offset + len(magic)] == magic:
            raise InputError(
                f"not an audio file that can be read: {source} ({name})",
                cause=f"{_READABLE} is read",
                try_=f"ffmpeg -i {source} out.wav" if "audio" in name or "W" in name else None,
            )
    what = "it holds text" if _is_text(head) else f"it isn't {_READABLE}"
    raise InputError(f"not an audio file: {source}", cause=what)


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
            return Container("wav", None if length in _UNKNOWN_SIZES else length, present)
        position += 8 + length + (length & 1)
    cause = "it has no audio data" if checked else "its header is damaged"
    raise InputError(f"not a readable WAV file: {source}", cause=cause)


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
            try_=f"ffmpeg -i {source} -c:a pcm_s16le out.wav",
        )


def _check_aiff(file: BinaryIO, source: str) -> None:
    position = 12
    for _ in range(_MOST_CHUNKS):
        file.seek(position)
        header = file.read(8)
        if len(header) < 8:
            return  # no COMM chunk: the decoder says so
        name, length = header[:4], struct.unpack(">I", header[4:])[0]
        if name == b"COMM":
            body = file.read(min(length, 22))
            if len(body) >= 22 and body[18:22] not in _AIFC_ENCODINGS:
                encoding = f"AIFF-C {body[18:22]!r}"
                raise InputError(f"unsupported encoding in {source} ({encoding})", try_=f"ffmpeg -i {source} out.wav")
            return
        position += 8 + length + (length & 1)


def _is_text(head: bytes) -> bool:
    return all(byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in head)
