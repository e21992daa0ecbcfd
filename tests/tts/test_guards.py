"""Generation that goes wrong is noticed, tried again, and said: the rows E of the reliability list."""


from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vall_e_core import InputError, Registry, VallE
from vall_e_lm import TimeLimitError, in_batches
from vall_e_tts import SpeechOptions, SpeechRequest
from vall_e_tts.synthesis import limits
from vall_e_tts.synthesis.codes import find_loop
from vall_e_tts.synthesis.takes import Steps, Take, Wanted, best_take, retry_seed

from .steps import result_of

RATE = 50.0
WANTED = Wanted(100.0, 300, False)


@pytest.mark.slow
def test_e1_a_model_that_never_stops_ends_at_the_bound_and_it_is_said(tts: Any, make_model: Any) -> None:
    model = make_model(tts.folder / "endless.sft", stop=-1e4)
    done = tts.run(model=model, text="hello there")
    record = tts.record()
    assert record["stop_reason"] == "length" and record["tries"] == 3
    assert record["parts"][0]["verdict"] in ("length", "loop") and "warning: the speech " in done.stderr
    assert record["duration"] <= limits.expected_seconds("hello there") * 2.5 + 1.02
    done = tts.run("--strict", "--max-tries", 1, model=model, text="hello there", code=6)
    assert tts.out.exists() and "never stopped by itself" in done.stderr


def test_e1_a_bound_the_user_set_below_the_texts_length_is_no_fault(tts: Any) -> None:
    record = tts("--max-ar-steps", 5)
    assert record["stop_reason"] == "length" and record["tries"] == 1


def test_e2_a_model_that_stops_at_once_is_tried_again_and_then_said(tts: Any, make_model: Any) -> None:
    """Regression: an empty result raised a bare SyntaxError."""
    done = tts.run(model=make_model(tts.folder / "mute.sft", stop=1e4), code=3)
    assert "no speech produced" in done.stderr and "in 3 tries" in done.stderr and "--seed" in done.stderr
    assert not tts.out.exists()


