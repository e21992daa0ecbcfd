"""`vall-e book` from an EPUB to a file with chapters, with a tiny model: what is made, kept and made anew."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import soundfile

from books import make_epub, png, probe
from tiny import Run, tiny_plugin
from vall_e_batch import Assignment, RowWorker, Runner, Workers
from vall_e_core import Registry, VallE, hookimpl, param
from vall_e_core.cli import main

TITLES = [f"Chapter {word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")]
TEXTS = [f"the canoe slid. it slid {'far ' * at}away." for at in range(10)]
TIME = re.compile(r"(\d+):(\d\d):(\d\d)[,.](\d{3}) --> (\d+):(\d\d):(\d\d)[,.](\d{3})")


def chapters(texts: list[str] = TEXTS) -> list[tuple[str, str]]:
    return [(title, f"<h1>{title}</h1><p>{text}</p>") for title, text in zip(TITLES, texts, strict=True)]


@pytest.fixture
def how(model_path: Path) -> list[object]:
    """Flags of the tiny model."""
    return [
        "--model", model_path, "--phonemizer", "letters", "--device", "cpu", "--threads", 1, "--engine", "eager",
        "--max-ar-steps", 30, "--max-tries", 1, "--seed", 7, "--voice", "tim",
    ]  # fmt: skip


@pytest.fixture
def make(cli: Run, tmp_path: Path, how: list[object]) -> Callable[..., dict[str, Any]]:
    """Make a book; what the command printed as JSON."""

    def made(source: Path, *flags: object, out: str = "book.m4b", code: int = 0) -> dict[str, Any]:
        done = cli("book", source, "-o", tmp_path / out, *how, "--json", *flags, code=code)
        return done.json() if code == 0 else {"err": done.stderr}

    return made


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return make_epub(tmp_path / "a.epub", chapters())


def times(path: Path) -> list[int]:
    """Begin and end of every cue, in milliseconds."""
    found = []
    for match in TIME.finditer(path.read_text("utf-8")):
        for hours, minutes, seconds, rest in (match.groups()[:4], match.groups()[4:]):
            found.append(((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(rest))
    return found


@pytest.mark.slow
def test_ten_chapters_become_an_m4b_and_other_files_without_speaking_again(
    make: Callable[..., dict[str, Any]], book: Path, tmp_path: Path
) -> None:
    told = make(book, "--subtitles", "srt,vtt,json", "--narrator", "Tim T")
    report = json.loads((tmp_path / "book.m4b.json").read_text("utf-8"))
    assert told["rows"]["made"] == 20 and len(report["chapters"]) == 10
    rest = {"--work": tmp_path / "book.m4b.work", "--narrator": "Tim T"}
    for out in ("book.m4b", "book.mp3", "book.opus"):
        if out != "book.m4b":
            told = make(book, *(word for pair in rest.items() for word in pair), "--subtitles", "none", out=out)
            assert told["rows"]["made"] == 0
        found = probe(tmp_path / out)
        assert [title for _, title in found["chapters"]] == TITLES
        for (start, _), chapter in zip(found["chapters"], report["chapters"], strict=True):
            assert abs(start - chapter["first_sample"] / report["sample_rate"]) <= 0.025
        assert abs(found["seconds"] - report["samples"] / report["sample_rate"]) <= 0.25, "3 frames of MP3 at 8 kHz"
        assert found["cover"] and found["tags"]["title"] == "A Book" and found["tags"]["artist"] == "Ann Author"
        assert found["tags"]["composer"] == "Tim T"
    lines = (tmp_path / "book.srt").read_text("utf-8").splitlines()
    numbers = [int(line) for line in lines if line.isdigit()]
    assert numbers == list(range(1, len(numbers) + 1))
    for name in ("book.srt", "book.vtt"):
        found_times = times(tmp_path / name)
        assert found_times == sorted(found_times) and len(found_times) == 2 * len(numbers)
    cues = json.loads((tmp_path / "book.json").read_text("utf-8"))["cues"]
    assert len(cues) == len(numbers) == len(report["sentences"])
    assert all(word["estimated"] for each in cues for word in each["words"])
    assert {each["verdict"] for each in report["sentences"]} <= {"ok", "length", "loop", "short", "lost", "empty"}
    assert " ".join(each["text"] for each in cues if each["chapter"] == 2) == f"{TITLES[1]} {TEXTS[1]}"


@pytest.mark.slow
def test_an_edited_paragraph_is_spoken_anew_and_no_other(
    make: Callable[..., dict[str, Any]], book: Path, tmp_path: Path
) -> None:
    make(book)
    assert make(book, "-y")["rows"]["made"] == 0
    edited = make_epub(tmp_path / "b.epub", chapters([*TEXTS[:4], "the canoe sank.", *TEXTS[5:]]))
    assert make(edited, "-y")["rows"]["made"] == 1
    assert make(edited, code=2)["err"].startswith("error: the output exists already")


@pytest.mark.slow
def test_chapters_a_preview_and_a_folder(make: Callable[..., dict[str, Any]], book: Path, tmp_path: Path) -> None:
    told = make(book, "--chapters", "2-3", out="parts")
    files = sorted(each.name for each in (tmp_path / "parts").iterdir())
    assert files == [
        "02 Chapter two.flac", "03 Chapter three.flac", "book.srt", "chapters.json", "report.json"
    ]
    facts = json.loads((tmp_path / "parts" / "chapters.json").read_text("utf-8"))
    assert [each["file"] for each in facts["chapters"]] == files[:2] and facts["artist"] == "Ann Author"
    for each in facts["chapters"]:
        assert soundfile.info(str(tmp_path / "parts" / each["file"])).frames == each["samples"]
    assert sum(each["samples"] for each in facts["chapters"]) == told["samples"]
    assert make(book, "--preview", "3s", out="short.opus")["rows"]["rows"] < 6


@pytest.mark.slow
def test_voices_of_chapters_and_of_quoted_speech(
    make: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "v.md").write_text("# One\n\nShe said “come here.”\n\n# Two\n\n[voice:heart] Away.\n\n[voice:] Back.\n")
    flags = ["--quote-voice", "heart", "--chapter-voice", "1=fable"]
    make(tmp_path / "v.md", *flags, out="v.opus")
    records = [json.loads(each.read_text("utf-8")) for each in (tmp_path / "v.opus.work").rglob("*.flac.json")]
    voices = {each["text"]: each["arguments"]["voice"] for each in records}
    assert voices == {
        "One": "fable", "She said": "fable", "“come here.”": "heart", "Two": "tim", "Away.": "heart", "Back.": "tim"
    }
    told = make(tmp_path / "v.md", "--quote-voice", "nobody", out="w.opus", code=2)["err"]
    assert "chapter 1 (One), paragraph 2" in told and "nobody" in told


@pytest.mark.slow
def test_a_paragraph_that_can_t_be_spoken_is_named_and_can_be_left_out(
    make: Callable[..., dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "f.txt").write_text("# One\n\nthe canoe slid.\n\nпривет\n")
    told = make(tmp_path / "f.txt", out="f.opus", code=6)["err"]
    assert "chapter 1 (One), paragraph 3" in told and "1 of 3 paragraphs" in told
    assert not (tmp_path / "f.opus").exists()
    make(tmp_path / "f.txt", "--skip-failed", out="f.opus", code=6)
    assert probe(tmp_path / "f.opus")["seconds"] > 1
    (failed,) = json.loads((tmp_path / "f.opus.json").read_text("utf-8"))["failed"]
    assert failed["text"] == "привет"


def test_a_paragraph_in_which_words_are_missing_is_named(
    make: Callable[..., dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Heard:
        phonemes = "the canoe"

    monkeypatch.setattr(VallE, "hear", lambda *_, **__: Heard())
    (tmp_path / "f.txt").write_text("# The canoe\n\nthe canoe slid away.\n")
    told = make(tmp_path / "f.txt", "--verify", out="f.opus")
    assert told["lost"] == 1
    (lost,) = json.loads((tmp_path / "f.opus.json").read_text("utf-8"))["lost"]
    assert lost["missing"] == ["slid", "away"] and lost["where"].endswith("paragraph 2")
    err = make(tmp_path / "f.txt", "--verify", "--strict", "-y", out="f.opus", code=6)["err"]
    assert "paragraph 2: not heard: slid away" in err


@pytest.mark.slow
def test_what_is_noticed_about_all_paragraphs_is_told_once(cli: Run, how: list[object], tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("the canoe slid.\n\nit slid far.\n\nand far.\n")
    done = cli("book", tmp_path / "a.md", "-o", tmp_path / "a.opus", *how)
    assert done.stderr.count("tim.wav has a sample rate of 8000 Hz") == 1


def test_who_speaks_is_a_plugin_as_for_a_batch(
    how: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[int, int | None]] = []

    @dataclass(frozen=True)
    class Elsewhere(Runner):
        """Counts what it is asked for, and has it made here."""

        name = "elsewhere"
        rows: int = param(1, primary=True, help="at a time")

        def workers(self, work: Assignment) -> Workers:
            asked.append((work.count, work.engines))
            return RowWorker(work.engine(), work.folder, rows=self.rows, watch=work.watch)

    class Plugin:
        @staticmethod
        @hookimpl
        def vall_e_runners() -> list[type[Runner]]:
            return [Elsewhere]

    registry = Registry.load(third_party=False)
    registry.register(tiny_plugin(), name="tiny")
    registry.register(Plugin(), name="elsewhere")
    (tmp_path / "f.txt").write_text("# The canoe\n\nthe canoe slid away.\n\nit slid far.\n")

    def made(out: str, *flags: str) -> int:
        words = ["book", tmp_path / "f.txt", "-o", tmp_path / out, *how, *flags]
        return main([str(word) for word in words], registry=registry)

    assert made("f.opus", "--runner", "elsewhere:2", "--engine-workers", "3") == 0
    assert asked == [(3, 3)], "paragraphs, and engines"
    assert made("g.opus", "--runner", "nobody") == 2
    assert "no runner is called 'nobody'" in capsys.readouterr().err and not list(tmp_path.glob("g.*"))


def test_what_can_t_be_is_refused_before_anything_is_spoken(
    make: Callable[..., dict[str, Any]], book: Path, tmp_path: Path
) -> None:
    (tmp_path / "cover.gif").write_bytes(b"GIF89a")
    for flags, out, code, message in (
        (("--markup", "html"), "x.m4b", 2, "--markup"), ((), "x.wav", 2, "can't be a .wav file"),
        (("--subtitles", "ass"), "x.m4b", 2, "unknown subtitles"), (("--preview", "x"), "x.m4b", 2, "not a length"),
        (("--cover", tmp_path / "cover.gif"), "x.m4b", 3, "not usable as a cover"), ((), "no/x.m4b", 3, "folder"),
        (("--chapter-voice", "99=tim"), "x.m4b", 2, "no chapter 99"), (("--ref", "a.wav"), "x.m4b", 2, "--ref"),
        (("--engine-workers", "0"), "x.m4b", 2, "engine-workers"), (("--chapters", "11"), "x.m4b", 2, "no chapter 11"),
    ):  # fmt: skip
        assert message in make(book, *flags, out=out, code=code)["err"], (flags, out)
    assert not list(tmp_path.glob("*.work"))


@pytest.mark.once
@pytest.mark.slow
def test_a_book_that_was_killed_goes_on(
    command: Callable[..., tuple[list[str], dict[str, str]]], how: list[object], tmp_path: Path, book: Path
) -> None:
    """Killed as soon as some lines are there; the second run speaks the rest, and the book is that of a quiet run."""

    def start(out: str, *flags: object) -> subprocess.Popen[bytes]:
        args, environment = command("book", book, "-o", tmp_path / out, *how, "--json", *flags)
        return subprocess.Popen(args, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    killed = start("a.opus")
    while killed.poll() is None and len(list(tmp_path.glob("a.opus.work/*/*.flac.json"))) < 3:
        os.sched_yield()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    there = len(list(tmp_path.glob("a.opus.work/*/*.flac.json")))
    assert 0 < there < 20 and not (tmp_path / "a.opus").exists()
    for out in ("a.opus", "b.opus"):
        said, _ = start(out).communicate()
        assert json.loads(said)["rows"]["made"] == (20 - there if out == "a.opus" else 20)
    for name in ("{}.opus", "{}.srt"):
        first, second = ((tmp_path / name.format(each)).read_bytes() for each in "ab")
        assert len(first) == len(second) if name == "{}.opus" else first == second


@pytest.mark.slow
def test_facts_can_be_given(make: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("the canoe slid.")
    (tmp_path / "c.png").write_bytes(png())
    flags = ["--title", "T", "--author", "A", "--cover", tmp_path / "c.png", "--bit-rate", 24]
    make(tmp_path / "t.txt", *flags, out="t.mp3")
    found = probe(tmp_path / "t.mp3")
    assert found["cover"] and (found["tags"]["title"], found["tags"]["artist"]) == ("T", "A")
