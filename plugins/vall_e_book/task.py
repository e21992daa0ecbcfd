"""The task `book`: its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vall_e_batch import RunnerOptions
from vall_e_core import Component, Task, param
from vall_e_lm import ModelOptions
from vall_e_tts import SpeechOptions, VoiceOptions

if TYPE_CHECKING:
    from vall_e_core import Session


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _Text(Component):
    file: Path = param(positional=True, metavar="FILE", help="the book: .epub, .md, .html, .txt, or a folder of texts")
    output: Path | None = param(
        None, metavar="OUT", aliases=("-o",),
        help="the audiobook: .m4b, .mp3 or .opus with chapters, or a folder for a file a chapter",
    )  # fmt: skip
    overwrite: bool = param(False, help="replace files that exist", aliases=("-y",))
    list: bool = param(False, help="show the chapters with their minutes, and what is left out; make nothing")
    export_text: Path | None = param(
        None, metavar="DIR", help="write the text of each chapter into this folder, to be edited and read again"
    )
    chapters: str | None = param(None, metavar="3-7,9", help="only these chapters, by their numbers in --list")
    skip: tuple[str, ...] = param(
        (), multiple=True, metavar="TITLE", help="leave out chapters with this title; * stands for anything; repeatable"
    )
    notes: bool = param(False, help="read footnotes where they stand; by default they are left out")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _Reading(VoiceOptions):
    quote_voice: str | None = param(
        None, metavar="NAME", help="who reads what stands in double quotation marks",
        complete="vall_e_voices:saved_names",
    )  # fmt: skip
    chapter_voice: tuple[str, ...] = param(
        (), multiple=True, metavar="3=NAME",
        help="who reads a chapter; [voice:NAME] in the text does it too; repeatable",
    )  # fmt: skip
    paragraph_pause: float = param(0.5, min=0.0, max=60.0, unit="s", help="silence between paragraphs")
    section_pause: float = param(1.0, min=0.0, max=60.0, unit="s", help="silence between sections, and after headings")
    chapter_pause: float = param(2.5, min=0.0, max=60.0, unit="s", help="silence between chapters")


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _Results(Component):
    preview: str | None = param(None, metavar="30s", help="make only about so much of the beginning")
    subtitles: str = param("srt", metavar="srt,vtt,json", help="subtitles to write beside OUT; none: no subtitles")
    bit_rate: int | None = param(
        None, min=8, max=320, metavar="KBPS", help="kilobits a second; default: 64, for .opus 32"
    )
    format: str = param("flac", choices=("flac", "mp3"), help="of the files in a folder")
    title: str | None = param(None, metavar="TEXT", help="the title, instead of the book's own")
    author: str | None = param(None, metavar="TEXT", help="the author, instead of the book's own")
    narrator: str | None = param(None, metavar="TEXT", help="who reads, as players show it; default: the voice's name")
    cover: Path | None = param(None, metavar="FILE", help="a JPEG or PNG picture, instead of the book's cover")
    work: Path | None = param(
        None, metavar="DIR",
        help="folder for paragraphs that are finished, where the same command goes on; default: OUT.work",
    )  # fmt: skip
    skip_failed: bool = param(False, help="write the book without paragraphs that couldn't be spoken")
    strict: bool = param(False, help="exit with code 6 if a sentence may be wrong: looped, cut, or words are missing")


@dataclass(frozen=True, eq=False, repr=False)
class Audiobook(ModelOptions, SpeechOptions, RunnerOptions, _Results, _Reading, _Text, Task):
    """Make an audiobook of FILE, with chapters, cover and subtitles.

    The same command goes on where it was interrupted, and speaks only the paragraphs that have changed.
    """

    name = "book"
    sampler_stages = ("ar", "nar")
    flag_defaults: ClassVar[Mapping[str, str]] = {"ar-temp": "the checkpoint's advice, else 0.95", "nar-temp": "0"}

    def run(self, session: Session) -> None:
        from .command import run

        run(self, session)
