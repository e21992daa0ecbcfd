"""Where everything is heard: lines, silences and chapters, counted in samples. And the sound itself, block by block."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_core import InputError

from .cues import Cue
from .planning import PlannedChapter

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1 << 16


@dataclass(frozen=True)
class Clip:
    """A file with speech, or silence; `samples` long."""

    samples: int
    path: Path | None = None


@dataclass(frozen=True)
class Mark:
    """A chapter in the sound: its samples are those from `start` up to `end`."""

    number: int
    title: str
    start: int
    end: int
    clips: tuple[Clip, ...]

    def blocks(self, rate: int) -> Iterator[NDArray[np.float32]]:
        """Its samples [N]. Raises InputError for a file that isn't as long as its record says."""
        for clip in self.clips:
            yield from _silence(clip.samples) if clip.path is None else _read(clip.path, clip.samples, rate)


@dataclass(frozen=True)
class Timeline:
    """A whole book."""

    rate: int
    marks: tuple[Mark, ...]
    cues: tuple[Cue, ...]

    @property
    def samples(self) -> int:
        """Its length."""
        return self.marks[-1].end if self.marks else 0

    @property
    def seconds(self) -> float:
        """Its length."""
        return self.samples / self.rate

    def blocks(self) -> Iterator[NDArray[np.float32]]:
        """All samples, in order; only a block of them is in memory at a time."""
        for mark in self.marks:
            yield from mark.blocks(self.rate)


def lay_out(chapters: Sequence[PlannedChapter], made: dict[str, Path]) -> Timeline:
    """The timeline of chapters whose lines have been spoken.

    Args:
        chapters: the plan.
        made: the files of lines, by id. What is missing is left out, with its silence.

    Raises InputError for a file without a record, or with another sample rate than the first.
    """
    rate = 0
    at = 0
    marks: list[Mark] = []
    cues: list[Cue] = []
    for chapter in chapters:
        clips: list[Clip] = []
        start, lead = at, chapter.lead
        for line in chapter.lines:
            path = made.get(line.id)
            if path is None:
                continue
            record = _record(path)
            facts = record["output"]
            if rate not in (0, facts["sample_rate"]):
                raise InputError(f"{path} has {facts['sample_rate']} Hz, others {rate}", try_="another --work folder")
            rate = facts["sample_rate"]
            clips += [Clip(round(lead * rate)), Clip(facts["samples"], path)]
            at += clips[-2].samples
            cues += _cues(record, at, rate, chapter.number, line.id)
            at += clips[-1].samples
            lead = line.pause
        if clips:
            clips.append(Clip(round(lead * rate)))
            at += clips[-1].samples
            kept = tuple(each for each in clips if each.samples)
            marks.append(Mark(chapter.number, chapter.title, start, at, kept))
    return Timeline(rate, tuple(marks), tuple(cues))


def _cues(record: dict[str, Any], at: int, rate: int, chapter: int, line: str) -> Iterable[Cue]:
    """A cue for each part of a line that can be heard."""
    for part in record["parts"]:
        start = at + round(part["start"] * rate)
        end = start + round(part["duration"] * rate)
        if end > start:
            yield Cue(start, end, part["text"], chapter, part["verdict"], line)


def general_warnings(path: Path) -> list[str]:
    """Warnings in the record of a line that aren't about one of its sentences. Raises InputError."""
    return [each for each in _record(path).get("warnings", ()) if not each.startswith(("part ", "the speech "))]


def _record(path: Path) -> dict[str, Any]:
    beside = path.with_name(f"{path.name}.json")
    try:
        found = json.loads(beside.read_bytes())
        if not isinstance(found["output"]["samples"], int) or not isinstance(found["parts"], list):
            raise TypeError("it lacks the number of samples or the parts")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"can't use the record {beside}", cause=str(error), try_=f"remove {path} and run again"
        ) from error
    return dict(found)


def _silence(samples: int) -> Iterator[NDArray[np.float32]]:
    for begin in range(0, samples, BLOCK):
        yield np.zeros(min(BLOCK, samples - begin), np.float32)


def _read(path: Path, samples: int, rate: int) -> Iterator[NDArray[np.float32]]:
    import soundfile

    done = 0
    try:
        with soundfile.SoundFile(str(path)) as file:
            if file.samplerate != rate:
                raise InputError(f"{path} has {file.samplerate} Hz, not {rate}")
            while len(block := file.read(BLOCK, dtype="float32")):
                done += len(block)
                yield block
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise InputError(f"can't read {path}", cause=str(error), try_="remove it and run again") from error
    if done != samples:
        raise InputError(
            f"{path} is damaged", cause=f"it holds {done} samples, its record says {samples}",
            try_="remove it and run again",
        )  # fmt: skip
