"""Fetching one file over HTTP: the only code in the project that opens a network connection.

A file appears under its final name whole and checked, or not at all. What an interrupted transfer left behind is
continued by the next one, unless the file on the server has changed meanwhile.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, BinaryIO

from vall_e_core import ModelError
from vall_e_files import offline_variable, sha256_file

MIRROR_VARIABLE = "VALL_E_MODELS_URL"
_BLOCK = 1 << 18
_ATTEMPTS = 4
_TIMEOUT = 30.0  # seconds without a byte

Progress = Callable[[int, "int | None"], None]
"""Called with the bytes on disk so far and the total, None where the server doesn't say."""


class DownloadError(ModelError):
    """A file that couldn't be fetched, or isn't what was asked for."""


class _Interrupted(Exception):
    """The connection broke; what has arrived can be kept."""


@dataclass(frozen=True)
class _Origin:
    """What a partial file is part of."""

    url: str
    validator: str | None  # a strong ETag, or Last-Modified
    total: int | None


def fetch(
    url: str,
    destination: Path,
    *,
    sha256: str | None = None,
    size: int | None = None,
    offline: bool = False,
    force: bool = False,
    progress: Progress | None = None,
    notify: Callable[[str], None] | None = None,
    attempts: int = _ATTEMPTS,
    timeout: float = _TIMEOUT,
    pause: float = 1.0,
) -> bool:
    """Fetch `url` to `destination`, unless a file that passes the checks is already there -> whether it was fetched.

    Args:
        sha256: the expected hash, or its first digits where no more are known.
        size: the expected length in bytes.
        offline: refuse, as `VALL_E_OFFLINE` and `HF_HUB_OFFLINE` do.
        force: fetch it even if it is there; the file that is there stays until the new one is whole and checked.
        notify: takes one-line notices, such as that another process holds the lock.
        attempts: how often a broken connection is taken up again.
        timeout: seconds to wait for the server's next byte; `pause`: seconds before the first renewed attempt.

    Raises DownloadError. `VALL_E_MODELS_URL` replaces the scheme and host of `url`, for a mirror.
    """
    if not force and _is_there(destination, sha256, size):
        return False
    variable = offline_variable()
    if offline or variable is not None:
        raise DownloadError(
            f"offline, so {destination.name} can't be downloaded",
            cause=f"{variable} is set" if variable is not None and not offline else "--offline was given",
            try_=f"put the file at {destination}",
        )
    from filelock import FileLock, Timeout

    address = mirrored(url)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(destination.with_name(f".{destination.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            if notify is not None:
                notify(f"another process is downloading {destination.name}; waiting for it")
            lock.acquire()
        try:
            if not force and _is_there(destination, sha256, size):
                return False  # another process brought it while we waited
            _Transfer(address, destination, sha256, size, progress, timeout).run(attempts, pause)
        finally:
            lock.release()
    except OSError as error:
        raise _disk_error(error, destination) from error
    return True


def mirrored(url: str) -> str:
    """`url`, or the same path below the base that `VALL_E_MODELS_URL` names. Raises DownloadError."""
    base = os.environ.get(MIRROR_VARIABLE, "").strip()
    path = urllib.parse.urlsplit(url).path
    address = base.rstrip("/") + path if base else url
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise DownloadError(f"not an http or https address: {address}")
    return address


class _Transfer:
    """One file's journey; the caller holds the lock."""

    def __init__(
        self,
        url: str,
        destination: Path,
        sha256: str | None,
        size: int | None,
        progress: Progress | None,
        timeout: float,
    ) -> None:
        self.url = url
        self.destination = destination
        self.sha256 = sha256
        self.size = size
        self.progress = progress
        self.timeout = timeout
        self.part = destination.with_name(f".{destination.name}.part")
        self.note = destination.with_name(f".{destination.name}.part.json")

    def run(self, attempts: int, pause: float) -> None:
        for attempt in range(attempts):
            try:
                self._fetch()
                break
            except _Interrupted as error:
                if attempt + 1 == attempts:
                    raise DownloadError(
                        f"the transfer of {self.destination.name} was interrupted {attempts} times",
                        cause=str(error),
                        try_="run the same command again to resume",
                    ) from error
                time.sleep(pause * 2**attempt)
            except OSError:
                self._discard()
                raise
        fault = _fault(self.part, self.sha256, self.size)
        if fault is not None:
            self._discard()
            raise self._unexpected(fault)
        os.replace(self.part, self.destination)
        self.note.unlink(missing_ok=True)

    def _fetch(self) -> None:
        """One connection: from where the partial file ends, or from the start. Raises _Interrupted where it breaks."""
        origin = self._origin()
        done = self.part.stat().st_size if origin is not None else 0
        if origin is not None and done == origin.total:
            return
        headers = {"Accept-Encoding": "identity", "User-Agent": "vall-e"}
        if origin is not None and origin.validator is not None and done > 0:
            headers |= {"Range": f"bytes={done}-", "If-Range": origin.validator}
        with closing(self._open(headers)) as response:
            resumed = response.status == 206 and self._continues(response, origin, done)
            if response.status == 206 and not resumed:
                self._discard()
                raise _Interrupted("the server answered with another part than was asked for")
            length = _integer(response.headers.get("Content-Length"))
            done = done if resumed else 0
            total = None if length is None else done + length
            if total is not None and self.size is not None and total != self.size:
                self._discard()
                raise self._unexpected(f"it has {total} bytes, expected {self.size}")
            self._check_room(done, total)
            if not resumed:
                self.note.write_text(json.dumps(asdict(_Origin(self.url, _validator(response), total))), "utf-8")
            with self.part.open("ab" if resumed else "wb") as file:
                self._copy(response, file, done, total)

    def _copy(self, response: http.client.HTTPResponse, file: BinaryIO, done: int, total: int | None) -> None:
        limit = self.size if self.size is not None else total
        while True:
            try:
                block = response.read(_BLOCK)
            except (OSError, http.client.HTTPException) as error:
                raise _Interrupted(str(error) or type(error).__name__) from error
            if not block:
                break
            file.write(block)
            done += len(block)
            if limit is not None and done > limit:
                self._discard()
                raise self._unexpected(f"it is longer than {limit} bytes")
            if self.progress is not None:
                self.progress(done, total)
        if total is not None and done < total:
            raise _Interrupted(f"the connection closed after {done} of {total} bytes")
        file.flush()
        os.fsync(file.fileno())

    def _open(self, headers: dict[str, str]) -> http.client.HTTPResponse:
        request = urllib.request.Request(self.url, headers=headers)
        opener = urllib.request.build_opener(_SafeRedirects())
        try:
            response: http.client.HTTPResponse = opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code == 416:  # what we have is longer than what there is now
                self._discard()
                raise _Interrupted("the file on the server has changed") from error
            if error.code in (408, 429) or error.code >= 500:
                raise _Interrupted(f"the server answered {error.code} {error.reason}") from error
            raise DownloadError(
                f"{self.url}: the server answered {error.code} {error.reason}",
                try_=f"another address by {MIRROR_VARIABLE}, or fetch it yourself and put it at {self.destination}",
            ) from error
        except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
            raise _Interrupted(str(getattr(error, "reason", error)) or type(error).__name__) from error
        return response

    def _origin(self) -> _Origin | None:
        """What the partial file belongs to; None if there is none or it can't be continued."""
        try:
            stored = json.loads(self.note.read_text("utf-8"))
            origin = _Origin(str(stored["url"]), stored["validator"], stored["total"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return origin if self.part.is_file() and origin.url == self.url and origin.validator is not None else None

    @staticmethod
    def _continues(response: http.client.HTTPResponse, origin: _Origin | None, done: int) -> bool:
        unit, _, span = response.headers.get("Content-Range", "").partition(" ")
        first, _, rest = span.partition("-")
        total = _integer(rest.partition("/")[2])
        if origin is None or unit != "bytes" or _integer(first) != done:
            return False
        current = _validator(response)
        unchanged = current is None or current == origin.validator
        return unchanged and (total is None or origin.total is None or total == origin.total)

    def _check_room(self, done: int, total: int | None) -> None:
        if total is not None and shutil.disk_usage(self.part.parent).free < total - done:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _unexpected(self, cause: str) -> DownloadError:
        return DownloadError(f"{self.url} isn't the expected file", cause=cause)

    def _discard(self) -> None:
        for path in (self.part, self.note):
            with suppress(OSError):
                path.unlink(missing_ok=True)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and never from https to http."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        before, after = urllib.parse.urlsplit(req.full_url).scheme, urllib.parse.urlsplit(newurl).scheme
        if after not in ("http", "https") or (before == "https" and after == "http"):
            fp.close()
            raise DownloadError(f"{req.full_url} redirects to {newurl}", cause="that isn't followed: it is less secure")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_there(path: Path, sha256: str | None, size: int | None) -> bool:
    return path.is_file() and _fault(path, sha256, size) is None


def _fault(path: Path, sha256: str | None, size: int | None) -> str | None:
    """What is wrong with a whole file, or None."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"{found} bytes, expected {size}"
    if sha256 is not None and not (digest := sha256_file(path)).startswith(sha256.lower()):
        return f"its sha256 is {digest}, expected {sha256}"
    return None


def _validator(response: http.client.HTTPResponse) -> str | None:
    etag = response.headers.get("ETag")
    return etag if etag is not None and not etag.startswith("W/") else response.headers.get("Last-Modified")


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _disk_error(error: OSError, destination: Path) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = str(destination.parent)
        return DownloadError(f"no room for {destination.name}", cause=where, try_="VALL_E_HOME=another folder")
    return DownloadError(f"can't write {destination}", cause=error.strerror or str(error))
