"""A batch from Python: what is made, what is kept, and what is made anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vall_e_batch import Batch, ManifestError, Report, Row, Shard
from vall_e_core import InputError, Registry, UsageError, VallE
from vall_e_lm import ModelOptions, SharedLoop
from vall_e_tts import EngineLostError, Processes

HOW: dict[str, Any] = {"phonemizer": "letters", "max_ar_steps": "30", "max_tries": 2, "batch_size": 3}
ROWS = [
    Row("one", "hello there"),
    Row("two", "one two three. four five six seven. eight nine ten."),
    Row("three", "and so few", settings={"top_p": 0.9, "speed": 1.2}),
    Row("four", "really the last", settings={"seed": 4, "sampler": ["top-k:9"]}, meta={"any": 1}),
]


@pytest.fixture(scope="module")
def engine(registry: Registry, model_path: Path) -> VallE:
    return VallE.load(model_path, registry=registry, device="cpu", threads=1, engine="eager")


@pytest.fixture
def batch(engine: VallE, tmp_path: Path) -> Callable[..., Batch]:
    def make(rows: Sequence[Row] = ROWS, **settings: Any) -> Batch:
        given = {"voice": "tim", "seed": 7, **HOW, **settings}
        return Batch(rows, given.pop("folder", tmp_path / "out"), engine=given.pop("engine", engine), **given)

    return make


def made(report: Report) -> list[str]:
    return [each.id for each in report.results if each.made]


@pytest.mark.slow
def test_a_row_sounds_as_the_same_call_of_the_engine(
    batch: Callable[..., Batch], engine: VallE, tmp_path: Path
) -> None:
    report = batch().run()
    assert [each.status for each in report.results] == ["done"] * 4
    for row, found in zip(ROWS, report.results, strict=True):
        settings = {"phonemizer": "letters", "max_ar_steps": "30", "max_tries": 2, "seed": found.seed, **row.settings}
        speech = engine.synthesize(row.text, voice="tim", **settings)
        speech.save(tmp_path / "alone.wav", overwrite=True)
        assert found.out.read_bytes() == (tmp_path / "alone.wav").read_bytes(), row.id
        record = json.loads(found.out.with_name(f"{found.out.name}.json").read_text("utf-8"))
        assert [each["codes_sha256"] for each in record["parts"]] == [
            each["codes_sha256"] for each in speech.record["parts"]
        ]
        assert record["batch"] == {"id": row.id, "key": found.key}


@pytest.mark.slow
def test_running_it_again_makes_nothing(batch: Callable[..., Batch], tmp_path: Path) -> None:
    first = batch().run()
    results = (tmp_path / "out" / "results.jsonl").read_bytes()
    again = batch().run()
    assert made(first) == ["one", "two", "three", "four"]
    assert made(again) == []
    assert again.tally.kept == 4
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == results
    assert made(batch().run(restart=True)) == ["one", "two", "three", "four"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        {"text": "and so many"},
        {"voice": "heart"},
        {"settings": {"top_p": 0.8, "speed": 1.2}},
        {"settings": {"top_p": 0.9, "speed": 1.2, "seed": 1}},
        {"format": "flac"},
        {"ref_text": "what it says"},
    ],
)
def test_what_was_changed_is_made_anew_and_nothing_else(batch: Callable[..., Batch], change: dict[str, Any]) -> None:
    batch().run()
    rows = [replace(row, **change) if row.id == "three" else row for row in ROWS]
    changed = batch(rows).run()
    assert made(changed) == ["three"]
    assert changed.results[2].status == "done"


@pytest.mark.slow
def test_another_model_makes_everything_anew(
    batch: Callable[..., Batch], make_model: Callable[..., Path], registry: Registry, tmp_path: Path
) -> None:
    batch().run()
    other = make_model(tmp_path / "other.sft", seed=5)
    loaded = VallE.load(other, registry=registry, device="cpu", threads=1, engine="eager")
    assert len(made(batch(engine=loaded).run())) == 4


@pytest.mark.slow
def test_the_key_is_the_same_whether_or_not_the_model_is_loaded(
    batch: Callable[..., Batch], registry: Registry, model_path: Path
) -> None:
    there = [each.key for each in batch().run().results]
    options = ModelOptions(model=str(model_path), device="cpu", threads=1, engine="eager")
    later = batch(engine=None, model=options, registry=registry)
    assert [job.key for job in later.jobs] == there
    assert made(later.run()) == []


@pytest.mark.slow
def test_what_a_killed_run_has_written_is_taken_over(batch: Callable[..., Batch], tmp_path: Path) -> None:
    batch().run()
    journal = tmp_path / "out" / "journal.main.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:1]) + lines[1][:40])
    again = batch().run()
    assert made(again) == []
    assert again.tally.kept == 4
    assert len(journal.read_bytes().splitlines()) == 4
    assert all(json.loads(line)["status"] == "done" for line in journal.read_bytes().splitlines())


@pytest.mark.slow
def test_a_file_that_was_damaged_is_made_again(batch: Callable[..., Batch]) -> None:
    results = batch().run().results
    whole = results[1].out.read_bytes()
    results[1].out.write_bytes(whole[:100])
    results[2].out.unlink()
    assert made(batch().run()) == ["two", "three"]
    assert results[1].out.read_bytes() == whole


def test_rows_with_one_key_are_made_once(batch: Callable[..., Batch], engine: VallE) -> None:
    rows = [Row(name, "hello there", settings={"seed": 3}) for name in ("a", "b", "c")]
    asked: list[str] = []
    begin = type(engine.scheduler()).begin

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        asked.append(given[0].request.text)
        return begin(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(engine.scheduler()), "begin", counted)
        results = batch(rows[:2]).run().results
        more = batch(rows).run()
    assert asked == ["hello there"]
    assert results[0].out.read_bytes() == results[1].out.read_bytes() == more.results[2].out.read_bytes()
    assert json.loads((more.results[2].out.parent / "c.wav.json").read_text("utf-8"))["batch"]["id"] == "c"


def test_a_row_that_fails_is_a_result_and_isn_t_tried_again_unless_asked(
    batch: Callable[..., Batch], tmp_path: Path
) -> None:
    rows = [*ROWS[:2], Row("bad", "((( ...")]
    report = batch(rows).run()
    assert [each.status for each in report.results] == ["done", "done", "failed"]
    assert report.failed[0].error == {
        "type": "InputError", "message": "nothing to say: the text", "cause": "it holds no letter and no digit"
    }
    (line,) = (tmp_path / "out" / "failures.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["id"] == "bad"
    assert made(batch(rows).run()) == []
    assert made(batch(rows).run(retry_failed=True)) == ["bad"]


def test_too_many_failures_end_it(batch: Callable[..., Batch]) -> None:
    rows = [Row(f"bad{number}", "(((") for number in range(9)]
    report = batch(rows).run(max_failures=2)
    assert report.stopped
    assert len(report.failed) == 3
    assert report.tally.left == 6


@pytest.mark.slow
def test_a_row_that_breaks_a_step_of_all_fails_alone(
    batch: Callable[..., Batch], engine: VallE, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever shares a step with it fails too, and is then made by itself."""
    quiet = [each.out.read_bytes() for each in batch(ROWS[:3], folder=tmp_path / "quiet").run().results]
    admit = SharedLoop.admit

    def poisoned(self: SharedLoop, jobs: Sequence[Any]) -> list[int]:
        if any(job.seed == 13 for job, _ in jobs):
            raise RuntimeError("poison")
        return admit(self, jobs)

    monkeypatch.setattr(SharedLoop, "admit", poisoned)
    report = batch([*ROWS[:2], Row("poison", "hello there", settings={"seed": 13}), ROWS[2]]).run()
    assert [each.id for each in report.failed] == ["poison"]
    assert report.failed[0].error == {"type": "RuntimeError", "message": "poison"}
    assert [each.out.read_bytes() for each in report.results if each.status == "done"] == quiet


