"""What every test shares."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
"""Read when torch is imported: threads that spin make small tests a hundred times slower beside a busy process."""


pytest_plugins = ["sites", "tiny"]
"""Fixtures for several packages: what is installed, and a tiny model. They are in `shared/`."""

COUNT = itertools.count()


def pytest_collection_finish() -> None:
    """The garbage collector looks less often at what was imported and stays to the end: a twentieth of the suite."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


@pytest.fixture(autouse=True)
def no_plugin_settings(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The developer's own choice of plugins, their voices and what they have kept don't reach the tests."""
    monkeypatch.setenv("VALL_E_HOME", str(tmp_path_factory.getbasetemp() / "homes" / str(next(COUNT))))
    monkeypatch.setenv("VALL_E_VOICES", os.devnull)  # no folder: no voices
    for name in ("VALL_E_PLUGINS", "VALL_E_DISABLE", "VALL_E_STRICT_PLUGINS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def grows_linearly() -> Callable[[Callable[[int], object]], bool]:
    """Whether `work(10)` takes the processor at most twelve times as long as `work(1)`; quadratic work takes a hundred.

    Neighbors only add to a time, so the shortest of several rounds counts, and one round is enough where it's clear.
    `work(1)` is taken ten times in a row: what is short is sooner undisturbed than what is ten times as long.
    """

    def seconds(work: Callable[[int], object], size: int, times: int) -> float:
        gc.collect()
        gc.disable()  # what a collection takes depends on all that other tests have left
        try:
            began = time.process_time()
            for _ in range(times):
                work(size)
            return time.process_time() - began
        finally:
            gc.enable()

    def verdict(work: Callable[[int], object]) -> bool:
        work(1)
        small = large = float("inf")
        for _ in range(8):
            small, large = min(small, seconds(work, 1, 10) / 10), min(large, seconds(work, 10, 1))
            if large <= 12 * small + 0.05:
                return True
        return False

    return verdict


class Fragile:
    """Is interrupted while it is taken down."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)


@pytest.fixture
def no_larger(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Callable[[], None]]:
    """`preexec_fn=no_larger(1000)`: a process that can write no file beyond so many bytes, as on a full disk.

    It writes no bytecode: Python takes a file that was cut short for whole, and no process could import it again.
    """
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")

    def limit(size: int) -> Callable[[], None]:
        import resource  # absent on Windows

        def apply() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

        return apply

    return limit


@pytest.fixture
def lose_interrupt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Ctrl-C at a moment at which Python forgets it."""
    forgotten: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda details: forgotten.append(details.exc_type))

    def lose() -> None:
        Fragile()
        assert forgotten == [KeyboardInterrupt]

    old = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore SIGINT
    yield lose
    signal.signal(signal.SIGINT, old)


@dataclass
class Web:
    """A web server on 127.0.0.1 that can be told to misbehave."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=lambda: {"ETag": '"one"'})
    """Sent with every file."""
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: list[int] = field(default_factory=list)
    """Errors for the next requests."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes the next answers break off."""
    ranges: bool = True
    """Whether a part of a file can be asked for."""
    honest: bool = True
    """Whether `If-Range` is looked at."""
    length: bool = True
    """Whether the length is said."""
    open: threading.Event = field(default_factory=threading.Event)
    """While it isn't set, nothing is sent after the first bytes."""
    first: int = 1
    """How many these are."""
    asked: list[dict[str, str]] = field(default_factory=list)
    """The headers of each request, and its `path`."""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """One request."""
        self.asked.append({"path": handler.path, **handler.headers})
        body = self.files.get(handler.path)
        if self.statuses:
            handler.send_error(self.statuses.pop(0))
        elif handler.path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[handler.path])
            handler.end_headers()
        elif body is None:
            handler.send_error(404)
        else:
            self._send(handler, body)

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        wanted, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        start = 0
        if wanted is not None and self.ranges and (not self.honest or condition in self.headers.values()):
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(body):
                handler.send_error(416)
                return
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            handler.send_response(200)
        for name, value in self.headers.items():
            handler.send_header(name, value)
        if self.length:
            handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        part = body[start : start + self.cuts.pop(0) if self.cuts else None]
        handler.wfile.write(part[: self.first])
        handler.wfile.flush()
        self.open.wait(30)
        handler.wfile.write(part[self.first :])


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A fresh server; nothing in the environment turns a download elsewhere or forbids it."""
    for name in ("VALL_E_MODELS_URL", "VALL_E_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "*")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(ConnectionError):  # the client went away, as some tests have it
                made.answer(self)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        made = Web(f"http://127.0.0.1:{server.server_address[1]}")
        made.open.set()
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        made.open.set()
        server.shutdown()
