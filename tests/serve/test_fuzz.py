"""Every route with bodies, forms, paths and headers that nobody means: one sentence, and nothing left behind."""

from __future__ import annotations

import http.client
import json
import os
import random
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from vall_e_core import Registry
from vall_e_serve.openapi import document

from .conftest import SlowEngine
from .running import Answer, Running, form, running

ROOT = Path(__file__).parents[2]
WAV = (ROOT / "examples" / "heart.wav").read_bytes()[:20_000]
VALUES: tuple[object, ...] = (
    None, True, False, 0, -1, 1, 2**63, -(2**70), 1e308, 1e-9, "", " ", "x", "x" * 5000, "../../etc/passwd",
    "file:///etc/passwd", "http://169.254.169.254/", "\x00", "\ud800", "\u202e", "[pause:99999s]",
    "<speak><!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]>&b;", "{{7*7}}", "$(id)", "hf:os:system", "none",
    "null", "NaN", [], ["x"], [[]], {}, {"id": "heart"}, {"id": {}}, {"ar": ["top-p:nan"]}, ["top-p:0.5"] * 33,
    ["temperature:inf"], ["dry:sequences=" + "1-" * 500], "data:audio/wav;base64,AAAA", "data:audio/wav;base64,!",
    "data:text/html,x",
)  # fmt: skip
FIELDS = (
    "input", "model", "voice", "response_format", "speed", "stream_format", "seed", "language", "samplers",
    "nar_samplers", "candidates", "max_tries", "pause", "sample_rate", "delivery", "ref_audio", "ref_text",
    "voice_fallback", "trace", "instructions", "__class__",
)  # fmt: skip


@pytest.fixture
def fuzzed(registry: Registry, slow: SlowEngine) -> Iterator[Running]:
    """A server whose engine answers at once."""
    slow.seconds = 0.01
    slow.release(1_000_000)
    with running(registry, lambda: slow, max_per_key=100) as found:
        yield found


def check(answer: Answer, what: object) -> None:
    """Well, or an error in one sentence."""
    assert 200 <= answer.status < 500, (what, answer.body[:300])
    if answer.status >= 400:
        message = answer.error["message"]
        assert message and "\n" not in message and len(message) <= 1000, what
        for leak in ("Traceback", str(ROOT), "site-packages", "/tmp/", "/root", 'File "'):
            assert leak not in message, (what, message)


@pytest.fixture
def nothing_left(
    fuzzed: Running, voices_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """No file is made, neither among temporary ones, nor in the current folder, nor among the voices."""
    fuzzed.speak()  # espeak's library is loaded from a copy
    places = [tmp_path / "temporary", tmp_path / "current"]
    for each in places:
        each.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(places[0]))
    monkeypatch.chdir(places[1])
    yield
    assert [os.listdir(each) for each in places] == [[], []]
    assert not voices_folder.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_odd_values_of_every_field_of_speech(fuzzed: Running) -> None:
    chance = random.Random(1)
    pairs = [(field, value) for field in FIELDS for value in VALUES]
    for field, value in chance.sample(pairs, 400):
        body = {"input": "Hello.", "voice": "heart", "response_format": "pcm", field: value}
        check(fuzzed.post("/v1/audio/speech", body), body)
    for _ in range(50):
        several = {chance.choice(FIELDS): chance.choice(VALUES) for _ in range(4)}
        check(fuzzed.post("/v1/audio/speech", {"input": "Hello.", "voice": "heart", **several}), several)
        check(fuzzed.post("/v1/samplers/explain", several), several)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_damaged_json_and_forms(fuzzed: Running) -> None:
    chance = random.Random(2)
    body = json.dumps({"input": "Hello there.", "voice": "heart", "samplers": ["top-p:0.9"], "seed": 1}).encode()
    parts, kind = form([("model", None, b"tts-1"), ("language", None, b"en"), ("file", "x.wav", WAV)])
    for _ in range(150):
        check(fuzzed.ask("POST", "/v1/audio/speech", damaged(body, chance), {"Content-Type": "application/json"}), body)
    for _ in range(60):
        head = damaged(parts[:250], chance) + parts[250:] if chance.random() < 0.7 else damaged(parts, chance)[:400]
        for path in ("/v1/audio/transcriptions", "/v1/audio/voices"):
            if b'name="file"' not in head:  # else a process is started for each
                check(fuzzed.ask("POST", path, head, {"Content-Type": kind}), head)


def damaged(data: bytes, chance: random.Random) -> bytes:
    """With some bytes changed, left out, doubled or cut off."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(made))
        how = chance.randrange(4)
        if how == 0:
            made[at] = chance.randrange(256)
        elif how == 1:
            del made[at : at + chance.randint(1, 9)]
        elif how == 2:
            made[at:at] = made[at : at + chance.randint(1, 40)]
        else:
            made = made[: at + 1]
        if not made:
            return b""
    return bytes(made)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_every_route_with_every_method_and_odd_ids(fuzzed: Running) -> None:
    ids = ("heart", "..", "%2e%2e%2f", "%00", "a" * 3000, "%ff%fe", "x/y", "heart%20", "😀".encode().hex())
    for path in document(keyed=False)["paths"]:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
            for each in ids if "{id}" in path else ("",):
                answer = fuzzed.ask(method, path.replace("{id}", each))
                if method == "HEAD":
                    assert answer.status < 500 and answer.body == b""
                else:
                    check(answer, (method, path, each))


def test_no_get_changes_anything(fuzzed: Running) -> None:
    for path, operations in document(keyed=False)["paths"].items():
        if "get" not in operations:
            assert fuzzed.get(path.replace("{id}", "heart")).status in (404, 405), path


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_odd_headers(fuzzed: Running) -> None:
    body = json.dumps({"input": "Hello.", "voice": "heart", "response_format": "pcm"}).encode()
    names = ("Content-Type", "Content-Length", "Transfer-Encoding", "Host", "Origin", "Authorization", "Expect")
    for name in names:
        for value in ("", " ", "x" * 2000, "\x00", "application/json", "chunked", "-1", "9" * 20, "1e3", "é"):
            try:
                with socket.create_connection(("127.0.0.1", fuzzed.port), timeout=10) as connection:
                    lines = {"Host": "localhost", "Content-Type": "application/json", "Content-Length": str(len(body))}
                    lines[name] = value
                    head = "".join(f"{key}: {text}\r\n" for key, text in lines.items())
                    first = "POST /v1/audio/speech HTTP/1.1\r\nConnection: close\r\n"
                    connection.sendall(f"{first}{head}\r\n".encode() + body)
                    connection.shutdown(socket.SHUT_WR)
                    response = http.client.HTTPResponse(connection)
                    response.begin()
                    assert response.status < 500, (name, value)
                    assert b"Traceback" not in response.read()
                    response.close()
            except (http.client.BadStatusLine, http.client.RemoteDisconnected, http.client.IncompleteRead):
                pass  # the connection was closed: it wasn't HTTP
    assert fuzzed.get("/health").status == 200
