"""`vall-e stt`: several inputs, long audio, silence, formats, exit codes."""


from __future__ import annotations

import io
import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import vall_e_stt.command
from babble import babble
from vall_e_audio import read_voiced
from vall_e_audio.vad import cut
from vall_e_core import Registry, VallE
from vall_e_trace.file import read_trace

RATE = 8_000
Array = np.ndarray[Any, Any]


def voice(seconds: float, pitch: float = 140.0, rate: int = RATE, level: float = 0.3) -> Array:
    return babble(seconds, rate, pitch, level)


def silence(seconds: float, rate: int = RATE) -> Array:
    return np.zeros(round(seconds * rate), np.float32)


def save(path: Path, *pieces: Array, rate: int = RATE) -> Path:
    soundfile.write(path, np.concatenate(pieces), rate, subtype="FLOAT")
    return path


@pytest.fixture
def stt(cli: Any, model_path: Path) -> Any:
    def run(*args: object, **settings: Any) -> Any:
        return cli("stt", *args, "--model", model_path, "--device", "cpu", **settings)

    return run


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Three utterances, 11.5 s."""
    pieces = (voice(3), silence(0.7), voice(2, 200), silence(0.8), voice(5, 90))
    return save(tmp_path / "speech.wav", *pieces)


@pytest.mark.slow
def test_all_of_a_long_recording_is_transcribed(stt: Any, speech: Path) -> None:
    """Regression: only the first sentence was."""
    record = stt(speech, "--format", "json").json()
    starts = [window["start"] for window in record["windows"]]
    assert starts == pytest.approx([0, 3.7, 6.5], abs=0.15) and record["duration"] == pytest.approx(11.5)
    assert record["phonemes"] == " ".join(window["phonemes"] for window in record["windows"] if window["phonemes"])
    assert stt(speech).stdout.strip() == record["phonemes"] != ""


def test_a_lost_interrupt_ends_a_recording(
    stt: Any, speech: Path, lose_interrupt: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = vall_e_stt.command.transcribe

    def interrupted(*args: Any, **settings: Any) -> Any:
        lose_interrupt()
        return hear(*args, **settings)

    monkeypatch.setattr(vall_e_stt.command, "transcribe", interrupted)
    done = stt(speech, code=130)
    assert done.stdout == "" and done.stderr.endswith("interrupted\n")


@pytest.mark.slow
def test_windows_never_exceed_their_length_and_miss_nothing_spoken(stt: Any, tmp_path: Path) -> None:
    path = save(tmp_path / "x.wav", voice(31))
    for window in (4, 9):
        record = stt(path, "--format", "json", "--window", window).json()
        assert all(each["duration"] <= window + 0.3 for each in record["windows"])
        assert sum(each["duration"] for each in record["windows"]) == pytest.approx(31, abs=0.5)
        assert record["window"] == window


@pytest.mark.slow
@pytest.mark.parametrize("longest", [3.0, 10.0])
def test_reading_in_blocks_gives_the_windows_of_the_whole(tmp_path: Path, longest: float) -> None:
    rng = np.random.default_rng(1)
    pieces: list[Array] = []
    for _ in range(40):
        pieces.append(voice(float(rng.uniform(0.5, 8)), float(rng.uniform(80, 250))))
        pieces.append(silence(float(rng.uniform(0.1, 1.5))))
    wave = np.concatenate(pieces)
    path = save(tmp_path / "long.wav", wave)
    found = read_voiced(path, RATE, longest)
    windows = list(found)
    assert found.seconds == pytest.approx(len(wave) / RATE)
    assert all(each.seconds <= longest + 0.3 for each in windows)
    assert all(a.start + a.seconds <= b.start + 0.25 for a, b in pairwise(windows))
    heard = np.zeros(len(wave), bool)
    for each in windows:
        heard[round(each.start * RATE) : round((each.start + each.seconds) * RATE)] = True
    assert heard[np.abs(wave) > 0.05].mean() > 0.999


def test_a_pause_cuts_and_a_short_gap_does_not() -> None:
    wave = np.concatenate([voice(1), silence(0.2), voice(1), silence(0.6), voice(1)])
    spans, used = cut(wave, RATE, 10.0, final=True)
    assert [round(start / RATE, 1) for start, _ in spans] == [0, 2.7] and used == len(wave)
    assert cut(silence(3), RATE, 10.0, final=True)[0] == [] and cut(silence(0), RATE, 10.0, final=True) == ([], 0)


@pytest.mark.parametrize("level", [0.0, 1e-4])
def test_a4_silence_is_an_empty_text_and_no_error(stt: Any, tmp_path: Path, level: float) -> None:
    path = save(tmp_path / "x.wav", voice(3, level=0.9) * level)
    done = stt(path)
    assert done.stdout == "\n" and "no speech" in done.stderr
    record = stt(path, "--format", "json").json()
    assert record["no_speech"] is True and record["phonemes"] == "" and record["windows"] == []
    assert stt(path, "--json").json()["no_speech"] is True


@pytest.mark.slow
def test_segments_tell_where_nobody_speaks(stt: Any, tmp_path: Path) -> None:
    """Regression: words were invented for the noise of a room."""
    room = (10 ** (-50 / 20) * np.random.default_rng(0).standard_normal(6 * RATE)).astype(np.float32)
    done = stt(save(tmp_path / "room.wav", room), "--json")
    record = done.json()
    assert record["segments"] == [{"start": 0, "duration": 6, "no_speech": True}] and record["vad"] == "silero"
    assert record["phonemes"] == "" and record["no_speech"] is True and "no speech" in done.stderr
    mixed = save(tmp_path / "mixed.wav", room, voice(3), room, voice(2))
    record = stt(mixed, "--json").json()
    assert [each["no_speech"] for each in record["segments"]] == [True, False, True, False]
    assert [each["start"] for each in record["segments"]] == pytest.approx([0, 6, 9, 15], abs=0.2)
    assert [each["start"] for each in record["windows"]] == pytest.approx([6, 15], abs=0.2)
    loud = stt(save(tmp_path / "loud.wav", room), "--vad", "off", "--json").json()
    assert loud["windows"] and loud["vad"] == "off"
    gated = stt(mixed, "--vad", "energy", "--json").json()
    assert len(gated["windows"]) == 2 and gated["vad"] == "energy"


@pytest.mark.parametrize("seconds", [0.05, 0.2, 0.45])
def test_a3_very_short_audio_is_transcribed_all_the_same(stt: Any, tmp_path: Path, seconds: float) -> None:
    stt(save(tmp_path / "x.wav", voice(seconds)))


@pytest.mark.slow
def test_several_inputs_load_one_model_and_keep_their_order(
    stt: Any, tmp_path: Path, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import vall_e_lm.checkpoint

    loads = []
    original = vall_e_lm.checkpoint.load_model
    monkeypatch.setattr(vall_e_lm.checkpoint, "load_model", lambda *a, **k: (loads.append(a), original(*a, **k))[1])
    other = save(tmp_path / "other.wav", voice(2, 300))
    done = stt(speech, other)
    assert len(loads) == 1
    assert [line.split(": ")[0] for line in done.stdout.splitlines()] == [str(speech), str(other)]
    single = stt(other).stdout.strip()
    assert done.stdout.splitlines()[1] == f"{other}: {single}"
    assert stt(speech, other, "--format", "ipa").stdout.splitlines()[1] == single


def test_a_bad_input_fails_the_run_but_not_the_others(stt: Any, tmp_path: Path, speech: Path) -> None:
    """Regression in kind: a transcriber that skips what failed and exits with 0."""
    text = tmp_path / "text.wav"
    text.write_text("not audio")
    done = stt(speech, text, tmp_path / "none.wav", code=6)
    assert done.stdout.count("\n") == 1 and str(speech) in done.stdout
    assert "2 of 3 inputs failed" in done.stderr and "text.wav" in done.stderr and "none.wav" in done.stderr
    assert "not an audio file" in stt(text, code=3).stderr


@pytest.mark.slow
def test_g3_a_recording_that_takes_too_long_fails_and_not_the_others(stt: Any, tmp_path: Path, speech: Path) -> None:
    quiet = save(tmp_path / "quiet.wav", silence(1.0))
    done = stt(speech, quiet, "--timeout", 0.001, "-o", tmp_path / "out", code=6)
    assert "the transcription wasn't finished within 0.001 s" in done.stderr and "1 of 2 inputs failed" in done.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["quiet.txt"]
    assert stt(speech, "--timeout", 0.001, code=124).stdout == ""
    assert stt(speech, "--timeout", 600).stdout == stt(speech).stdout


@pytest.mark.slow
def test_a5_a_fault_in_the_middle_of_a_file_is_that_inputs_error(stt: Any, tmp_path: Path, speech: Path) -> None:
    wave = voice(70)
    wave[RATE * 65] = np.nan
    path = save(tmp_path / "nan.wav", wave)
    done = stt(path, speech, code=6)
    assert "aren't numbers" in done.stderr and str(speech) in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("format", ["txt", "json", "ipa"])
def test_a_folder_takes_a_file_for_each_input(stt: Any, tmp_path: Path, speech: Path, format: str) -> None:
    folder = tmp_path / "new" / "folder"
    done = stt(speech, "-o", folder, "--format", format)
    assert done.stdout == ""
    written = (folder / f"speech.{format}").read_text()
    assert (json.loads(written)["phonemes"] if format == "json" else written.strip()) == stt(speech).stdout.strip()
    assert "exists already" in stt(speech, "-o", folder, "--format", format, code=2).stderr
    stt(speech, "-o", folder, "--format", format, "-y")


def test_two_inputs_never_share_an_output(stt: Any, tmp_path: Path, speech: Path) -> None:
    (tmp_path / "b").mkdir()
    same = save(tmp_path / "b" / "speech.wav", voice(1))
    assert "two inputs would be written" in stt(speech, same, "-o", tmp_path / "out", code=2).stderr


@pytest.mark.slow
def test_audio_comes_from_standard_input(stt: Any, speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(speech.read_bytes())))
    assert stt("-").stdout == stt(speech).stdout


@pytest.mark.slow
def test_flags_have_their_effect(stt: Any, speech: Path) -> None:
    base = stt(speech, "--json").json()
    phonemes = base["phonemes"]
    assert stt(speech, "--json", "--language", "de").json()["language_id"] == 2
    short = stt(speech, "--json", "--max-steps", 2).json()
    assert all(len(window["phonemes"].replace(" ", "")) <= 2 for window in short["windows"])
    drawn = stt(speech, "--json", "--ar-temp", 1.5, "--seed", 3).json()
    assert drawn["samplers"]["stt"][0]["parameters"] == {"t": 1.5} and drawn["phonemes"] != phonemes
    assert drawn["phonemes"] == stt(speech, "--json", "--ar-temp", 1.5, "--seed", 3).json()["phonemes"]
    assert drawn["phonemes"] != stt(speech, "--json", "--ar-temp", 1.5, "--seed", 4).json()["phonemes"]
    assert stt(speech, "--json", "--sampler", "greedy").json()["phonemes"] == phonemes
    assert stt(speech, "--json", "--batch-size", 1).json()["phonemes"] == phonemes
    skipped = stt(speech, "--json", "--layer-skip", "--layer-skip-exit-layer", 2).json()
    assert skipped["early_exit"]["exit_layer"] == 2 and skipped["phonemes"] != phonemes


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--sampler", "top-k:5"), ("--beam-width", 3)])
def test_a_trace_tells_the_phonemes_that_were_heard(
    stt: Any, cli: Any, registry: Registry, model_path: Path, speech: Path, tmp_path: Path, flags: tuple[object, ...]
) -> None:
    path, picture = tmp_path / "trace.jsonl", tmp_path / "trace.png"
    common = (speech, "--json", "--max-steps", 9, *flags)
    record = stt(*common, "--trace", path).json()
    assert record["phonemes"] == stt(*common).json()["phonemes"], "a trace changes nothing"
    log = read_trace(path)
    assert log.head["task"] == "stt" and [each["phonemes"] for each in log.head["parts"]] == [
        each["phonemes"] for each in record["windows"]
    ]
    tokenizer = VallE.load(model_path, registry=registry, device="cpu").loaded.tokenizer
    assert tokenizer is not None
    for part, window in enumerate(record["windows"]):
        mine = [each.step for each in log.lines if each.part == part]
        assert [each.step for each in mine] == list(range(len(mine))) and 0 < len(mine) <= 9
        tokens = [each.token for each in mine]
        said = tokens[:-1] if window["stop_reason"] == "stop" else tokens
        assert " ".join(tokenizer.decode(said).split()) == window["phonemes"]
        first, last = mine[0].stages[0], mine[0].stages[-1]
        assert first.name == "model" and (last.kept < first.kept) == ("top-k:5" in flags)
    cli("samplers", "plot", path, "-o", picture, "--part", 1)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_trace_is_for_one_recording_and_never_written_over_something(stt: Any, speech: Path, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    other = save(tmp_path / "other.wav", voice(1))
    assert "for one input" in stt(speech, other, "--trace", path, code=2).stderr and not path.exists()
    path.write_text("mine")
    assert "exists" in stt(speech, "--trace", path, code=2).stderr and path.read_text() == "mine"
    assert "also an input" in stt(speech, "--trace", speech, "-y", code=2).stderr


def test_no_input_and_no_such_task_are_usage_errors(stt: Any, speech: Path) -> None:
    assert "no audio" in stt(code=2).stderr
    assert "only once" in stt("-", "-", code=2).stderr
    assert "isn't detected" in stt(speech, "--language", "auto", code=2).stderr
    stt(speech, "--task", "sing", code=2)


def test_a_model_that_cannot_transcribe_says_so(cli: Any, make_model: Any, tmp_path: Path, speech: Path) -> None:
    model = make_model(tmp_path / "m.sft", stt_head=False)
    done = cli("stt", speech, "--model", model, "--device", "cpu", code=4)
    assert "can't transcribe" in done.stderr


def test_memory_does_not_grow_with_the_recording(stt: Any, tmp_path: Path) -> None:
    import tracemalloc

    def peak(minutes: int) -> int:
        wave = np.tile(np.concatenate([voice(4), silence(1)]), 12 * minutes)
        path = save(tmp_path / f"{minutes}.wav", wave)
        del wave
        tracemalloc.start()
        for _ in read_voiced(path, RATE, 10.0):
            pass
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    assert peak(12) < 1.3 * peak(3)


@pytest.mark.parametrize("name", ["t.txt", "t.json", "T.SRT"])
def test_a_files_name_in_the_place_of_the_folder_is_said(stt: Any, speech: Path, tmp_path: Path, name: str) -> None:
    """Regression: a folder of that name was made."""
    done = stt(speech, "-o", tmp_path / name, code=2)
    assert "-o takes a folder" in done.stderr and not (tmp_path / name).exists()
    (tmp_path / name).mkdir()
    stt(speech, "-o", tmp_path / name)
    assert len(list((tmp_path / name).iterdir())) == 1
