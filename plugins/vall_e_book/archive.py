"""The members of an EPUB's ZIP file, read within limits: nothing is unpacked to the disk, and sizes aren't believed."""

from __future__ import annotations

import os
import struct
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from vall_e_core import InputError

if TYPE_CHECKING:
    from typing_extensions import Self

MOST_MEMBERS = 10_000
LARGEST_MEMBER = 16 << 20
LARGEST_TOTAL = 256 << 20
LARGEST_RATIO = 200
_SMALL = 64 << 10
"""Bytes that are always taken: a few kilobytes of blanks may be packed as tightly as they like."""
_LARGEST_DIRECTORY = 4 << 20
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = 20
_BLOCK = 1 << 16
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """An open ZIP file. Every error is an InputError that names the file and the member."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._total = 0
        self._read: dict[str, bytes] = {}
        try:
            _check_directory(path)
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise InputError(f"{path} isn't an EPUB: it can't be opened as a ZIP file", cause=str(error)) from error
        except OSError as error:
            raise InputError(f"can't read {path}", cause=error.strerror or str(error)) from error
        self._members = {self._checked(each.filename): each for each in self._zip.infolist()}
        self._folded = {name.lower(): name for name in self._members}

    def _checked(self, name: str) -> str:
        found = name.replace("\\", "/")
        if found.startswith("/") or ".." in found.split("/") or ":" in found.partition("/")[0] or "\0" in found:
            raise InputError(f"{self.path} has a member outside of the book: {name!r}", cause="no EPUB needs that")
        return found

    def find(self, name: str) -> str | None:
        """The member of a name, in whatever case; None if there is none."""
        return name if name in self._members else self._folded.get(name.lower())

    def read(self, name: str) -> bytes:
        """The bytes of a member. Raises InputError if it is missing, damaged, encrypted or too large."""
        found = self.find(name)
        if found is None:
            raise InputError(f"{self.path}: {name} is missing")
        if found not in self._read:
            self._read = {found: self._bytes(found)}  # only the last one is kept: documents are read in turn
        return self._read[found]

    def _bytes(self, name: str) -> bytes:
        member, where = self._members[name], f"{self.path}: {name}"
        if member.flag_bits & 1:
            raise InputError(f"{where} is encrypted", cause="the book is protected", try_="a copy without protection")
        if member.compress_type not in _METHODS:
            raise InputError(f"{where} is packed in a way that EPUB doesn't allow")
        if member.file_size > LARGEST_MEMBER:
            raise InputError(f"{where} is too large", cause=f"it holds more than {LARGEST_MEMBER >> 20} MiB")
        data = bytearray()
        try:
            with self._zip.open(member) as file:
                while block := file.read(_BLOCK):
                    data += block
                    self._check(len(data), member.compress_size, where)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise InputError(f"{where} is damaged", cause=str(error)) from error
        except OSError as error:
            raise InputError(f"can't read {where}", cause=error.strerror or str(error)) from error
        self._total += len(data)
        return bytes(data)

    def _check(self, size: int, packed: int, where: str) -> None:
        if size > LARGEST_MEMBER:
            raise InputError(f"{where} is too large", cause=f"it holds more than {LARGEST_MEMBER >> 20} MiB")
        if size > _SMALL and size > LARGEST_RATIO * max(packed, 1):
            raise InputError(f"{where} is packed suspiciously tightly", cause=f"more than {LARGEST_RATIO} times")
        if self._total + size > LARGEST_TOTAL:
            raise InputError(f"{self.path} is too large", cause=f"it holds more than {LARGEST_TOTAL >> 20} MiB")

    def close(self) -> None:
        """Close the file."""
        self._zip.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _check_directory(path: Path) -> None:
    """That the list of members is short, before it is read: `zipfile` reads all of it."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        tail = min(size, _END.size + 0xFFFF)
        file.seek(size - tail)
        data = file.read(tail)
    at = data.rfind(b"PK\5\6")
    if at < 0 or len(data) - at < _END.size:
        raise zipfile.BadZipFile("it has no list of members")
    _, _, _, _, members, directory, _, _ = _END.unpack_from(data, at)
    if data[max(0, at - _LOCATOR) : at].startswith(b"PK\6\7"):  # Zip64: `zipfile` believes what stands there instead
        place = at - _LOCATOR - _END64.size
        if place < 0 or not data.startswith(b"PK\6\6", place):
            raise zipfile.BadZipFile("its list of members isn't where it says")
        _, _, _, _, _, _, _, members, directory, _ = _END64.unpack_from(data, place)
    if members > MOST_MEMBERS or directory > _LARGEST_DIRECTORY:
        raise InputError(f"{path} isn't taken for a book", cause=f"it has more than {MOST_MEMBERS} members")
