"""The output of one row: a file that appears whole, with its record beside it, and the journal's line."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vall_e_core import InputError
from vall_e_files import OutputTarget, json_bytes, open_output, sha256_file, with_output
from vall_e_lm import ModelOptions
from vall_e_tts import SpeechRequest, open_speech

from .entries import entry_of
from .jobs import Job
from .journal import Entry
from .settling import CODES

if TYPE_CHECKING:
    from vall_e_audio import Wave
    from vall_e_tts import SpeechWriter


class Unwritable(InputError):
    """The folder can't be written any more: no other row can be either."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raises Unwritable for what can't be written."""
    try:
        yield
    except Unwritable:
        raise
    except InputError as error:
        raise Unwritable(error.message, cause=error.cause, try_=error.try_) from error
    except OSError as error:
        raise Unwritable(
            f"can't write {path}", cause=error.strerror or str(error), try_="free some disk space; run again"
        ) from error


class RowOutput:
    """Takes the waves of a row, then its record. Raises Unwritable where there is no room for them."""

    def __init__(self, folder: Path, job: Job, model: Mapping[str, object]) -> None:
        """`model` is it as flags, for the record."""
        self.job, self.path = job, folder / job.out
        self._model = model
        self._began = time.monotonic()
        self._writer: SpeechWriter | None = None
        self._closing = ExitStack()

    def write(self, wave: Wave, sample_rate: int) -> None:
        """Take some samples."""
        if self.job.format == CODES:
            return
        with writing(self.path):
            if self._writer is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                target = OutputTarget(self.path, self.job.format, overwrite=True)
                self._writer = self._closing.enter_context(open_speech(target, sample_rate))
            self._writer.write(wave)

    def finish(self, record: Mapping[str, Any], codes: Sequence[Any]) -> Entry:
        """All has been taken: the files appear. `codes` [T, Q] are those of the parts, where they are kept."""
        arguments = arguments_of(self.job, record, self._model)
        found = {**record, "arguments": arguments, "batch": {"id": self.job.row.id, "key": self.job.key}}
        with writing(self.path):
            done = self._write_codes(found, codes) if self._writer is None else self._writer.finish(found)
            self._closing.close()
            size = self.path.stat().st_size
        return entry_of(self.job, done, size, time.monotonic() - self._began)

    def close(self) -> None:
        """Nothing is left of it, unless it is finished."""
        self._closing.close()

    def _write_codes(self, record: Mapping[str, Any], codes: Sequence[Any]) -> dict[str, Any]:
        """The codes of all parts, one after the other, as an array [T, Q] of int16."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rate = record["codec"]["sample_rate"]
        target = OutputTarget(self.path, CODES, overwrite=True)
        with open_output(self.path, overwrite=True) as out:
            joined = np.concatenate([np.asarray(each) for each in codes]).astype(np.int16)
            np.save(out.file, joined, allow_pickle=False)
            out.finish()
            found = with_output(record, target, rate, round(record["duration"] * rate), sha256_file(out.written))
            out.commit(target.sidecar, json_bytes(found))
        return found


def write_transcript(folder: Path, job: Job, phonemes: str, record: Mapping[str, Any], began: float) -> Entry:
    """A transcript with its record beside it."""
    import hashlib

    path = folder / job.out
    data = f"{phonemes}\n".encode("utf-8", "replace")
    found = {
        **record, "input": str(job.row.audio), "batch": {"id": job.row.id, "key": job.key},
        "output": {"path": str(path), "format": job.format, "sha256": hashlib.sha256(data).hexdigest()},
    }  # fmt: skip
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        OutputTarget(path, job.format, overwrite=True).write(data, found)
    return entry_of(job, found, len(data), time.monotonic() - began)


def model_arguments(options: ModelOptions) -> dict[str, object]:
    """The model as flags, for `--from`: files by their absolute paths."""
    found: dict[str, object] = {}
    for each in ModelOptions.params():
        value = getattr(options, each.name)
        if value == each.default:
            continue
        if each.name in ("model", "yaml", "tokenizer") and Path(value).exists():
            value = str(Path(value).absolute())
        elif each.name == "lora":
            value = tuple(str(Path(path).absolute()) for path in value)
        found[each.key] = each.plain(value)
    return found


def request_of(job: Job) -> SpeechRequest:
    """What `vall-e tts` would be asked for. Raises InputError for a part of a recording that can't be read."""
    if job.excerpt is not None:
        job.excerpt.file()
    options = replace(job.speaking.options, seed=job.seed)
    return SpeechRequest(job.row.text, job.ref, job.voice, job.ref_text, options=options)


def arguments_of(job: Job, record: Mapping[str, Any], model: Mapping[str, object]) -> dict[str, object]:
    """A row and its model as flags of `vall-e tts`, for `--from`."""
    text = job.row.text.encode("utf-8", "ignore").decode("utf-8")
    found = {**model, **job.speaking.arguments(), "text": text, "seed": job.seed, "markup": record["markup"]}
    found["ref"] = [str(each.absolute()) for each in job.ref]
    if job.voice is not None:
        found["voice"] = job.voice
    if job.ref_text is not None:
        found["ref-text"] = job.ref_text
    return found
