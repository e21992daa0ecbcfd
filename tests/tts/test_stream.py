"""Speech that is handed out while it is made: the same speech, in order, nothing kept, nothing half written."""


from __future__ import annotations

import gc
import io
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from vall_e_audio import Joiner
from vall_e_audio.joining import join
from vall_e_core import InputError, Registry, VallE
from vall_e_files import check_output
from vall_e_tts import SpeechRequest, SpeechStream, Spoken, write_speech

NUMBERS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
SHORT, LONG = (" ".join(f"here is sentence number {name}." for name in NUMBERS[:count]) for count in (3, 6))
"""Texts of more than one part; the long one has more than two batches."""
SETTINGS: dict[str, Any] = {"phonemizer": "letters", "seed": 1, "max_ar_steps": "30", "batch_size": 2}
OF_A_RUN = ("timings", "rtf", "created")


@pytest.fixture
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu")


def stream(engine: VallE, text: str = LONG, **settings: Any) -> SpeechStream:
    return engine.stream(text, voice="tim", **{**SETTINGS, **settings})


def told(record: dict[str, Any]) -> dict[str, Any]:
    """What a record says about the speech; how many rows shared a step shows in the last digits of a sum."""
    return {key: rounded(value) for key, value in record.items() if key not in OF_A_RUN}


