"""A trace as a file: JSON lines, the first of which says what the others are about (see `docs/tracing.md`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from vall_e_core import InputError
from vall_e_files import write_atomic

from .values import TracedStage, TracedStep

FORMAT = 1
MOST_BYTES = 2 << 30


@dataclass(frozen=True)
class TraceLine:
    """One choice, and which take of which part of the text it belongs to."""

    step: TracedStep
    part: int
    candidate: int = 0
    attempt: int = 0
    kept: bool = True
    """Whether it is part of what is heard; what was tried and given up is in the trace too."""

    def to_mapping(self) -> dict[str, object]:
        """As it stands in the file."""
        step = self.step
        return {
            "stage": step.stage, "part": self.part, "candidate": self.candidate, "try": self.attempt,
            "kept": self.kept, "step": step.step, "level": step.level, "frame": step.frame, "token": step.token,
            "stages": [asdict(each) for each in step.stages], "details": dict(step.details), "seed": step.seed,
            "key": step.key,
        }  # fmt: skip


@dataclass(frozen=True)
class TraceLog:
    """A whole trace: what the run was, and every choice in order."""

    head: Mapping[str, Any]
    lines: Sequence[TraceLine] = field(repr=False)

    def write(self, path: Path | str, *, overwrite: bool = False) -> None:
        """Write it, all of it or nothing. Raises UsageError for an existing file without `overwrite`, InputError."""

        def put(file: BinaryIO) -> None:
            for each in ({"trace": FORMAT, **self.head}, *(line.to_mapping() for line in self.lines)):
                text = json.dumps(each, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
                file.write(f"{text}\n".encode("utf-8", "replace"))

        write_atomic(Path(path), put, overwrite=overwrite)


def read_trace(path: Path) -> TraceLog:
    """A trace as it was written. Raises InputError where the file isn't one, or is from a newer program."""
    try:
        if not path.is_file() and path.exists():
            raise InputError(f"can't read the trace {path}", cause="it is not a regular file")
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path} is too large to be a trace")
        with path.open(encoding="utf-8") as file:
            objects = _objects(path, file)
            head = next(objects, {})
            if not isinstance(head.get("trace"), int):
                raise InputError(f"not a trace: {path}", cause="its first line isn't the header of a trace", try_=_HOW)
            if head["trace"] > FORMAT:
                raise InputError(
                    f"can't use the trace {path}",
                    cause=f"its format is {head['trace']}, this program reads up to {FORMAT}",
                )
            lines = [_line(path, number, each) for number, each in enumerate(objects, 2)]
    except OSError as error:
        raise InputError(f"can't read the trace {path}", cause=error.strerror) from error
    except UnicodeDecodeError as error:
        raise InputError(f"not a trace: {path}", cause="it isn't text", try_=_HOW) from error
    return TraceLog({key: value for key, value in head.items() if key != "trace"}, lines)


_HOW = "vall-e tts … --trace FILE writes one"


def _objects(path: Path, lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InputError(f"not a trace: {path}", cause=f"line {number} isn't JSON", try_=_HOW) from error
        if not isinstance(found, dict):
            raise InputError(f"not a trace: {path}", cause=f"line {number} is no object", try_=_HOW)
        yield found


def _line(path: Path, number: int, found: Mapping[str, Any]) -> TraceLine:
    try:
        stages = tuple(
            TracedStage(
                str(each["name"]), _whole(each["kept"]), _real(each["entropy"]), _real(each["kl"]),
                _real(each["p_stop"]), _real(each["p"]), None if each["rank"] is None else _whole(each["rank"]),
            )
            for each in found["stages"]
        )  # fmt: skip
        if not stages:
            raise ValueError("no stages")
        step = TracedStep(
            str(found["stage"]), _whole(found["seed"]), _whole(found["key"]), _whole(found["step"]),
            _whole(found["level"]), None if found["frame"] is None else _whole(found["frame"]), _whole(found["token"]),
            stages, {str(name): _real(value) for name, value in found["details"].items()},
        )  # fmt: skip
        return TraceLine(
            step, _whole(found["part"]), _whole(found["candidate"]), _whole(found["try"]), bool(found["kept"])
        )
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(f"a damaged trace: {path}", cause=f"line {number}: {type(error).__name__} {error}") from error


def _whole(value: Any) -> int:  # noqa: ANN401 - a value of JSON
    found = int(value)
    if not -(1 << 63) <= found < 1 << 63:
        raise ValueError(f"no such number: {value}")
    return found


def _real(value: Any) -> float | None:  # noqa: ANN401 - what JSON holds
    return None if value is None else float(value)
