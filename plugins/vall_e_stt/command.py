"""`vall-e stt`: check every input, load once, transcribe, print or write."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from vall_e_audio import read_audio
from vall_e_core import BatchError, Session, UsageError, VallEError
from vall_e_core.sampling.running import ChainRequest
from vall_e_files import check_file, check_folder, write_atomic
from vall_e_lm import ModelOptions, Runtime, find_model, plan_chain

from .options import HearingOptions
from .results import Transcription
from .speller import find_speller
from .transcription import transcribe

if TYPE_CHECKING:
    from .task import Stt

STDIN = "-"
SUFFIXES = {"txt": ".txt", "json": ".json", "ipa": ".ipa"}


class Piped(io.BytesIO):
    """What came through standard input, by the name that messages call it."""

    name = "standard input"


@dataclass(frozen=True)
class Input:
    """One recording: what the user called it, where its result goes (None: standard output), why it can't be read."""

    name: str
    output: Path | None
    error: VallEError | None = None


def run(task: Stt, session: Session) -> None:
    """All inputs, in order. Raises the error of a single one, or BatchError where some of several failed."""
    if not task.audio:
        raise UsageError("no audio to transcribe", try_="vall-e stt AUDIO...")
    if task.audio.count(STDIN) > 1:
        raise UsageError("standard input can be read only once")
    chain = ChainRequest(
        session.chain("stt"), {key: value for key, value in session.sampler_flags("stt").items() if session.given(key)}
    )
    plan_chain(session.registry.samplers(), "stt", chain)
    find_speller(session.registry, task.spell, task.language)
    outputs = outputs_of(task)
    if task.trace is not None:
        check_trace(task, outputs)
    piped = Piped(sys.stdin.buffer.read()) if STDIN in task.audio else None
    inputs = [Input(name, outputs[name], problem(name, piped)) for name in dict.fromkeys(task.audio)]
    if all(each.error is not None for each in inputs):
        return finish(inputs, [], session)
    find_model(session.registry, task.group(ModelOptions))
    engine = Runtime.load(options=task.group(ModelOptions), registry=session.registry, notify=session.notice)
    if task.device == "auto":
        session.notice(f"device: {engine.device.name} ({engine.device.reason})")
    session = session.advised(engine.loaded.advice)
    how = session.task.group(HearingOptions)
    failed: list[Input] = []
    with session.progress("transcribing", len(inputs), "files") as bar:
        for each in inputs:
            if each.error is None:
                try:
                    source: Path | BinaryIO = Path(each.name) if piped is None or each.name != STDIN else piped
                    heard = transcribe(
                        engine, source, how, chain, progress=lambda *_: bar.advance(0), trace=task.trace is not None
                    )
                    write(task, session, each, heard, several=len(inputs) > 1)
                    if task.trace is not None and heard.trace is not None:
                        heard.trace.write(task.trace, overwrite=task.overwrite)
                        session.notice(f"trace: {task.trace}, {len(heard.trace.lines)} choices")
                except VallEError as error:
                    failed.append(Input(each.name, each.output, error))
            bar.advance()
    finish(inputs, failed, session)


_OF_FILES = (*SUFFIXES.values(), ".srt", ".vtt", ".csv", ".md")
"""What names of files end with that somebody may want a transcript in."""


def outputs_of(task: Stt) -> Mapping[str, Path | None]:
    """Where each input's result goes, checked. Raises UsageError where two would share a file, or one exists."""
    if task.output_dir is None:
        return dict.fromkeys(task.audio)
    if task.output_dir.suffix.lower() in _OF_FILES and not task.output_dir.is_dir():
        raise UsageError(
            f"-o takes a folder, but {task.output_dir} is a file name",
            try_=f"vall-e stt … > {task.output_dir}, or -o FOLDER, in which each result is a file",
        )  # fmt: skip
    try:
        task.output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"can't make the folder {task.output_dir}", cause=error.strerror) from error
    check_folder(task.output_dir)
    found: dict[str, Path | None] = {}
    for name in dict.fromkeys(task.audio):
        stem = "stdin" if name == STDIN else Path(name).stem
        path = task.output_dir / f"{stem}{SUFFIXES[task.format]}"
        if path in found.values():
            raise UsageError(f"two inputs would be written to {path}", try_="rename one, or transcribe them separately")
        check_file(path, overwrite=task.overwrite, inputs=[Path(each) for each in task.audio])
        found[name] = path
    return found


def check_trace(task: Stt, outputs: Mapping[str, Path | None]) -> None:
    """That a trace can be written. Raises UsageError for several inputs: a trace is about one."""
    if task.trace is None:
        return
    if len(outputs) > 1:
        raise UsageError("--trace is for one input", cause=f"there are {len(outputs)}", try_="transcribe them apart")
    files = [*map(Path, task.audio), *(path for path in outputs.values() if path is not None)]
    check_file(task.trace, overwrite=task.overwrite, inputs=files)


def problem(name: str, piped: BinaryIO | None) -> VallEError | None:
    """Why an input can't be read at all, or None: its header and its first moment are looked at."""
    try:
        source = Path(name) if piped is None or name != STDIN else piped
        read_audio(source, min_seconds=0, max_seconds=0.05, allow_silence=True)
    except VallEError as error:
        return error
    return None


def write(task: Stt, session: Session, item: Input, heard: Transcription, *, several: bool) -> None:
    """Print one result, or write its file."""
    for line in heard.warnings:
        session.warn(line if line.startswith(item.name) else f"{item.name}: {line}")
    record = {"input": item.name, **heard.record}
    if heard.no_speech:
        session.notice(f"{item.name}: no speech")
    session.detail(f"{item.name}: {heard.seconds:.2f} s in {len(heard.windows)} pieces, RTF {record['rtf']}")
    shown = heard.phonemes if task.format == "ipa" else heard.shown
    if item.output is not None:
        text = json.dumps(record, ensure_ascii=False, indent=2) if task.format == "json" else shown
        data = f"{text}\n".encode("utf-8", "replace")
        write_atomic(item.output, lambda file: file.write(data), overwrite=task.overwrite)
        session.result({**record, "output": str(item.output)})
    elif task.format == "json":
        session.result(record, json.dumps(record, ensure_ascii=False))
    else:
        session.result(record, f"{item.name}: {shown}" if several and task.format == "txt" else shown)


def finish(inputs: list[Input], failed: list[Input], session: Session) -> None:
    """Raise for what failed, beforehand or later."""
    bad = [each for each in (*inputs, *failed) if each.error is not None]
    if len(inputs) == 1 and bad and bad[0].error is not None:
        raise bad[0].error
    for each in bad:
        if each.error is not None:
            session.console.stderr.write(f"{each.error.render()}\n")
    if bad:
        raise BatchError(f"{len(bad)} of {len(inputs)} inputs failed", cause=", ".join(each.name for each in bad))
