"""Engines in processes of their own: the same results, and what one that dies was doing is done by another."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vall_e_core import ModelError, Registry, VallEError
from vall_e_tts import CallWork, EngineJob, Processes, Setup, SpeechOptions, SpeechRequest, SpeechWork, VallE
from vall_e_tts.service import near_end

pytestmark = pytest.mark.slow
TEXTS = ["Hello there.", "One, two, three. Four, five.", "The last of them.", "And one more?"]


@dataclass(frozen=True)
class Load:
    """Makes the engine of a process."""

    model: str | None = None

    def __call__(self) -> VallE:
        return VallE.load(self.model, device="cpu", threads=1)


@dataclass(frozen=True)
class Call:
    """A call of the engine that does as it is told."""

    what: str

    def __call__(self, engine: VallE, progress: Any) -> str:
        if self.what == "die":
            os._exit(3)
        if self.what == "refuse":
            raise ModelError("no", cause="so", try_="else")
        if self.what == "strange":

            class Strange(Exception):
                """Can't be read by another process."""

            raise Strange("odd")
        if self.what == "hang":
            os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1.0)  # the signal may take a moment
        return f"{type(engine).__name__} in {os.getpid()}"


class Ended:
    """A job that can be waited for."""

    def __init__(self, runner: Processes, work: Any, unread: float | None = None, whole: bool = False) -> None:
        self.job = EngineJob(work, unread=unread, whole=whole)
        self._over = threading.Event()
        runner.submit(self.job, lambda _: self._over.set())

    def wait(self, seconds: float = 300.0) -> EngineJob:
        assert self._over.wait(seconds), "it didn't end"
        return self.job

    def wave(self) -> np.ndarray[Any, Any]:
        job = self.wait()
        assert job.error is None, job.error
        return np.concatenate(job.read())


def speech(registry: Registry, text: str, seed: int = 1, early: bool = False) -> SpeechWork:
    request = SpeechRequest(text, voice="heart", options=SpeechOptions(seed=seed)).prepare(registry)
    return SpeechWork(request, early=early, keep_parts=True)


@pytest.fixture(scope="module")
def plugins() -> Registry:
    return Registry.load(third_party=False)


