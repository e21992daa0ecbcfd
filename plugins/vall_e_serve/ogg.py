"""Ogg streams whose bytes follow from the sound alone.

libsndfile gives each stream a random serial number. Here all have the same, so that equal requests get equal bytes.
"""

from __future__ import annotations

import struct
import zlib

SERIAL = 1
_MARK = b"OggS"
_HEADER = 27
_SERIAL_AT, _CHECKSUM_AT = 14, 22
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Renumbered:
    """Takes the bytes of a stream, gives back its whole pages with `SERIAL` as their number."""

    def __init__(self) -> None:
        self._held = b""

    def write(self, data: bytes) -> bytes:
        """The pages that have become whole."""
        self._held += data
        found: list[bytes] = []
        while (size := self._page()) is not None:
            found.append(_numbered(self._held[:size]))
            self._held = self._held[size:]
        return b"".join(found)

    def _page(self) -> int | None:
        """The length of the next page, once all of it is there."""
        if len(self._held) < _HEADER:
            return None
        if self._held[:4] != _MARK:
            raise ValueError("not an Ogg page")
        lengths = self._held[_HEADER : _HEADER + self._held[_HEADER - 1]]
        size = _HEADER + self._held[_HEADER - 1] + sum(lengths)
        return size if len(lengths) == self._held[_HEADER - 1] and len(self._held) >= size else None


def _numbered(page: bytes) -> bytes:
    made = bytearray(page)
    struct.pack_into("<I", made, _SERIAL_AT, SERIAL)
    struct.pack_into("<I", made, _CHECKSUM_AT, 0)
    struct.pack_into("<I", made, _CHECKSUM_AT, checksum(bytes(made)))
    return bytes(made)


def checksum(data: bytes) -> int:
    """Ogg's CRC-32: zlib's polynomial with the bits in the other order, from 0 and not inverted at the end."""
    found = zlib.crc32(data.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{found:032b}"[::-1], 2)
