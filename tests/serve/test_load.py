"""More than the engine can do: queues, keys' shares, clients that leave, read slowly, or come all at once."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from vall_e_core import Registry
from vall_e_serve.keys import Keys

from .conftest import SlowEngine
from .running import Answer, Running, running


def opened(served: Running, text: str, **fields: object) -> socket.socket:
    """A request that has been sent, and whose answer nobody has read."""
    body = json.dumps({"input": text, "voice": "heart", "response_format": "wav", **fields}).encode()
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    found = socket.create_connection(("127.0.0.1", served.port))
    found.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return found


def counted(served: Running, name: str) -> float:
    """A number of the metrics."""
    lines = served.get("/metrics").body.decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_who_comes_to_a_full_queue_is_told_when_to_come_back(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, rows=1, queue=1) as served:
        held = [opened(served, "one")]
        served.wait(lambda: served.server.admission.running == 1)
        held.append(opened(served, "two"))
        served.wait(lambda: served.server.admission.depth == 1)
        answer = served.speak("three")
        assert answer.status == 429 and answer.error["code"] == "queue_full"
        assert 1 <= int(answer.headers["retry-after"]) <= 120
        assert counted(served, 'valle_rejected_total{reason="queue_full"}') == 1
        assert counted(served, "valle_queue_depth") == counted(served, "valle_rows") == 1
        slow.release()
        for each in held:
            each.close()


def test_one_key_can_t_take_every_place(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, rows=4, max_per_key=1) as served:
        held = opened(served, "one")
        served.wait(lambda: served.server.admission.running == 1)
        answer = served.speak("two")
        assert answer.status == 429 and answer.error["code"] == "too_many_requests"
        slow.release()
        held.close()


def test_who_waits_too_long_gets_a_504(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, rows=1, queue_seconds=0.2) as served:
        held = opened(served, "one")
        served.wait(lambda: served.server.admission.running == 1)
        answer = served.speak("two")
        assert answer.status == 504 and "its turn" in answer.error["message"]
        assert served.server.admission.depth == 0
        slow.release()
        held.close()


@pytest.mark.slow
def test_a_request_that_takes_too_long_ends(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, request_seconds=1.0) as served:
        answer = served.speak("one")
        assert answer.status == 504
        served.wait(lambda: served.server.admission.running == 0)


def test_a_client_that_leaves_frees_its_place_wherever_it_is(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, rows=1, queue=4) as served:
        in_level0 = opened(served, "in level 0")
        served.wait(lambda: slow.begun == ["in level 0"])
        queued = opened(served, "in the queue")
        served.wait(lambda: served.server.admission.depth == 1)
        queued.close()
        served.wait(lambda: served.server.admission.depth == 0)
        in_level0.close()
        served.wait(lambda: served.server.admission.running == 0)
        assert slow.left == ["in level 0"] and slow.begun == ["in level 0"]
        in_a_window = opened(served, "in a window", stream_format="audio")
        slow.release(1)
        assert in_a_window.recv(4096).startswith(b"HTTP/1.1 200")
        in_a_window.close()
        served.wait(lambda: served.server.admission.running == 0)
        served.wait(lambda: counted(served, "valle_cancelled_total") == 3)
        slow.release()
        assert served.speak("next").status == 200


@pytest.mark.slow
def test_a_reader_that_is_slow_holds_nobody_up_and_is_let_go(registry: Registry, slow: SlowEngine) -> None:
    slow.seconds = 1.0
    with running(registry, lambda: slow, rows=2, stall_seconds=1.0) as served:
        slow.release(1_000_000)
        lazy = opened(served, "lazy", stream_format="audio")
        lazy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        served.wait(lambda: served.server.admission.running == 1)
        assert served.speak("quick").status == 200
        served.wait(lambda: served.server.admission.running == 0)
        served.wait(lambda: any('"stalled": true' in line for line in served.lines))
        lazy.close()


def test_a_long_text_holds_nobody_up(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, rows=2) as served:
        long = opened(served, "lazy, and whole")
        slow.release(1)
        served.wait(lambda: slow.begun == ["lazy, and whole"])
        threading.Timer(0.5, slow.release, (6,)).start()
        assert served.speak("quick").status == 200
        assert served.server.admission.running == 1
        long.close()


@pytest.mark.slow
def test_no_more_than_four_seconds_are_made_ahead_of_a_reader(registry: Registry, slow: SlowEngine) -> None:
    slow.seconds = 20.0
    with running(registry, lambda: slow) as served:
        slow.release(1_000_000)
        lazy = opened(served, "lazy", stream_format="audio")
        served.wait(lambda: served.server.admission.running == 1)
        time.sleep(0.5)
        left = slow.go._value  # what may still be made: all but a few waves
        time.sleep(0.3)
        assert slow.go._value == left > 999_900
        lazy.close()


def test_a_failure_is_a_500_without_a_word_about_the_inside_and_the_server_goes_on(
    registry: Registry, slow: SlowEngine
) -> None:
    slow.release(100_000)
    with running(registry, lambda: slow) as served:
        answer = served.speak("fail now")
        assert answer.status == 500 and answer.error["code"] == "internal_error"
        assert "secret" not in str(answer.body) and answer.headers["x-request-id"] in answer.error["message"]
        served.wait(lambda: any('"status": 500' in each for each in served.lines))
        (line,) = [json.loads(each) for each in served.lines if '"status": 500' in each]
        assert "RuntimeError" in line["trace"] and line["id"] == answer.headers["x-request-id"]
        assert served.speak("next").status == 200


def test_what_fails_after_the_first_byte_is_broken_off(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow) as served:
        for fields, last in ({"response_format": "pcm"}, b""), ({"stream_format": "sse"}, b"speech.audio.error"):
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
            body = json.dumps({"input": "break it", "voice": "heart", "response_format": "pcm", **fields})
            connection.request("POST", "/v1/audio/speech", body, {"Content-Type": "application/json"})
            slow.release(1)
            response = connection.getresponse()
            slow.release(1)
            with pytest.raises(http.client.IncompleteRead) as caught:
                response.read()
            assert response.status == 200 and last in caught.value.partial
            connection.close()


@pytest.mark.slow
def test_fifty_clients_all_succeed_in_the_end_and_get_what_a_quiet_server_gives(
    registry: Registry, slow: SlowEngine
) -> None:
    slow.release(1_000_000)
    with running(registry, lambda: slow, rows=8, queue=16, max_per_key=50) as served:
        texts = [f"Client number {'x' * number}." for number in range(50)]
        quiet = {text: hashlib.sha256(served.speak(text, seed=1).body).hexdigest() for text in texts}
        assert len(set(quiet.values())) == 50
        statuses: Counter[int] = Counter()

        def client(text: str) -> str:
            for _ in range(200):
                answer: Answer = served.speak(text, seed=1)
                statuses[answer.status] += 1
                if answer.status == 200:
                    return hashlib.sha256(answer.body).hexdigest()
                assert answer.status == 429 and answer.headers["retry-after"]
                time.sleep(0.02)
            raise AssertionError("it never got in")

        with ThreadPoolExecutor(50) as pool:
            busy = dict(zip(texts, pool.map(client, texts), strict=True))
        assert busy == quiet
        assert statuses[200] == 50


def test_health_answers_while_a_model_is_loaded_and_ready_says_when_it_is(
    registry: Registry, slow: SlowEngine
) -> None:
    loaded = threading.Event()

    def load() -> Any:
        assert loaded.wait(20)
        return slow

    with running(registry, load, wait=False) as served:
        assert served.get("/health").json == {"status": "ok"}
        ready = served.get("/ready")
        assert ready.status == 503 and ready.json == {"status": "loading"}
        answer = served.speak("early")
        assert answer.status == 503 and answer.headers["retry-after"]
        loaded.set()
        served.wait(lambda: served.get("/ready").status == 200)
        served.server.admission.draining = True
        assert served.get("/ready").json == {"status": "draining"}
        assert served.speak("late").error["code"] == "draining"


@pytest.mark.slow
def test_many_leavings_leak_no_job(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow, rows=2, queue=100, max_per_key=1000, keys=Keys()) as served:
        before = threading.active_count()
        for _ in range(10):
            held = [opened(served, "gone") for _ in range(10)]
            for each in held:
                each.close()
        served.wait(lambda: served.server.admission.running == served.server.admission.depth == 0)
        assert threading.active_count() <= before + 6
        slow.release()
        assert served.speak("still here").status == 200


def test_waiting_listeners_and_voices_that_were_ready_are_counted(registry: Registry, slow: SlowEngine) -> None:
    with running(registry, lambda: slow) as served:
        held = opened(served, "one", response_format="pcm")
        slow.release(1)
        assert held.recv(4096).startswith(b"HTTP/1.1 200")
        time.sleep(slow.seconds + 0.1)
        slow.release(1)
        served.wait(lambda: served.server.admission.running == 0)
        served.wait(lambda: counted(served, "valle_underrun_seconds_total") >= 0.1)
        held.close()
        assert counted(served, "valle_cache_hits_total") == 0
        slow.release()
        served.speak("two")
        assert counted(served, "valle_cache_hits_total") == 1