@pytest.fixture(scope="module", autouse=True)
def importable() -> Iterator[None]:
    """A process imports this module, where the calls are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[1]))
        yield


@pytest.fixture(scope="module")
def two(plugins: Registry, importable: None) -> Iterator[Processes]:
    """Two processes with the embedded voice."""
    runner = Processes(Setup(Load(), rows=2), 2)
    runner.start()
    try:
        assert runner.wait(300)
        assert runner.failure is None and runner.ready
        yield runner
    finally:
        pids = runner.pids
        runner.close()
        assert pids
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def until(true: Any, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it didn't come true"
        time.sleep(0.01)


def test_what_processes_speak_is_what_one_thread_speaks(two: Processes, plugins: Registry) -> None:
    assert two.engine is not None
    alone = [two.engine.synthesize(text, voice="heart", seed=n) for n, text in enumerate(TEXTS)]
    jobs = [Ended(two, speech(plugins, text, n)) for n, text in enumerate(TEXTS)]
    assert two.busy
    for one, job in zip(alone, jobs, strict=True):
        np.testing.assert_array_equal(job.wave(), one.wave)
        spoken = job.job.result
        assert spoken.record["text"] == one.record["text"] and len(spoken.parts) == len(one.parts)
    assert two.busy == 0


def test_calls_are_shared_out_and_their_errors_come_back(two: Processes) -> None:
    said = {Ended(two, CallWork(Call("say"))).wait().result for _ in range(3)}
    assert all(each.startswith("VallE in ") for each in said)
    refused = Ended(two, CallWork(Call("refuse"))).wait()
    assert isinstance(refused.error, ModelError) and refused.error.cause == "so" and refused.state == "failed"
    strange = Ended(two, CallWork(Call("strange"))).wait()
    assert isinstance(strange.error, RuntimeError) and "Strange: odd" in str(strange.error)


def test_who_leaves_frees_the_engine_and_a_slow_reader_holds_it_up(two: Processes, plugins: Registry) -> None:
    long = speech(plugins, " ".join(TEXTS) * 12, early=True)
    slow = Ended(two, long, unread=1.0)
    until(lambda: slow.job.first is not None)
    quick = Ended(two, speech(plugins, TEXTS[0])).wave()
    time.sleep(1.0)
    heard = sum(map(len, slow.job.read())) / 24_000
    assert not slow.job.finished and heard < 8.0, "a part more than it may be ahead, at most"
    assert len(quick)
    slow.job.cancel()
    assert slow.wait(20).state == "cancelled"
    until(lambda: two.busy == 0)


def test_jobs_of_a_killed_process_are_done_once_more(two: Processes, plugins: Registry) -> None:
    before = set(two.pids)
    lost = two.pids[0]
    os.kill(lost, signal.SIGSTOP)  # it takes jobs, and is killed before it has said anything
    jobs = [Ended(two, speech(plugins, text, n)) for n, text in enumerate(TEXTS)]
    os.kill(lost, signal.SIGKILL)
    assert two.engine is not None
    for n, (text, job) in enumerate(zip(TEXTS, jobs, strict=True)):
        np.testing.assert_array_equal(job.wave(), two.engine.synthesize(text, voice="heart", seed=n).wave)
    until(lambda: len(two.pids) == 2)
    assert len(before & set(two.pids)) == 1 and two.ready


def test_speech_that_was_heard_in_part_fails_with_its_process(two: Processes, plugins: Registry) -> None:
    job = Ended(two, speech(plugins, " ".join(TEXTS) * 8, early=True), unread=1.0)
    until(lambda: job.job.first is not None)
    for pid in two.pids:
        os.kill(pid, signal.SIGKILL)
    failed = job.wait()
    assert failed.state == "failed" and isinstance(failed.error, VallEError)
    assert "signal 9" in str(failed.error.cause) and "memory" in str(failed.error.cause)
    until(lambda: len(two.pids) == 2)


@pytest.mark.once
def test_speech_that_is_read_as_a_whole_is_made_again_from_its_beginning(two: Processes, plugins: Registry) -> None:
    text = " ".join(TEXTS * 2)
    job = Ended(two, speech(plugins, text), whole=True)
    until(lambda: job.job.first is not None)
    (busy,) = [each for each in two._processes if each.sent]
    os.kill(busy.pid, signal.SIGSTOP)
    assert job.job.read() == [] and not job.job.finished, "nobody hears a part of it"
    os.kill(busy.pid, signal.SIGKILL)
    assert two.engine is not None
    np.testing.assert_array_equal(job.wave(), two.engine.synthesize(text, voice="heart", seed=1).wave)
    until(lambda: len(two.pids) == 2)


@pytest.mark.once
def test_a_job_that_ends_its_process_twice_fails_and_harms_no_other(two: Processes, plugins: Registry) -> None:
    others = [Ended(two, speech(plugins, text, n)) for n, text in enumerate(TEXTS[:2])]
    poison = Ended(two, CallWork(Call("die"))).wait()
    assert poison.state == "failed" and isinstance(poison.error, VallEError)
    assert "exit code 3" in str(poison.error.cause)
    assert all(len(each.wave()) for each in others)
    until(lambda: len(two.pids) == 2)


def test_an_engine_that_hangs_is_ended(two: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_end, "STUCK_SECONDS", 1.0)
    monkeypatch.setattr(near_end, "ASKED_EVERY", 0.2)
    stuck = Ended(two, CallWork(Call("hang"))).wait()
    assert stuck.state == "failed" and "signal 9" in str(getattr(stuck.error, "cause", ""))
    monkeypatch.undo()
    until(lambda: len(two.pids) == 2)


def test_a_model_that_cannot_be_loaded_is_told(tmp_path: Any) -> None:
    runner = Processes(Setup(Load(str(tmp_path / "none.sft"))), 1)
    runner.start()
    assert runner.wait(300)
    assert isinstance(runner.failure, ModelError) and runner.engine is None and not runner.ready
    runner.close()
