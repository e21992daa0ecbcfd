"""One file with chapters, by PyAV and by the program ffmpeg: chapters, cover and tags as players see them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from books import png, probe
from vall_e_book import Cover
from vall_e_book.media import FORMS, encode_book, encoder_for
from vall_e_book.planning import Line, PlannedChapter
from vall_e_book.tags import Tags
from vall_e_book.timeline import Timeline, lay_out
from vall_e_core import InputError, UsageError

RATE = 16_000
BY = [
    pytest.param("av", marks=pytest.mark.skipif(not __import__("importlib.util").util.find_spec("av"), reason="PyAV")),
    pytest.param("ffmpeg", marks=pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg isn't installed")),
]
TAGS = Tags("A = Book; #1", "Ann Author", "Nan Narrator", "en", Cover(png(), "image/png"))


def speak(path: Path, samples: int, parts: int = 1) -> Path:
    """A line as a batch leaves it: a FLAC file and its record."""
    path.parent.mkdir(exist_ok=True)
    soundfile.write(path, 0.3 * np.sin(np.arange(samples) * 0.05), RATE)
    size = samples // parts
    said = [
        {"start": at * size / RATE, "duration": size / RATE, "text": f"{path.stem} {at}.", "verdict": "ok"}
        for at in range(parts)
    ]
    record = {"output": {"samples": samples, "sample_rate": RATE}, "parts": said}
    path.with_name(f"{path.name}.json").write_text(json.dumps(record))
    return path


def make_timeline(folder: Path, count: int = 10) -> Timeline:
    """Chapters of odd lengths."""
    chapters, made = [], {}
    for at in range(count):
        lines = tuple(Line(f"{at}-{index}", "x", None, "", pause) for index, pause in enumerate((0.51, 2.5)))
        chapters.append(PlannedChapter(at + 1, f"Chapter {at + 1}; =#\\x", lines, 0.25 if at == 0 else 0.0))
        for index, line in enumerate(lines):
            made[line.id] = speak(folder / f"{line.id}.flac", 7_001 + 1_313 * at + 77 * index, parts=2)
    return lay_out(chapters, made)


@pytest.fixture(scope="module")
def timeline(tmp_path_factory: pytest.TempPathFactory) -> Timeline:
    return make_timeline(tmp_path_factory.mktemp("lines"))


def test_a_timeline_counts_samples(timeline: Timeline) -> None:
    assert [each.start for each in timeline.marks[1:]] == [each.end for each in timeline.marks[:-1]]
    blocks = np.concatenate(list(timeline.blocks()))
    assert len(blocks) == timeline.samples == timeline.marks[-1].end
    times = [time for each in timeline.cues for time in (each.start, each.end)]
    assert times == sorted(times) and len(timeline.cues) == 40
    first = timeline.cues[0]
    assert first.start == 4_000 and np.abs(blocks[first.start : first.end]).max() > 0.2
    assert not blocks[: first.start].any() and not blocks[timeline.cues[1].end + 2 : timeline.cues[2].start].any()


@pytest.mark.slow
@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("suffix", [".m4b", ".mp3", ".opus"])
def test_a_file_has_chapters_a_cover_and_tags(tmp_path: Path, timeline: Timeline, suffix: str, by: str) -> None:
    path, told = tmp_path / f"book{suffix}", []
    encode_book(path, FORMS[suffix], timeline, TAGS, by=by, advance=told.append)
    found = probe(path)
    assert [title for _, title in found["chapters"]] == [each.title for each in timeline.marks]
    for (start, _), mark in zip(found["chapters"], timeline.marks, strict=True):
        assert abs(start - mark.start / RATE) <= 0.025
    assert found["seconds"] == pytest.approx(timeline.seconds, abs=0.15)
    assert found["cover"]
    wanted = {"title": "A = Book; #1", "artist": "Ann Author", "composer": "Nan Narrator", "genre": "Audiobook"}
    assert wanted.items() <= found["tags"].items()
    assert told == sorted(told) and told[-1] == timeline.seconds


def test_a_line_that_isn_t_as_long_as_its_record_says_is_an_error(tmp_path: Path) -> None:
    timeline = make_timeline(tmp_path, count=1)
    soundfile.write(tmp_path / "0-1.flac", np.zeros(10), RATE)
    with pytest.raises(InputError, match=r"0-1\.flac is damaged"):
        list(timeline.blocks())


def test_without_pyav_and_ffmpeg_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vall_e_book.media.find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError) as error:
        encoder_for(".m4b")
    assert "vall-e[media]" in error.value.render() and "folder" in error.value.render()
