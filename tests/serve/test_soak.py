"""A long day of a server: mixed requests, a tenth of them left and a tenth wrong, and what it has kept afterwards.

Not among the everyday tests: `pytest -m soak tests/serve`. `VALL_E_SOAK` is the number of requests, 3,000 if absent.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .running import form

pytestmark = [pytest.mark.soak, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
REQUESTS = int(os.environ.get("VALL_E_SOAK", "3000"))
WARM = min(300, REQUESTS // 2)
"""What these have taken doesn't count."""
MOST_GROWTH, MOST_BYTES = 0.02, 20 << 20
TEXTS = ("Hello there.", "Yes.", "One, two, three.", "Is it late?", "So it goes.")
FORMATS = ("mp3", "wav", "pcm", "opus", "flac")
WRONG: tuple[tuple[str, dict[str, object]], ...] = (
    ("/v1/audio/speech", {"input": "Hello.", "voice": "nobody"}), ("/v1/audio/speech", {"input": "", "voice": "heart"}),
    ("/v1/audio/speech", {"input": "Hello.", "voice": "heart", "samplers": ["no-such"]}),
    ("/v1/audio/speech", {"input": "x" * 30_000, "voice": "heart"}), ("/v1/samplers/explain", {"samplers": [1]}),
    ("/v1/audio/speech", {"input": "Hello.", "ref_audio": "data:audio/wav;base64,AAAA"}), ("/nowhere", {}),
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """What a process holds."""

    bytes: int
    files: int
    threads: int


def kept_by(pid: int) -> Kept:
    status = Path(f"/proc/{pid}/status").read_text()
    found = {name: int(value) for name, value in re.findall(r"^(VmRSS|Threads):\s+(\d+)", status, re.MULTILINE)}
    return Kept(found["VmRSS"] * 1024, len(os.listdir(f"/proc/{pid}/fd")), found["Threads"])


@contextmanager
def serving(folder: Path) -> Iterator[tuple[int, int]]:
    """The process and the port of a server whose temporary files lie in `folder`."""
    command = [sys.executable, "-m", "vall_e", "serve", "--port", "0", "--max-per-key", "50"]
    log = folder.parent / "log"
    ours = {**os.environ, "TMPDIR": str(folder)}
    with log.open("w") as file, subprocess.Popen(command, stderr=file, env=ours) as one:
        try:
            while (found := re.search(r"http://127\.0\.0\.1:(\d+)", log.read_text())) is None:
                assert one.poll() is None, log.read_text()
                time.sleep(0.05)
            port = int(found[1])
            while send(port, "GET", "/ready") != 200:
                time.sleep(0.1)
            yield one.pid, port
        finally:
            one.kill()
    assert "Traceback" not in log.read_text()


def send(
    port: int, method: str, path: str, body: bytes = b"", kind: str = "application/json", *, leave: bool = False
) -> int:
    """The status of an answer that was read; `leave`: only its first bytes were."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=300)) as connection:
        connection.request(method, path, body, {"Content-Type": kind})
        response = connection.getresponse()
        response.read(64 if leave else None)
        status = response.status
        response.close()
    return status


def say(port: int, chance: random.Random, *, leave: bool = False) -> int:
    fields: dict[str, object] = {
        "input": chance.choice(TEXTS) * (8 if leave else 1), "voice": chance.choice(("heart", "michael", "alloy")),
        "response_format": "pcm" if leave else chance.choice(FORMATS), "seed": chance.randrange(10),
    }  # fmt: skip
    if chance.random() < 0.2:
        fields["samplers"] = [f"top-p:{chance.choice((0.8, 0.9))}", "dry"]
    if chance.random() < 0.1:
        fields["stream_format"] = "sse"
    if chance.random() < 0.1:
        fields["trace"] = True
    return send(port, "POST", "/v1/audio/speech", json.dumps(fields).encode(), leave=leave)


def one_request(port: int, number: int, chance: random.Random) -> tuple[str, int]:
    """A request of the mixture: what it was, and its status."""
    place = number % 10
    if place == 3:
        return "left", say(port, chance, leave=True)
    if place == 6:
        path, fields = chance.choice(WRONG)
        return "wrong", send(port, "POST", path, json.dumps(fields).encode())
    if place == 8:
        path = chance.choice(("/v1/audio/voices", "/v1/models", "/metrics", "/v1/samplers", "/openapi.json", "/health"))
        return "list", send(port, "GET", path)
    if place == 9:
        body = json.dumps({"input": chance.choice(TEXTS), "lexicon": {"late": "early"}}).encode()
        return "preview", send(port, "POST", "/v1/audio/speech/preview", body)
    if number % 50 == 5:
        recording = ("file", "a.wav", (ROOT / "examples" / "heart.wav").read_bytes())
        return "heard", send(port, "POST", "/v1/audio/transcriptions", *form([("model", None, b"tts-1"), recording]))
    return "said", say(port, chance)


def test_a_server_keeps_nothing_of_the_requests_it_has_answered(tmp_path: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=tmp_path))
    chance, seen = random.Random(1), Counter[tuple[str, int]]()
    with serving(temporary) as (pid, port):
        for number in range(WARM):
            one_request(port, number, chance)
        before, files = kept_by(pid), set(os.listdir(temporary))
        for number in range(WARM, REQUESTS):
            seen[one_request(port, number, chance)] += 1
        time.sleep(1.0)  # the last one that was left ends at its next step
        after = kept_by(pid)
        grown = after.bytes - before.bytes
        each = grown / (REQUESTS - WARM)
        print(f"{REQUESTS} requests {dict(seen)}; before {before}, after {after}: {each:.0f} bytes each")
        assert {status for (what, status) in seen if what != "wrong"} == {200}
        assert all(400 <= status < 500 for (what, status) in seen if what == "wrong")
        assert grown <= MOST_GROWTH * before.bytes + MOST_BYTES
        assert after.files <= before.files + 2 and after.threads <= before.threads + 2
        assert set(os.listdir(temporary)) == files
