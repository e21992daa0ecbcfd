"""Part `serve`: what the way over HTTP costs, and what several clients at once get.

A request at a time is how servers work that put a lock around their engine; it is the baseline of all at once.
"""

from __future__ import annotations

import http.client
import json
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from statistics import median
from time import monotonic, perf_counter, sleep
from typing import cast

from vall_e_core import VallE, VallEError, Voice

from .process import environment, program
from .report import Report, Row
from .settings import SENTENCES, Settings

PART = "serve"
VOICE = "heart"
MOST_MS = 30.0
"""What the way over HTTP may add to the first sound."""
CLIENTS, STREAMS, WORKERS = 8, 4, 2
_LOADING_SECONDS = 120.0


def run(settings: Settings, report: Report) -> None:
    """First sound in this process and over HTTP, turn by turn; then several clients in turn and at once."""
    try:
        engine = VallE.load(device="cpu", threads=settings.threads)
        with server(settings.threads) as port:
            _first_sound(engine, port, settings, report)
            _together(port, settings, report)
        with server(settings.threads, "--engine-workers", str(WORKERS)) as port:
            _together(port, settings, report, WORKERS)
    except (VallEError, OSError, RuntimeError) as error:
        reason = error.render() if isinstance(error, VallEError) else str(error)
        report.missing(PART, f"{PART}.first_over", "first sound over HTTP", reason)


@contextmanager
def server(threads: int | None, *flags: str) -> Iterator[int]:
    """The port of a server that is ready. Raises RuntimeError where it doesn't start."""
    command = [*program(), "serve", "--port", "0", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment(threads)) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            found = re.search(r"127\.0\.0\.1:(\d+),", line)
            if found is None:
                raise RuntimeError(line.strip() or "the server doesn't start")
            port, until = int(found[1]), monotonic() + _LOADING_SECONDS
            while monotonic() < until and _ready(port) is False:
                sleep(0.1)
            yield port
        finally:
            process.kill()
            process.communicate()


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    finally:
        connection.close()


def spoken(port: int, text: str, format: str) -> tuple[float, float]:
    """Seconds until the first byte of a response, and until its last."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    body = json.dumps({"input": text, "voice": VOICE, "response_format": format, "seed": 1})
    began = perf_counter()
    try:
        connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != 200:
            raise RuntimeError(f"the server says {response.status}")
        response.read(1)
        first = perf_counter() - began
        response.read()
        return first, perf_counter() - began
    finally:
        connection.close()


def _first_sound(engine: VallE, port: int, settings: Settings, report: Report) -> None:
    """In both places the voice is encoded already."""
    voice = engine.make_voice(cast("type[Voice]", engine.registry.get(Voice.kind, VOICE))().audio_path())

    def here() -> float:
        began = perf_counter()
        stream = engine.stream(settings.text, voice=voice, seed=1)
        next(stream)
        first = perf_counter() - began
        for _ in stream:
            pass
        return first

    here(), spoken(port, settings.text, "pcm")
    pairs = [(here(), spoken(port, settings.text, "pcm")[0]) for _ in range(settings.runs)]
    inside, over = median(one for one, _ in pairs), median(two for _, two in pairs)
    note = f"{1000 * over:.0f} ms over HTTP, {1000 * inside:.0f} ms in process"
    report.add(
        Row(PART, f"{PART}.first_over", "first sound over HTTP, beyond in process", 1000 * (over - inside), "ms", note,
            most=MOST_MS)
    )  # fmt: skip


def _together(port: int, settings: Settings, report: Report, workers: int = 0) -> None:
    """Requests in turn keep one engine busy, whatever the number of them; so they are the baseline of both."""
    count, streams = (2, 2) if settings.quick else (CLIENTS, STREAMS)
    texts = [SENTENCES[at % len(SENTENCES)] for at in range(count)]
    ratios, later = [], []
    with ThreadPoolExecutor(count) as pool:
        for _ in range(settings.runs):
            began = perf_counter()
            for text in texts:
                spoken(port, text, "wav")
            turns = perf_counter() - began
            began = perf_counter()
            list(pool.map(lambda text: spoken(port, text, "wav"), texts))
            ratios.append((perf_counter() - began) / turns)
            alone = spoken(port, texts[0], "pcm")[0]
            firsts = pool.map(lambda text: spoken(port, text, "pcm")[0], texts[:streams])
            later.append(max(firsts) / alone)
    key, where = (f".workers{workers}", f", {workers} engine workers") if workers else ("", "")
    for name, at, found, note in (
        (f"{count} clients at once over one after the other", "at_once", ratios, "below 1: they gain from each other"),
        (f"last first sound of {streams} streams over one alone", "streams", later, ""),
    ):
        report.add(Row(
            PART, f"{PART}.{at}{key}", f"{name}{where}", median(found), "x",
            f"{note}{'; ' if note else ''}{min(found):.2f} to {max(found):.2f}",
        ))  # fmt: skip
