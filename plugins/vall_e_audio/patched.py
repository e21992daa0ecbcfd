"""A file as the decoder sees it: any place can be gone to, and a few bytes are read as others."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class Patched(io.RawIOBase):
    """`file`, of `size` bytes, with other bytes at some offsets. The file itself isn't written to.

    A damaged header may send the decoder to a place before the first byte. An error there could not pass through the
    library, which prints a traceback instead; so that place is the first byte.
    """

    def __init__(self, file: BinaryIO, size: int, patches: Mapping[int, bytes]) -> None:
        self._file, self._size, self._patches = file, size, patches
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go elsewhere."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Buffer) -> int:
        """Fill a buffer as far as the file goes."""
        view = memoryview(buffer).cast("B")
        self._file.seek(self._at)
        data = bytearray(self._file.read(len(view)))
        for offset, fresh in self._patches.items():
            for index, byte in enumerate(fresh, start=offset - self._at):
                if 0 <= index < len(data):
                    data[index] = byte
        view[: len(data)] = data
        self._at += len(data)
        return len(data)
