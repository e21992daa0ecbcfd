"""Who may use a server: keys, hosts, origins, and what a request may look like."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from vall_e_core import InputError, Registry, UsageError
from vall_e_serve import ServeOptions
from vall_e_serve.guard import is_loopback
from vall_e_serve.keys import load_keys

from .conftest import SlowEngine
from .running import Running, form, running

LONG = "k" * 20
OTHER = "o" * 20


def test_a_host_that_is_not_this_server_s_is_refused(served: Running) -> None:
    for name in ("localhost", "127.0.0.1", "[::1]", "LOCALHOST:1"):
        assert served.get("/health", Host=name).status == 200, name
    for name in ("evil.example", "192.168.1.2", "localhost.evil.example", "127.0.0.1@evil.example", "["):
        answer = served.get("/health", Host=name)
        assert answer.status in (400, 421), name
    assert served.get("/v1/models", Host="evil.example").error["code"] == "unknown_host"


def test_web_pages_of_other_origins_may_do_nothing(served: Running) -> None:
    body = json.dumps({"input": "Hello.", "voice": "heart"}).encode()
    for headers in (
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
        {"Origin": f"http://localhost:{served.port + 1}", "Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):  # fmt: skip
        answer = served.ask("POST", "/v1/audio/speech", body, {"Content-Type": "application/json", **headers})
        assert answer.status == 403 and answer.error["code"] == "forbidden_origin", headers
        assert "access-control-allow-origin" not in answer.headers
    assert served.ask("OPTIONS", "/v1/audio/speech", None, {"Origin": "http://evil.example"}).status == 403
    own = f"http://127.0.0.1:{served.port}"
    assert served.get("/v1/models", Origin=own, Sec_Fetch_Site="same-origin").status == 200


def test_an_origin_that_was_named_may(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, cors=("http://page.example",), allow_host=("voice.example",)) as served:
        asked = served.ask("OPTIONS", "/v1/audio/speech", None, {"Origin": "http://page.example"})
        assert asked.status == 204 and asked.headers["access-control-allow-origin"] == "http://page.example"
        answer = served.get("/v1/models", Origin="http://page.example", Sec_Fetch_Site="cross-site")
        assert answer.status == 200 and answer.headers["access-control-allow-origin"] == "http://page.example"
        assert served.get("/v1/models", Origin="http://page.example.evil").status == 403
        assert served.get("/v1/models", Host="voice.example").status == 200


def test_only_json_is_taken_for_json(served: Running) -> None:
    body = json.dumps({"input": "Hello.", "voice": "heart"}).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json-patch", ""):
        answer = served.ask("POST", "/v1/audio/speech", body, {"Content-Type": kind})
        assert answer.status == 415, kind
    assert served.ask("POST", "/v1/audio/voices", b"{}", {"Content-Type": "application/json"}).status == 415


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"input": NaN}', b"[" * 100_000, b"\xff\xfe", b'{"a":' * 99 + b"1" + b"}" * 99],
)
def test_what_is_no_json_object_is_a_400(served: Running, body: bytes) -> None:
    answer = served.ask("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
    assert answer.status == 400 and answer.error["code"] == "bad_json"


def test_a_body_that_is_too_large_is_a_413_whether_or_not_it_says_so(served: Running) -> None:
    headers = {"Content-Type": "application/json"}
    assert served.ask("POST", "/v1/samplers/explain", b" " * (1 << 20) + b"{}", headers).status == 413
    huge = served.ask("POST", "/v1/audio/speech", b'{"input": "' + b"x" * (1 << 20) + b'"}', headers)
    assert huge.status == 413
    bomb = b'{"input": "x", "ref_audio": "data:audio/wav;base64,' + b"A" * (14 << 20) + b'"}'
    assert served.ask("POST", "/v1/audio/speech", bomb, headers).status == 413


def test_a_chunked_body_is_counted_while_it_is_read(served: Running) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.settimeout(20)
        head = "POST /v1/samplers/explain HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        block = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
        try:
            for _ in range(40):  # never ended
                connection.sendall(block)
        except OSError:
            pass
        assert b" 413 " in connection.recv(4096).splitlines()[0]


def test_a_client_that_stops_sending_is_let_go(registry: Registry, slow: SlowEngine) -> None:
    with (
        running(registry, lambda: slow, stall_seconds=0.2) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection,
    ):
        connection.sendall(
            b"POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        assert b" 408 " in connection.recv(4096).splitlines()[0]


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    file = tmp_path / "keys"
    file.write_text(f"# who\nanna:{LONG}\n\nben:{OTHER}:speak\n")
    return file


def test_keys_their_scopes_and_what_is_open(registry: Registry, slow: SlowEngine, keys: Path) -> None:
    slow.release()
    with running(registry, lambda: slow, keys=load_keys(keys, {})) as served:
        anna, ben = {"Authorization": f"Bearer {LONG}"}, {"xi-api-key": OTHER}
        for value in ("", "Bearer no", f"Basic {LONG}", LONG):
            answer = served.get("/v1/models", Authorization=value)
            assert answer.status == 401 and answer.error["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"
        for path in ("/health", "/ready", "/openapi.json"):
            assert served.get(path).status == 200
        assert served.ask("GET", "/v1/models", None, ben).status == 200
        assert served.ask("GET", "/metrics", None, ben).status == 403
        assert served.ask("GET", "/metrics", None, anna).status == 200
        assert served.ask("DELETE", "/v1/audio/voices/heart", None, ben).status == 403
        body = {"input": "Hello.", "voice": "heart", "response_format": "wav"}
        made = served.post("/v1/audio/speech", body, ben)
        record = f"/v1/audio/records/{made.headers['x-request-id']}"
        assert served.ask("GET", record, None, ben).status == 200
        assert served.ask("GET", record, None, anna).status == 404, "another key's"
        served.wait(lambda: any('"key": "ben"' in line for line in served.lines))
        assert all(LONG not in line and OTHER not in line for line in served.lines)


def test_lists_can_be_public(registry: Registry, slow: SlowEngine, keys: Path) -> None:
    with running(registry, lambda: slow, keys=load_keys(keys, {}), public_lists=True) as served:
        for path in ("/v1/models", "/v1/audio/models", "/v1/audio/voices"):
            assert served.get(path).status == 200
        assert served.get("/v1/samplers").status == 401
        body, kind = form([("name", None, b"x")])
        assert served.ask("POST", "/v1/audio/voices", body, {"Content-Type": kind}).status == 401


def test_keys_come_from_the_environment_too(keys: Path) -> None:
    found = load_keys(keys, {"VALL_E_API_KEYS": f"carl:{'c' * 16}:metrics; dora:{'d' * 16}"})
    carl = found.find("c" * 16)
    assert carl is not None and carl.scopes == {"metrics"}
    assert found.find(LONG) is not None and found.find("c" * 15) is None and found.find("") is None
    assert not load_keys(None, {})


@pytest.mark.parametrize(
    "line", ["nokey", "a:short", f"a b:{LONG}", f"a:{LONG}:all", f"a:{LONG}\na:{OTHER}", f"a:{LONG} x"]
)
def test_a_line_that_is_no_key_is_refused_without_being_shown(tmp_path: Path, line: str) -> None:
    file = tmp_path / "keys"
    file.write_text(line)
    with pytest.raises(UsageError) as caught:
        load_keys(file, {})
    assert LONG not in caught.value.render()
    with pytest.raises(InputError):
        load_keys(tmp_path / "none", {})


def test_what_is_this_machine_alone() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "localhost", "::1", "[::1]", "127.1.2.3")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.0.2", "example.org", "")))


def test_no_text_gets_into_the_log_unless_it_is_to(registry: Registry, slow: SlowEngine) -> None:
    slow.release()
    with running(registry, lambda: slow) as served:
        served.speak("A private matter.")
        served.wait(lambda: '"characters": 17' in "".join(served.lines))
        assert "private" not in "".join(served.lines)
    with running(registry, lambda: slow, log_text=True) as served:
        served.speak("A private matter.")
        served.wait(lambda: "A private matter." in "".join(served.lines))


def test_strict_requests_and_texts(registry: Registry, slow: SlowEngine) -> None:
    slow.release()
    with running(registry, lambda: slow, strict_requests=True, strict_openai=True) as served:
        answer = served.speak("Hello.", colour="blue")
        assert answer.status == 400 and answer.error["param"] == "colour"
        assert served.speak("Hello.", instructions="Be kind.").status == 200
        assert served.speak("x" * 4097).error["code"] == "too_long"


def test_options_have_the_limits_that_the_page_names() -> None:
    options = ServeOptions()
    assert (options.host, options.port) == ("127.0.0.1", 8460)
    assert (options.rows, options.queue, options.max_per_key) == (8, 32, 8)