def rounded(value: Any) -> Any:
    """Floats to three places."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 3) if isinstance(value, float) else value


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"candidates": 2}, {"sampler": "beam:2"}], ids=str)
def test_part_by_part_it_is_the_same_speech(engine: VallE, settings: dict[str, Any]) -> None:
    given = {"ar": [settings["sampler"]]} if "sampler" in settings else settings
    whole = engine.synthesize(LONG, voice="tim", **SETTINGS, **given)
    found = stream(engine, early=False, **given)
    waves = list(found)
    assert len(waves) == len(whole.parts) > 2 * SETTINGS["batch_size"], "a text of several sections"
    np.testing.assert_array_equal(np.concatenate(waves), whole.wave)
    assert told(found.record) == told(whole.record) and found.warnings == whole.warnings
    assert found.parts == [] and found.trace() is None


@pytest.mark.slow
def test_the_size_of_a_batch_says_nothing(engine: VallE) -> None:
    small, large = (np.concatenate(list(stream(engine, early=False, batch_size=size))) for size in (1, 64))
    np.testing.assert_array_equal(small, large)


@pytest.mark.slow
def test_the_first_sound_comes_before_the_rest_is_made(engine: VallE) -> None:
    """Level 0 is counted by its steps: of the whole text, of the first section, of the first piece."""

    def steps_until_first(**how: Any) -> tuple[int, int]:
        seen: list[str] = []
        found = stream(engine, progress=lambda stage, *_: seen.append(stage), **how)
        next(found)
        first = seen.count("ar")
        list(found)
        return first, seen.count("ar")

    first, all_steps = steps_until_first(early=False)
    assert first < all_steps / 2
    piece, _ = steps_until_first(early=True)
    assert piece < first and piece <= 20


@pytest.mark.slow
def test_in_pieces_level_0_is_the_same_and_the_samples_add_up(engine: VallE) -> None:
    options = replace(stream(engine)._plan.options, max_tries=1)  # what has been heard isn't tried again
    request = SpeechRequest(LONG, (), "tim", None, "tts", options)
    whole = engine.speak(request)
    early = engine.speak(request, early=True)
    assert len(early.wave) == len(whole.wave)
    for mine, other in zip(early.parts, whole.parts, strict=True):
        assert mine.codes[:, 0].equal(other.codes[:, 0]) and mine.codes.shape == other.codes.shape
        assert (mine.start, mine.seconds, mine.pause) == (other.start, other.seconds, other.pause)
        assert (mine.stop_reason, mine.seed) == (other.stop_reason, other.seed)


@pytest.mark.slow
def test_in_pieces_a_seed_says_the_same_again(engine: VallE) -> None:
    first, again, other = (np.concatenate(list(stream(engine, SHORT, seed=seed))) for seed in (0, 0, 7))
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or not np.array_equal(first, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "why"),
    [({"candidates": 2}, "candidates"), ({"ar": ["beam:2"]}, "search"), ({"refine_on_stop": True}, "--refine-on-stop")],
)
def test_what_needs_the_whole_part_is_handed_out_part_by_part(engine: VallE, how: dict[str, Any], why: str) -> None:
    found, plain = (stream(engine, SHORT, early=early, **how) for early in (True, False))
    assert found.known_parts > 1 and not found.early
    assert any("part by part" in line and why in line for line in found.warnings)
    np.testing.assert_array_equal(np.concatenate(list(found)), np.concatenate(list(plain)))


def test_a_trace_is_of_whole_parts(tts: Any, tmp_path: Path) -> None:
    done = tts.run("--stream", "--trace", tmp_path / "t.jsonl", "--max-ar-steps", 20)
    assert "part by part: a trace is of whole parts" in done.stderr and (tmp_path / "t.jsonl").exists()


@pytest.mark.slow
def test_in_pieces_a_loop_is_ended(registry: Registry, make_model: Any, tmp_path: Path) -> None:
    """Nothing that was heard can be taken back, but nobody has to hear a minute of it."""
    model = make_model(tmp_path / "endless.sft", stop=-1e4)
    engine = VallE.load(model, registry=registry, device="cpu")
    text = "the birch canoe slid on the smooth planks."
    found = stream(engine, text, ar=["greedy"], max_ar_steps="20s")
    seconds = sum(map(len, found)) / found.sample_rate
    (part,) = found.record["parts"]
    assert part["verdict"] == "loop" and not found.stopped and any("repeats itself" in line for line in found.warnings)
    whole = engine.synthesize(text, voice="tim", **{**SETTINGS, "max_ar_steps": "20s"}, ar=["greedy"])
    assert seconds < whole.seconds


@pytest.mark.parametrize("early", [False, True])
def test_no_speech_is_an_error_after_all_tries(
    registry: Registry, make_model: Any, tmp_path: Path, early: bool
) -> None:
    engine = VallE.load(make_model(tmp_path / "mute.sft", stop=1e4), registry=registry, device="cpu")
    with pytest.raises(InputError, match="no speech produced") as error:
        list(stream(engine, early=early))
    assert "in 3 tries" in str(error.value.cause)


@pytest.mark.parametrize("flags", [(), ("--stream",)], ids=["parts", "pieces"])
def test_a_silent_part_does_not_cost_the_others(tts: Any, make_model: Any, flags: tuple[str, ...]) -> None:
    """Hours of a book aren't lost to one sentence; but it is said, and the exit code tells."""
    model = make_model(tts.folder / "quick.sft", stop=2.5)
    text = " ".join(f"here is sentence number {name}." for name in NUMBERS)
    done = tts.run(*flags, "--max-tries", 1, model=model, text=text, code=6)
    record = tts.record()
    silent = [part["index"] + 1 for part in record["parts"] if part["verdict"] == "empty"]
    assert 0 < len(silent) < len(record["parts"])
    assert f"nothing was said in part {', '.join(map(str, silent))} of" in done.stderr
    assert all(part["duration"] == 0 for part in record["parts"] if part["verdict"] == "empty")
    wave, rate = soundfile.read(tts.out)
    assert len(wave) / rate == pytest.approx(record["duration"], abs=1e-6)


def test_the_record_is_there_at_the_end(engine: VallE) -> None:
    found = stream(engine, "hello there")
    with pytest.raises(ValueError, match="isn't finished"):
        _ = found.record
    samples = sum(map(len, found))
    assert found.record["duration"] == pytest.approx(samples / found.sample_rate, abs=1e-6)
    assert next(found, None) is None


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_a_file_written_on_the_way_is_the_speech(engine: VallE, tmp_path: Path, suffix: str) -> None:
    rate_ok = {"ar": ["top-k:5"], "early": False}
    target = check_output(str(tmp_path / f"a.{suffix}"))
    record = write_speech(stream(engine, **rate_ok), target)
    wave, rate = soundfile.read(target.path, dtype="float32")
    whole = np.concatenate(list(stream(engine, **rate_ok)))
    assert rate == 8_000 and record["output"]["samples"] == len(whole)
    if suffix in ("wav", "flac"):
        np.testing.assert_allclose(wave, whole.clip(-1, 1), atol=1 / 32_000)
    assert target.sidecar is not None and target.sidecar.exists()


