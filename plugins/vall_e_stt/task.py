"""The task `stt`: its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import Component, Task, param
from vall_e_lm import ModelOptions

from .options import HearingOptions

if TYPE_CHECKING:
    from vall_e_core import Session


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _SttFlags(Component):
    audio: tuple[str, ...] = param(
        (), positional=True, multiple=True, metavar="AUDIO...", help="audio to transcribe; - reads standard input"
    )
    output_dir: Path | None = param(
        None, help="write NAME.txt (.json, .ipa) into this folder instead of printing", metavar="DIR", aliases=("-o",)
    )
    format: str = param("txt", choices=("txt", "json", "ipa"), help="text, everything as JSON, or one line of IPA")
    trace: Path | None = param(
        None, metavar="FILE", help="write what each sampler did at each step, as JSON lines"
    )
    overwrite: bool = param(False, help="replace existing files", aliases=("-y",))
    task: str = param("stt", choices=("stt",), help="this task, for scripts that name it")


@dataclass(frozen=True, eq=False, repr=False)
class Stt(ModelOptions, HearingOptions, _SttFlags, Task):
    """Print the phonemes (IPA) heard in AUDIO, or with --spell its words.

    Every input is tried; the exit code tells whether one failed.
    """

    name = "stt"
    sampler_stages = ("stt",)
    flag_defaults: ClassVar[Mapping[str, str]] = {"ar-temp": "0"}

    def run(self, session: Session) -> None:
        from .command import run

        run(self, session)
