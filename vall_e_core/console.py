"""Output for the user: the result on stdout, everything else on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

from .errors import InputError
from .interrupts import Interrupts

if TYPE_CHECKING:
    from typing_extensions import Self


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Raises InputError where standard output can't be written; that its reader is gone stays a BrokenPipeError."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise InputError("can't write to standard output", cause=error.strerror, try_="-o FILE") from error


@dataclass
class Console:
    """Streams and verbosity. `verbosity` is -1 (quiet), 0, 1 (`-v`), 2 (`-vv`), …"""

    verbosity: int = 0
    json: bool = False
    show_progress: bool = True
    stdout: TextIO = field(default_factory=lambda: sys.stdout)
    stderr: TextIO = field(default_factory=lambda: sys.stderr)
    warnings: list[str] = field(default_factory=list)
    """Every warning of the run, shown or not; the record keeps them."""
    interrupts: Interrupts = field(default_factory=Interrupts)
    stdout_taken: bool = False
    """Set when stdout carries audio: results then go to stderr."""
    _bar: Progress | None = None

    def notice(self, line: str) -> None:
        """A line that a user wants to see, unless quiet."""
        if self.verbosity >= 0:
            self._say(line)

    def detail(self, line: str, level: int = 1) -> None:
        """A line for `-v` (or `-vv` at level 2)."""
        if self.verbosity >= level:
            self._say(line)

    def warn(self, line: str) -> None:
        """A warning: something isn't as it should be, but the run continues. Shown once, unless quiet."""
        if line in self.warnings:
            return
        self.warnings.append(line)
        if self.verbosity >= 0:
            self._say(f"warning: {line}")

    def result(self, record: Mapping[str, object], text: str | None = None) -> None:
        """The result of a command: the record as one line of JSON under `--json`, else the text if there is any."""
        if self.json:
            import json

            text = json.dumps(record, ensure_ascii=False, allow_nan=False)
        if text is not None:
            if self.stdout_taken:
                self._say(text)
                return
            with writing_stdout():
                self.stdout.write(f"{text}\n")
                self.stdout.flush()

    def progress(self, label: str, total: float | None = None, unit: str = "") -> Progress:
        """A bar for `with`: drawn only where stderr is a terminal, and never under quiet or JSON."""
        shown = self.show_progress and self.verbosity >= 0 and not self.json and self.stderr.isatty()
        return Progress(self, label, total, unit, shown)

    def _say(self, line: str) -> None:
        if self._bar is not None:
            self._bar.clear()
        with suppress(OSError):  # a run doesn't fail because nobody can hear of it
            self.stderr.write(f"{line}\n")
            self.stderr.flush()


class Progress:
    """`with console.progress("speaking", 900, "frames") as bar: bar.advance(1, "RTF 0.8")`."""

    def __init__(self, console: Console, label: str, total: float | None, unit: str, shown: bool) -> None:
        self._console, self._label, self._total, self._unit, self._shown = console, label, total, unit, shown
        self._done, self._note, self._width = 0.0, "", 0
        self._started, self._drawn = time.monotonic(), 0.0

    def advance(self, amount: float = 1, note: str | None = None) -> None:
        """Advance the bar; `note` replaces the text at its end."""
        self.to(self._done + amount, note)

    def to(self, done: float, note: str | None = None) -> None:
        """Set the bar. Raises KeyboardInterrupt if one was lost earlier."""
        self._console.interrupts.check()
        self._done = done
        if note is not None:
            self._note = note
        now = time.monotonic()
        if self._shown and now - self._drawn >= 0.1:
            self._drawn = now
            self._draw(now)

    def _draw(self, now: float) -> None:
        words = [f"{self._label}: {self._done:g}"]
        if self._total is not None:
            words[0] += f"/{self._total:g}"
            left = (now - self._started) * (self._total - self._done) / self._done if self._done > 0 else None
            if left is not None and left >= 1:
                words.append(f"ETA {int(left)} s")
        if self._unit:
            words[0] += f" {self._unit}"
        line = ", ".join([*words, self._note] if self._note else words)
        self._console.stderr.write(f"\r{line.ljust(self._width)}")
        self._console.stderr.flush()
        self._width = len(line)

    def clear(self) -> None:
        """Take the bar off the line, so that something else can be written."""
        if self._width:
            self._console.stderr.write(f"\r{' ' * self._width}\r")
            self._console.stderr.flush()
            self._width = 0

    def __enter__(self) -> Self:
        self._console._bar = self if self._shown else None
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()
        self._console._bar = None
