"""Every error that a user can cause, and its exit code.

A `VallEError` has one line that says what happened, one that says why, and one that says what to try:

    error: reference audio is silent: ref.wav (peak -91 dBFS)
      cause: the speaker cannot be taken from silence
      try:   another reference of 3-10 s

Anything else that escapes is a bug: the command line reports it as such and shows the trace under `--debug`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from typing import ClassVar

FAILURES: tuple[type[BaseException], ...] = (Exception, SystemExit, GeneratorExit)
"""Exceptions that count as a failure of the plugin that raised them: all but an interrupt."""

_ADDRESS = re.compile(r"\b(https?|ftp|s3|gs):/(?=[^/\s])")
"""An address that was taken for a path: a path has one slash where it has two."""

LONGEST = 3000
"""Characters of a line that a user is shown."""


class VallEError(Exception):
    """Base of all expected errors. `cause` and `try_` are single lines, or None where there is nothing to add."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, cause: str | None = None, try_: str | None = None) -> None:
        if _ADDRESS.search(message):
            message = _ADDRESS.sub(r"\1://", message)
            cause, try_ = "it is an address, not a file on this machine", "download it first"
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.try_ = try_

    def __reduce__(self) -> tuple[object, ...]:
        """Keyword-only state survives pickling, so that a worker process can hand its error to the parent."""
        return partial(type(self), cause=self.cause, try_=self.try_), (self.message,)

    def render(self) -> str:
        """The text shown to a user, without a trailing newline."""
        lines = [f"error: {_bounded(self.message)}"]
        if self.cause is not None:
            lines.append(f"  cause: {_bounded(self.cause)}")
        if self.try_ is not None:
            lines.append(f"  try:   {_bounded(self.try_)}")
        return "\n".join(lines)


def _bounded(text: str) -> str:
    """At most `LONGEST` characters: what was given may be as long as it likes, a message not."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


class UsageError(VallEError):
    """An invalid flag or configuration key, or flags that contradict each other."""

    exit_code = 2


class ComponentError(UsageError):
    """A component's parameter is unknown, of the wrong type, or out of range."""


class InputError(VallEError):
    """Audio, text, a manifest or an output file that can't be used."""

    exit_code = 3


class ModelError(VallEError):
    """A model or a plugin is missing or invalid."""

    exit_code = 4


class CheckpointError(ModelError):
    """A model file that can't be read as one."""


class PluginError(ModelError):
    """A plugin that is missing, broken, or violates its contract."""


class DeviceError(VallEError):
    """A device that doesn't exist, or has no memory left."""

    exit_code = 5


class BatchError(VallEError):
    """A batch that finished, with failures."""

    exit_code = 6


class RegressionError(VallEError):
    """The evaluation finished, and a figure is worse than the baseline allows."""

    exit_code = 7


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`, or None if none is near."""
    import difflib

    by_folded = {name.replace("_", "-").lower(): name for name in known}
    found = difflib.get_close_matches(word.replace("_", "-").lower(), list(by_folded), n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def suggestion(word: str, known: Iterable[str], listing: str | None = None) -> str | None:
    """A `try:` line for an unknown word: the nearest known one, else all of them, else where they are listed."""
    names = sorted(known)
    near = did_you_mean(word, names)
    if near is not None:
        return f"did you mean {near}?" + (f"   ({listing} shows all)" if listing is not None else "")
    if listing is not None:
        return listing
    return f"one of: {', '.join(names)}" if names else None


class SyncError(RuntimeError):
    """The host would have waited for the device, where a test or a contract suite forbids it."""
