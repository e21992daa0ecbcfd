"""`vall-e serve` as a process: what it refuses to begin, and how it ends."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from vall_e_core import Registry
from vall_e_core.cli import main
from vall_e_lm.decode.alike import alike_rows
from vall_e_serve.command import warm
from vall_e_tts import EngineJob, SpeechOptions, SpeechRequest, SpeechWork, VallE, Worker


@contextmanager
def serving(*flags: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server that is ready, and its port."""
    command = [sys.executable, "-m", "vall_e", "serve", "--port", "0", *flags]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            found = re.search(r"http://127\.0\.0\.1:(\d+)", process.stderr.readline())
            assert found is not None
            port = int(found[1])
            while asked(port, "/ready") != 200:
                time.sleep(0.02)
            yield process, port
        finally:
            process.kill()


def asked(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def begun(port: int, text: str) -> Iterator[http.client.HTTPResponse]:
    """A response of which the head has arrived."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"input": text, "voice": "heart", "response_format": "pcm"})
    connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
    with closing(connection), connection.getresponse() as response:
        yield response


needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")


@pytest.mark.slow
@needs_signals
def test_a_signal_lets_a_stream_end_whole_and_the_exit_code_is_0() -> None:
    with serving("--rows", "2") as (process, port):
        with begun(port, "The birch canoe slid on the smooth planks.") as response:
            process.send_signal(signal.SIGTERM)
            assert len(response.read()) > 48_000
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0 and "Traceback" not in errors
        with pytest.raises(OSError):
            asked(port, "/health")


@pytest.mark.slow
@needs_signals
def test_a_second_signal_ends_it_at_once() -> None:
    with serving() as (process, port), begun(port, "One sentence. " * 40) as response:
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.communicate(timeout=30)
        assert process.returncode == 0 and time.monotonic() - began < 10
        with pytest.raises((http.client.HTTPException, OSError)):
            response.read()


def test_another_address_needs_a_key(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VALL_E_API_KEYS", raising=False)
    assert main(["serve", "--host", "0.0.0.0"]) == 2
    error = capfd.readouterr().err
    assert "no API key" in error and "--insecure" in error


def test_a_model_that_is_not_there_is_said_before_anything_listens(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["serve", "--model", str(tmp_path / "none.sft"), "--port", "0"]) == 4
    assert "listening" not in capfd.readouterr().err


@pytest.mark.slow
def test_a_model_that_can_t_be_loaded_ends_the_server_with_its_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.sft"
    broken.write_bytes(b"nonsense")
    command = [sys.executable, "-m", "vall_e", "serve", "--port", "0", "--model", str(broken)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 4 and "Traceback" not in done.stderr


def test_a_port_that_is_taken(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 2
        assert f"port {port}" in capfd.readouterr().err


@pytest.mark.parametrize("mapped", ["alloy", "alloy=nobody"])
def test_a_voice_map_that_maps_to_nothing(capfd: pytest.CaptureFixture[str], mapped: str) -> None:
    assert main(["serve", "--voice-map", mapped, "--port", "0"]) == 2
    assert "--voice-map" in capfd.readouterr().err


def test_without_the_extra_it_says_what_to_install(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *more: None if name == "uvicorn" else real(name, *more))
    assert main(["serve"]) == 4
    assert "vall-e[serve]" in capfd.readouterr().err


@pytest.mark.slow
def test_what_the_first_request_would_wait_for_is_done_before(
    registry: Registry, engine: VallE, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = []

    def counted(*given: Any) -> int:
        trials.append(given)
        return alike_rows(*given)

    monkeypatch.setattr("vall_e_lm.decode.shared.alike_rows", counted)
    worker = Worker(lambda: engine, rows=2, warm=warm)
    worker.start()
    try:
        assert worker.wait(60) and worker.failure is None
        assert len(trials) == 1, "how many rows round alike is tried once"
        ended = threading.Event()
        request = SpeechRequest("Hello.", voice="heart", options=SpeechOptions(seed=1)).prepare(registry)
        worker.submit(EngineJob(SpeechWork(request), unread=None), lambda _job: ended.set())
        assert ended.wait(60)
        assert len(trials) == 1
    finally:
        worker.close()