@pytest.mark.parametrize("period", [1, 2, 3, 7, 19, 40])
def test_e3_a_loop_is_found_within_two_seconds_of_its_start(period: int) -> None:
    rng = np.random.default_rng(period)
    speech = rng.integers(0, 1024, 100)
    loop = np.tile(rng.permutation(1024)[:period], 400 // period + 1)
    for rate in (31.25, 50.0, 75.0):
        heard = round(2 * rate)
        found = find_loop(np.concatenate([speech, loop[: heard + period]]), rate)
        assert found is not None and found[1] == period and abs(found[0] - 100) <= 1


def test_e3_a_held_vowel_or_a_pause_is_no_loop() -> None:
    rng = np.random.default_rng(0)
    speech = rng.integers(0, 1024, 300)
    speech[100:175] = 5  # a second at 75 frames
    assert find_loop(speech, 75.0) is None
    assert find_loop(np.zeros(0, np.int64), 75.0) is None and find_loop(np.zeros(1, np.int64), 75.0) is None


def test_e3_a_looping_take_is_taken_again() -> None:
    loop = torch.arange(7).repeat(40)
    good = torch.arange(100)

    def make(attempt: int, seed: int) -> Steps[Take]:
        yield
        return Take(loop if seed == 3 else good, "stop", seed)

    take = result_of(best_take(make, WANTED, RATE, seed=3, max_tries=3))
    assert torch.equal(take.codes, good) and take.tries == 2 and take.verdict == "ok"
    take = result_of(best_take(lambda n, _: make(n, 3), WANTED, RATE, seed=3, max_tries=3))
    assert take.verdict == "loop" and take.tries == 2 and "repeats itself" in take.findings[0]  # nothing is drawn


@pytest.fixture
def engine(registry: Registry, model_path: Any) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_e4_degenerate_logits_end_in_a_result_or_an_error(
    engine: VallE, bad: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    model: Any = engine.loaded.model
    original = type(model).logits

    def logits(self: Any, hidden: Any, target: Any) -> Any:
        return torch.full_like(original(self, hidden, target), bad)

    monkeypatch.setattr(type(model), "logits", logits)
    try:
        speech = engine.synthesize("hello", voice="tim", phonemizer="letters", max_ar_steps="6", seed=1, max_tries=1)
    except InputError as error:
        assert "no speech" in error.message
    else:
        assert len(speech.parts[0].codes) <= 6 and np.isfinite(speech.wave).all()
        assert speech.parts[0].degenerate > 0 and any("left no token" in line for line in speech.warnings)


def test_e5_a_chain_that_leaves_nothing_falls_back_and_says_so(tts: Any) -> None:
    limits_ = ("--max-ar-steps", 8, "--max-tries", 1)
    done = tts.run("--ar-sampler", "ban-all", *limits_)
    assert "the sampling chain left no token at 8 steps" in done.stderr
    codes = tts.record()["parts"][0]["codes_sha256"]
    assert codes == tts("--ar-temp", 0, *limits_)["parts"][0]["codes_sha256"]


@pytest.mark.slow
def test_e6_the_same_seed_gives_the_same_bytes(tts: Any) -> None:
    first = tts.run() and tts.out.read_bytes()
    second = tts.run() and tts.out.read_bytes()
    assert first == second


@pytest.mark.slow
def test_e6_the_batch_around_a_part_does_not_show(tts: Any) -> None:
    text = "The first sentence stands here. The second one is there, and long. The third ends it all. And a fourth one."
    codes = [part["codes_sha256"] for part in tts(text=text)["parts"]]
    for batch in (1, 2, 3):
        assert [part["codes_sha256"] for part in tts("--batch-size", batch, text=text)["parts"]] == codes


@pytest.mark.slow
def test_e6_the_number_of_threads_does_not_show(tts: Any) -> None:
    before = torch.get_num_threads()
    try:
        one, two = (tts("--threads", threads, text="hello there my friend") for threads in (1, 2))
    finally:
        torch.set_num_threads(before)
    assert (one["threads"], two["threads"]) == (1, 2)
    assert [part["codes_sha256"] for part in one["parts"]] == [part["codes_sha256"] for part in two["parts"]]


@pytest.mark.slow
def test_e7_seed_zero_is_a_seed(tts: Any) -> None:
    """Regression: seed 0 was replaced by the clock."""
    first, second = tts(seed=0), tts(seed=0)
    assert first["seed"] == 0 and first["parts"][0]["codes_sha256"] == second["parts"][0]["codes_sha256"]
    assert tts(seed=1)["parts"][0]["codes_sha256"] != first["parts"][0]["codes_sha256"]


def takes(lengths: Sequence[int], stops: Sequence[str]) -> Callable[[int, int], Steps[Take]]:
    """What `best_take` calls: each attempt gives the next of these."""

    def make(attempt: int, seed: int) -> Steps[Take]:
        yield
        generator = torch.Generator().manual_seed(lengths[attempt])
        return Take(torch.randint(0, 1024, (lengths[attempt],), generator=generator), stops[attempt], seed)

    return make


@pytest.mark.parametrize(
    ("lengths", "stops", "kept", "tries"),
    [
        ([100], ["stop"], 100, 1), ([300, 90], ["length", "stop"], 90, 2), ([0, 0, 80], ["stop"] * 3, 80, 3),
        ([300, 299, 298], ["length"] * 3, 300, 3), ([20, 300, 300], ["stop", "length", "length"], 20, 3),
        ([0, 300, 30], ["stop", "length", "stop"], 30, 3), ([300, 300], ["length", "length"], 300, 2),
    ],
)  # fmt: skip
def test_the_best_take_is_kept(lengths: list[int], stops: list[str], kept: int, tries: int) -> None:
    take = result_of(best_take(takes(lengths, stops), WANTED, RATE, seed=0, max_tries=3))
    assert len(take.codes) == kept and take.tries == tries


def test_each_try_has_a_seed_of_its_own() -> None:
    asked: list[tuple[int, int]] = []

    def make(attempt: int, seed: int) -> Steps[Take]:
        yield
        asked.append((attempt, seed))
        return Take(torch.arange(100 if attempt else 0) % 997, "stop", seed)

    assert result_of(best_take(make, WANTED, RATE, seed=7, max_tries=3)).tries == 2
    assert asked == [(0, 7), (1, retry_seed(7, 1))]
    assert retry_seed(0, 0) == 0 and len({retry_seed(0, i) for i in range(100)}) == 100


@pytest.mark.slow
def test_a_slow_reference_makes_parts_shorter_so_that_they_fit_the_bound(tts: Any) -> None:
    text = "Here is one sentence, and it goes on, and on, for quite a while, until it comes to its end, at last."
    fast = tts("--ref-text", "one two three four five six seven", text=text, seed=4)
    slow = tts("--ref-text", "one", text=text, seed=4)
    assert max(len(part["text"]) for part in slow["parts"]) < max(len(part["text"]) for part in fast["parts"])


def test_out_of_memory_halves_the_batch_and_then_says_so() -> None:
    sizes: list[int] = []

    def work(some: Sequence[int]) -> list[int]:
        sizes.append(len(some))
        if len(some) > 2:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return [-i for i in some]

    assert in_batches(range(9), 8, work) == [-i for i in range(9)]
    assert sizes == [8, 4, 2, 2, 2, 2, 1]

    def never(some: Sequence[int]) -> list[int]:
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    from vall_e_core import DeviceError

    with pytest.raises(DeviceError, match="out of memory"):
        in_batches(range(3), 2, never)


def test_the_bound_follows_the_texts_length_and_the_references_pace() -> None:
    twelve = limits.parse_bound("12s")
    assert limits.longest("a" * 20, twelve, 75) == round((20 * 0.075 * 2.5 + 1) * 75 + 0.499)
    assert limits.longest("a" * 2000, twelve, 75) == 900 == limits.longest("a" * 2000, limits.parse_bound("900"), 31.25)
    assert limits.letters("ˈbɜːtʃ kəˈnuː, slɪd.") == 12
    assert limits.pace("la la la", 0.6) == pytest.approx(0.1)
    assert limits.pace("la", 9.0) == 0.18 and limits.pace(None, 3.0) == limits.SECONDS_PER_LETTER
    assert limits.parse_bound("1.5m").frames(75) == 6750 and limits.parse_bound("800ms").frames(75) == 60
    assert str(limits.parse_bound("12s")) == "12s" and str(limits.parse_bound("900")) == "900"


@pytest.mark.slow
@pytest.mark.parametrize(("ending", "expected"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_g4_an_interrupt_ends_the_run_at_once_and_leaves_no_file(
    command: Any, make_model: Any, reference: Path, tmp_path: Path, ending: signal.Signals, expected: int
) -> None:
    out = tmp_path / "out.wav"
    model = make_model(tmp_path / "endless.sft", stop=-1e4)
    arguments, environment = command(
        "tts", "one two three four five six. " * 40, reference, out, "--model", model, "--phonemizer", "letters",
        "--seed", 1, "--batch-size", 1,
    )  # fmt: skip
    process = subprocess.Popen(
        arguments, env=environment, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(ending, signal.SIG_DFL),  # a suite in the background ignores some
    )  # fmt: skip
    assert process.stderr is not None
    while "device: " not in (line := process.stderr.readline()):
        assert line, "the program ended by itself"
    time.sleep(0.5)
    process.send_signal(ending)
    with process.stderr:
        try:
            code = process.wait(5)  # under a second where nothing else runs; the text would take a minute
        finally:
            process.kill()
            process.wait()
        assert code == expected
        assert "Traceback" not in process.stderr.read()
    assert not out.exists() and list(tmp_path.glob(".vall-e-*")) == []


LONG = "one two three four five six. " * 20


def test_g3_speech_that_takes_too_long_ends_without_a_file(tts: Any) -> None:
    done = tts.run("--timeout", 0.001, text=LONG, code=124)
    assert "the speech wasn't finished within 0.001 s" in done.stderr and "--timeout" in done.stderr
    assert sorted(each.name for each in tts.folder.iterdir() if "out" in each.name or ".vall-e" in each.name) == []
    assert tts("--timeout", 600)["duration"] > 0
    assert "timeout" not in tts.record()["arguments"]
    assert "at least 0.001" in tts.run("--timeout", 0, code=2).stderr


def test_g3_what_was_there_before_stays(tts: Any) -> None:
    tts.count = 1
    tts.out.write_bytes(b"before")
    tts.count = 0
    tts.run("-y", "--timeout", 0.001, text=LONG, code=124)
    assert tts.out.read_bytes() == b"before"


@pytest.mark.parametrize(
    "how", [("--stream",), ("--candidates", 2), ("--ar-sampler", "beam"), ("--refine-on-stop",)], ids=lambda how: how[0]
)
def test_g3_whatever_the_way_of_speaking(tts: Any, how: tuple[object, ...]) -> None:
    assert "wasn't finished" in tts.run("--timeout", 0.001, *how, text=LONG, code=124).stderr


@pytest.mark.slow
def test_g3_of_several_runs_the_others_go_on(registry: Registry, model_path: Path) -> None:
    engine = VallE.load(model_path, registry=registry, device="cpu")
    settings: dict[str, Any] = {"phonemizer": "letters", "seed": 3, "max_ar_steps": "20", "unk": "skip"}

    def request(**more: Any) -> SpeechRequest:
        return SpeechRequest(LONG, voice="tim", options=SpeechOptions(**settings, **more))

    alone = engine.speak(request())
    scheduler = engine.scheduler(rows=4)
    late, other = scheduler.begin(request(timeout=0.001)), scheduler.begin(request(), keep_parts=True)
    waves = []
    while scheduler.step():
        while (wave := other.poll()) is not None:
            waves.append(wave)
    waves += list(other)
    with pytest.raises(TimeLimitError, match="the speech wasn't finished"):
        late.poll()
    assert [part.codes.tolist() for part in other.parts] == [part.codes.tolist() for part in alone.parts]
    assert sum(map(len, waves)) == len(alone.wave)