def test_a_record_is_the_same_whoever_was_made_before(batch: Callable[..., Any], tmp_path: Path) -> None:
    """The first row makes room for the others. How much must not show, not even in the last digit."""
    rows = [Row("row2", "hello there hello there hello there ."), Row("row3", "hello there .")]
    how = {"seed": 0, "max_ar_steps": "60", "max_tries": 1, "batch_size": 2}
    seen = []
    for name, some in (("both", rows), ("alone", rows[1:])):
        found = batch(some, folder=tmp_path / name, **how).run().results[-1]
        record = json.loads(found.out.with_name(f"{found.out.name}.json").read_text("utf-8"))
        seen.append(record["parts"])
    assert seen[0] == seen[1]


def test_a_row_whose_process_dies_twice_has_crashed(
    batch: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[list[str]] = []

    class Dying(Processes):
        """Processes that die with everything they are given."""

        def start(self) -> None:
            self.given: list[Any] = []

        def submit(self, job: Any, ended: Callable[[Any], None]) -> None:
            self.given.append((job, ended))
            asked.append([job.row.row.id for job, _ in self.given])
            if len(self.given) == 2 or job.alone:
                for job, ended in self.given:
                    job.end("failed", error=EngineLostError("it died"))
                    ended(job)
                self.given = []

        def close(self, timeout: float = 5.0) -> None:
            self.given = []

    monkeypatch.setattr("vall_e_batch.processes.Processes", Dying)
    report = batch([Row("a", "hello"), Row("b", "there")]).run(workers=2)
    assert asked == [["a"], ["a", "b"], ["a"], ["b"]], "both at once, then each alone"
    assert [each.status for each in report.results] == ["crashed", "crashed"]
    assert report.failed == list(report.results)
    assert (report.summary()["failed"], report.summary()["crashed"]) == (2, 2)
    lines = (tmp_path / "out" / "failures.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["status"] for line in lines] == ["crashed", "crashed"]
    assert made(batch([Row("a", "hello"), Row("b", "there")]).run()) == []
    again = batch([Row("a", "hello"), Row("b", "there")]).run(retry_failed=True)
    assert [each.status for each in again.results] == ["done", "done"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")])
def test_rows_that_no_memory_is_left_for_say_so(
    batch: Callable[..., Batch], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def admit(self: SharedLoop, jobs: Sequence[Any]) -> list[int]:
        raise error

    monkeypatch.setattr(SharedLoop, "admit", admit)
    report = batch(ROWS[:2]).run()
    assert [(each.error or {})["type"] for each in report.failed] == ["DeviceError", "DeviceError"]
    assert (report.failed[0].error or {})["message"] == "out of memory"


@pytest.mark.slow
def test_results_are_in_the_order_of_the_rows(batch: Callable[..., Batch], tmp_path: Path) -> None:
    batch().run()
    lines = [json.loads(line) for line in (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()]
    assert [line["id"] for line in lines] == [row.id for row in ROWS]
    assert lines[3]["meta"] == {"any": 1}
    assert {line["status"] for line in lines} == {"done"}


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
def test_shards_are_a_partition_and_their_union_is_the_whole(
    batch: Callable[..., Batch], tmp_path: Path, count: int
) -> None:
    rows = [Row(f"row{number}", "hello there") for number in range(7)]
    batch(rows, folder=tmp_path / "whole").run()
    seen: list[str] = []
    for index in range(count):
        seen += [each.id for each in batch(rows).run(shard=Shard(index, count)).results]
    assert sorted(seen) == [row.id for row in rows]
    whole, union = tmp_path / "whole", tmp_path / "out"
    assert (whole / "results.jsonl").read_bytes() == (union / "results.jsonl").read_bytes()
    for each in whole.glob("*.wav"):
        assert each.read_bytes() == (union / each.name).read_bytes()


@pytest.mark.slow
def test_a_file_of_somebody_else_stays(batch: Callable[..., Batch], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    mine = tmp_path / "out" / "one.wav"
    mine.write_bytes(b"mine")
    with pytest.raises(UsageError, match="no batch has made"):
        batch().run()
    assert mine.read_bytes() == b"mine"
    assert batch().run(restart=True).tally.done == 4


def test_codes_instead_of_sound(batch: Callable[..., Batch], engine: VallE) -> None:
    (found,) = batch(ROWS[1:2], format="codes").run().results
    codes = np.load(found.out, allow_pickle=False)
    speech = engine.synthesize(ROWS[1].text, voice="tim", seed=found.seed, **{**HOW, "batch_size": 8})
    np.testing.assert_array_equal(codes, np.concatenate([each.codes.numpy() for each in speech.parts]))


def test_a_second_run_on_the_same_folder_is_refused(batch: Callable[..., Batch]) -> None:
    def again(*_: object) -> None:
        batch().run()

    with pytest.raises(InputError, match="another run"):
        batch().run(told=again)


def test_all_errors_of_all_rows_are_told_at_once(batch: Callable[..., Batch], tmp_path: Path) -> None:
    rows = [
        Row("a/b", "x"), Row("twice", "x"), Row("TWICE", "x"), Row("empty", "  "), Row("..", "x"),
        Row("who", "x", voice="nobody"), Row("both", "x", voice="tim", ref=(Path("a.wav"),)),
        Row("gone", "x", ref=(tmp_path / "gone.wav",)), Row("seed", "x", settings={"seed": -1}),
        Row("what", "x", settings={"top_q": 1}), Row("range", "x", settings={"speed": 9}),
        Row("format", "x", format="aiff"), Row("out", "x", out="../x.wav"),
        Row("endless", "x", ref=(Path("/dev/zero"),)), Row("nul", "x", ref=(Path("a\0b"),)),
        Row("long", "x " * 1_000_000), Row("suffix", "x", format="wav", out="x.mp3"),
        Row("chain", "x", settings={"sampler": ["nope"]}),
        Row("fine", "x"),
    ]  # fmt: skip
    with pytest.raises(ManifestError) as caught:
        batch(rows)
    assert len(caught.value.problems) == 17
    assert caught.value.exit_code == 2
    assert "did you mean top_p" in str(caught.value)
    assert not (tmp_path / "out").exists()
