"""`--engine-workers`: the same answers, and one engine that is killed is replaced while the others go on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vall_e_core import Registry
from vall_e_lm import ModelOptions
from vall_e_serve.command import warm
from vall_e_tts import LoadEngine, Processes, Setup

from .running import Answer, Running, running

pytestmark = pytest.mark.slow
TEXTS = ["Hello there.", "One, two, three.", "The last of them.", "And one more?"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of saved voices, for all: the processes know the one they were started with."""
    return tmp_path_factory.mktemp("many") / "voices"


@pytest.fixture(autouse=True)
def voices_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VALL_E_VOICES", str(folder))
    return folder


@pytest.fixture(scope="module")
def many(registry: Registry, folder: Path) -> Iterator[Running]:
    """A server with two processes of the embedded voice."""
    load = LoadEngine(ModelOptions(threads=1), third_party=False)
    runner = Processes(Setup(load, rows=8, warm=warm), 2, near=load)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VALL_E_VOICES", str(folder))
        with running(registry, runner, max_per_key=50) as found:
            assert found.get("/ready").status == 200
            yield found


def pids(server: Running) -> list[int]:
    worker = server.server.worker
    assert isinstance(worker, Processes)
    return worker.pids


def ask(server: Running, texts: list[str]) -> list[Answer]:
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda text: server.speak(text, seed=3), texts))


def test_the_same_bytes_as_from_one_thread(many: Running, served: Running) -> None:
    for one, other in zip(ask(many, TEXTS), ask(served, TEXTS), strict=True):
        assert one.status == other.status == 200
        assert one.body == other.body
    pieces = [each.speak(TEXTS[1], seed=3, response_format="pcm").body for each in (many, served)]
    assert pieces[0] == pieces[1]


def test_recordings_go_there_too(many: Running) -> None:
    spoken = many.speak("Hello there.", seed=3).body
    heard = many.send_form("/v1/audio/transcriptions", [("file", "a.wav", spoken), ("model", None, b"whisper-1")])
    assert heard.status == 200 and heard.json["text"]
    recording = many.get("/v1/audio/voices/heart/preview")
    assert recording.status == 200 and recording.body[:4] == b"RIFF"
    made = many.send_form(
        "/v1/audio/voices",
        [("name", None, b"mine"), ("consent", None, b"yes"), ("audio_sample", "a.wav", recording.body)],
    )  # fmt: skip
    assert made.status == 200, made.body
    assert many.speak("Hello.", voice="mine", seed=1).status == 200, "and is found by the processes"


def test_a_killed_engine_is_replaced_while_requests_succeed(many: Running) -> None:
    expected = [each.body for each in ask(many, TEXTS)]
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(ask, many, TEXTS * 2)
        time.sleep(0.3)
        os.kill(pids(many)[0], signal.SIGKILL)
        answers = coming.result()
    assert [each.status for each in answers] == [200] * 8
    assert [each.body for each in answers] == expected * 2
    assert many.get("/ready").status == 200
    many.wait(lambda: len(pids(many)) == 2, 300)


@pytest.mark.once
def test_a_file_whose_engine_dies_between_two_parts_is_made_again(many: Running) -> None:
    text = "\n\n".join(TEXTS * 2)  # a part each
    expected = many.speak(text, seed=3).body
    admission, first = many.server.admission, pids(many)[0]
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(many.speak, text, seed=3)  # the first of idle processes has it
        many.wait(lambda: any(each.first is not None for each in list(admission._running)), 300)
        os.kill(first, signal.SIGKILL)
        answer = coming.result()
    assert (answer.status, answer.body) == (200, expected)
    many.wait(lambda: len(pids(many)) == 2, 300)


@pytest.mark.once
def test_health_answers_while_all_engines_are_gone(many: Running) -> None:
    for pid in pids(many):
        os.kill(pid, signal.SIGKILL)
    many.wait(lambda: not pids(many))
    assert many.get("/health").status == 200
    not_ready = many.get("/ready")
    assert not_ready.status == 503 and not_ready.json["status"] == "stuck"
    assert many.speak("Hello there.", seed=3).status == 200, "it waits for the next one"
    many.wait(lambda: len(pids(many)) == 2, 300)
