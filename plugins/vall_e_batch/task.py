"""The task `batch`: its options, and those that whoever runs many rows shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import Component, Task, param
from vall_e_lm import ModelOptions
from vall_e_tts import SpeechOptions, VoiceOptions

if TYPE_CHECKING:
    from vall_e_core import Session


@dataclass(frozen=True, init=False, eq=False, repr=False)
class RunnerOptions(Component):
    """Who makes the rows of a batch or the paragraphs of a book, and whether somebody listens to them."""

    runner: str = param(
        "local", metavar="NAME[:k=v,…]", help="who speaks: local is this machine, ray a cluster (vall-e[ray])"
    )
    engine_workers: int | None = param(
        None, min=1, max=4096, metavar="N",
        help="processes that speak, each with a model of its own; default: one, and on a cluster as many as it has "
        "room for",
    )  # fmt: skip
    verify: bool = param(
        False, help="listen to all that is made, and tell where words are missing; needs a model that transcribes"
    )


@dataclass(frozen=True, init=False, eq=False, repr=False)
class _BatchFlags(Component):
    words: tuple[str, ...] = param(
        (), positional=True, multiple=True, metavar="MANIFEST",
        help="a file with a row for each utterance (.jsonl .csv .tsv .txt), or: status DIR",
    )  # fmt: skip
    output: Path | None = param(None, metavar="DIR", aliases=("-o",), help="folder for the results")
    manifest_format: str = param(
        "auto", choices=("auto", "jsonl", "csv", "tsv", "ljspeech", "openai", "nemo", "lhotse", "txt"),
        help="form of the manifest; auto goes by its suffix and its first row",
    )  # fmt: skip
    format: str = param(
        "wav", choices=("wav", "flac", "ogg", "opus", "mp3", "pcm_s16le", "pcm_f32le", "codes"),
        help="of the files; codes keeps only the codes, as .npy",
    )  # fmt: skip
    task: str = param(
        "tts", choices=("tts", "stt"),
        help="stt transcribes recordings: MANIFEST is a folder, or has a field audio (or NeMo's audio_filepath)",
    )  # fmt: skip
    window: float | None = param(None, min=1.0, max=60.0, unit="s", help="as for `vall-e stt`")
    vad: str = param("auto", choices=("auto", "silero", "energy", "off"), help="as for `vall-e stt`")
    shard: str | None = param(
        None, metavar="I/N", help="make only share I of N, from 0 on; several runs may share DIR this way"
    )
    restart: bool = param(False, help="make everything anew, whatever is in DIR")
    retry_failed: bool = param(False, help="try rows again that have failed before")
    max_failures: int | None = param(None, min=0, metavar="N", help="stop after more than N failures")
    fail_fast: bool = param(False, help="stop at the first failure")
    strict: bool = param(False, help="exit with code 6 if a row may be wrong: looped, cut, or words are missing")
    export: tuple[str, ...] = param(
        (), metavar="ljspeech,nemo,lhotse", help="manifests to write of what has been made, for training programs"
    )
    dry_run: bool = param(False, help="check the manifest, say what would be made, and make nothing")


@dataclass(frozen=True, eq=False, repr=False)
class BatchTask(ModelOptions, SpeechOptions, RunnerOptions, VoiceOptions, _BatchFlags, Task):
    """Speak every row of MANIFEST into a file in DIR.

    A row that names no voice has that of --voice or --ref.
    The same command goes on where it was interrupted, and makes only what has changed. `vall-e batch status DIR`
    tells how far it is.
    """

    name = "batch"
    sampler_stages = ("ar", "nar")
    flag_defaults: ClassVar[Mapping[str, str]] = {"ar-temp": "the checkpoint's advice, else 0.95", "nar-temp": "0"}

    def run(self, session: Session) -> None:
        from .command import run

        run(self, session)
