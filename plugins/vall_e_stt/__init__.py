"""The task `stt`: speech to the phonemes a model was trained on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from vall_e_core import Component, ModelOptions, Session, Task, hookimpl, param


@dataclass(frozen=True)
class _SttFlags(Component):
    audio: tuple[str, ...] = param(
        (), positional=True, multiple=True, metavar="AUDIO...", help="audio to transcribe; - reads standard input"
    )
    output_dir: Path | None = param(
        None, help="write NAME.txt (.json, .ipa) into this folder instead of printing", metavar="DIR", aliases=("-o",)
    )
    format: str = param("txt", choices=("txt", "json", "ipa"), help="text, everything known, or one bare line of IPA")
    overwrite: bool = param(False, help="replace files that exist", aliases=("-y",))
    task: str = param("stt", choices=("stt",), help="this task, for scripts that name it")
    language: str = param("en", help="language spoken; the condition of models trained with one")
    window: float | None = param(
        None, min=1.0, max=60.0, unit="s", help="longest piece transcribed at once; long audio is cut where it is quiet"
    )
    max_steps: int | None = param(None, min=1, help="most phonemes from one piece; from its length if absent")
    seed: int | None = param(None, min=0, max=2**63 - 1, help="random seed, if the sampler draws; 0 if absent")
    layer_skip: bool = param(False, help="leave the model's stack early where it is sure enough (models trained for it)")
    layer_skip_exit_layer: int | None = param(
        None, min=0, help="last layer that may be used, counted from 0, never below half the stack; the model's own if absent"
    )
    layer_skip_entropy_threshold: float = param(
        0.1, min=0.0, max=float("inf"), unit="bits", help="leave early when the entropy is at most this"
    )
    layer_skip_varentropy_threshold: float = param(
        0.1, min=0.0, max=float("inf"), unit="bits²", help="leave early when the varentropy is at most this"
    )
    batch_size: int = param(8, min=1, max=1024, help="pieces worked on together; doesn't change the result")


@dataclass(frozen=True)
class Stt(ModelOptions, _SttFlags, Task):
    """Print the phonemes (IPA) heard in AUDIO.

    Every input is tried; the exit code tells whether one failed.
    """

    name = "stt"
    sampler_stages = ("stt",)

    def run(self, session: Session) -> None:
        from .command import run

        run(self, session)


@hookimpl
def vall_e_tasks() -> Iterable[type[Task]]:
    return [Stt]