def test_what_fails_on_the_way_leaves_no_file(engine: VallE, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = stream(engine)
    decode, calls = engine.codec.decode, 0

    def failing(codes: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 3:
            raise InputError("no more")
        return decode(codes)

    monkeypatch.setattr(engine.codec, "decode", failing)
    with pytest.raises(InputError, match="no more"):
        write_speech(found, check_output(str(tmp_path / "a.wav")))
    assert calls == 4 and not [each for each in tmp_path.iterdir() if each.is_file()]


def test_after_a_failure_nothing_comes_and_there_is_no_record(engine: VallE, monkeypatch: pytest.MonkeyPatch) -> None:
    found = stream(engine)
    next(found)

    def failing(codes: Any) -> Any:
        raise InputError("no more")

    monkeypatch.setattr(engine.codec, "decode", failing)
    with pytest.raises(InputError, match="no more"):
        list(found)
    assert next(found, None) is None
    with pytest.raises(ValueError, match="isn't finished"):
        _ = found.record


@pytest.mark.slow
@pytest.mark.parametrize("early", [False, True])
def test_what_was_handed_out_is_not_kept(engine: VallE, early: bool) -> None:
    """Of all parts' codes and waves no more are there at the same time than those of a batch and the one before."""

    def alive() -> int:
        return sum(type(each) is Spoken for each in gc.get_objects())

    gc.collect()
    before, most, few = alive(), 0, 2 * SETTINGS["batch_size"]
    found = stream(engine, LONG + " " + LONG, early=early)
    for _ in found:
        most = max(most, alive() - before)
    assert found.known_parts > 2 * few and most <= few


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--stream",)], ids=["parts", "pieces"])
def test_a_pipe_gets_a_wav_of_unknown_length(
    command: Any, model_path: Path, reference: Path, tts: Any, flags: tuple[str, ...]
) -> None:
    arguments, environment = command(
        "tts", SHORT, reference, "-", "--model", model_path, "--phonemizer", "letters", "--device", "cpu", "--seed", 1,
        "--max-ar-steps", 40, *flags,
    )  # fmt: skip
    done = subprocess.run(arguments, env=environment, capture_output=True, check=True)
    assert done.stdout[4:8] == done.stdout[40:44] == b"\xff" * 4
    wave, rate = soundfile.read(io.BytesIO(done.stdout), dtype="int16")
    record = tts(*flags, "--max-ar-steps", 40, text=SHORT)
    written, _ = soundfile.read(tts.out, dtype="int16")
    assert rate == 8_000 and record["output"]["samples"] == len(wave)
    np.testing.assert_array_equal(wave, written)


def test_parts_that_arrive_in_pieces_are_joined_like_whole_ones() -> None:
    random = np.random.default_rng(3)
    lengths = [0, 1, 5, 40, 47, 48, 49, 95, 96, 97, 98, 1000, 3]
    parts = [random.uniform(-1, 1, size).astype(np.float32) for size in lengths]
    whole, places = join(parts, 16_000, 0.01)
    for most in (1, 7, 48, 300):
        joiner, pieces, found = Joiner(16_000, 0.01), [], []
        for index, part in enumerate(parts):
            at = 0
            while at < len(part):
                size = int(random.integers(1, most + 1))
                pieces.append(joiner.push(part[at : at + size]))
                at += size
            rest, placed = joiner.end(last=index == len(parts) - 1)
            pieces.append(rest)
            found.append(placed)
        np.testing.assert_array_equal(np.concatenate(pieces), whole)
        assert found == places
    assert len(whole) == sum(lengths) + 160 * (len(lengths) - 1)


@pytest.mark.parametrize("early", [True, False])
def test_a_stream_can_be_closed(engine: VallE, early: bool) -> None:
    with stream(engine, early=early) as opened:
        assert len(next(opened)) > 0
    assert list(opened) == []
    with pytest.raises(ValueError, match="isn't finished"):
        _ = opened.record
    opened.close()
