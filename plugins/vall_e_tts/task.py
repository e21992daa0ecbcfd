"""The tasks `tts` and `sweep`: their options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import Task, param
from vall_e_lm import ModelOptions

from .options import SpeechOptions, VoiceOptions
from .speech_task import SpeechTask

if TYPE_CHECKING:
    from vall_e_core import Session


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Source(VoiceOptions):
    """What is said, and whose voice says it."""

    words: tuple[str, ...] = param(
        (), positional=True, multiple=True, metavar="TEXT [REF]",
        help="text to speak (- reads standard input), reference audio (several: a.wav;b.wav)",
    )  # fmt: skip
    text: str | None = param(None, help="text to speak, instead of TEXT")
    file: Path | None = param(
        None, help="read the text from a file (UTF-8), instead of TEXT", metavar="FILE", aliases=("-f",)
    )


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _TtsFlags(Source):
    words: tuple[str, ...] = param(
        (), positional=True, multiple=True, metavar="TEXT [REF] [OUT]",
        help="text to speak (- reads standard input), reference audio (several: a.wav;b.wav), file to write",
    )  # fmt: skip
    output: str | None = param(
        None, help="file to write (.wav .flac .ogg .opus .mp3), or - for standard output, instead of OUT",
        metavar="FILE", aliases=("-o", "--out-path"),
    )  # fmt: skip
    overwrite: bool = param(False, help="replace OUT if it exists", aliases=("-y",))
    format: str | None = param(
        None, choices=("wav", "flac", "ogg", "opus", "mp3", "pcm_s16le", "pcm_f32le"),
        help="output format; default: by the file's suffix; pcm_* are raw samples",
    )  # fmt: skip
    no_sidecar: bool = param(False, help="don't write the record OUT.wav.json beside the audio")
    stream: bool = param(
        False,
        help="write audio as it is generated, so that -o - plays at once; audio already written is not retried",
    )  # fmt: skip
    trace: Path | None = param(
        None, metavar="FILE", help="write what each sampler did at each step, as JSON lines"
    )
    repeat: Path | None = param(
        None, help="repeat the run of a record (OUT.wav.json); further flags change it",
        metavar="RECORD", aliases=("--from",),
    )  # fmt: skip
    task: str = param(
        "tts", metavar="NAME", complete="vall_e_tts.speech_task:names",
        help="tts speaks; others work on the reference, with models trained for it: ns takes noise off it and sr takes "
        "speech off it (TEXT is what it says); stt is `vall-e stt`",
    )  # fmt: skip
    strict: bool = param(False, help="exit with code 6 if a part never stopped by itself")


@dataclass(frozen=True, eq=False, repr=False)
class Tts(ModelOptions, SpeechOptions, _TtsFlags, Task):
    """Speak TEXT in the voice of REF and write it to OUT.

    With --ref or --voice the arguments are TEXT [OUT]. Long texts are split into parts and joined into one file.
    """

    name = "tts"
    default = True
    sampler_stages = ("ar", "nar")
    variants = SpeechTask.kind
    flag_defaults: ClassVar[Mapping[str, str]] = {"ar-temp": "the checkpoint's advice, else 0.95", "nar-temp": "0"}

    def run(self, session: Session) -> None:
        from .command import run

        run(self, session)


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _SweepFlags(Source):
    vary: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME.PARAM=V,V,…",
        help="a sampler's parameter or an option (seed=1,2), and the values to try; repeatable",
    )  # fmt: skip
    output: Path | None = param(
        None, metavar="DIR", aliases=("-o",), help="write the audio of each setting into this folder"
    )
    overwrite: bool = param(False, help="replace existing files", aliases=("-y",))


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(ModelOptions, SpeechOptions, _SweepFlags, Task):
    """Speak TEXT with many settings and rank them.

    All settings use the same seed. With --candidates N, each is rated by the mean of N takes. The scorers are those
    of --scorer, by default all that suit the model.
    """

    name = "sweep"
    sampler_stages = ("ar", "nar")
    flag_defaults: ClassVar[Mapping[str, str]] = Tts.flag_defaults

    def run(self, session: Session) -> None:
        from .sweep import run

        run(self, session)
