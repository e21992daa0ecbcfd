"""Standard output is for results: whatever else a plugin or a library prints there goes to standard error."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import TextIO


@contextmanager
def kept_stdout() -> Iterator[TextIO]:
    """Standard output for the block's results alone, as a stream of its own.

    What is written otherwise, with `print`, by a library in C or a process that was started, goes to standard error.
    """
    given = sys.stdout
    descriptor = _descriptor(given)
    if descriptor is None:  # replaced by a program or a test, or closed: nothing but Python writes to it
        with redirect_stdout(sys.stderr):
            yield given
        return
    given.flush()
    results = os.fdopen(os.dup(descriptor), "w", encoding=given.encoding, errors=given.errors)
    _redirect(descriptor)
    try:
        with redirect_stdout(sys.stderr):
            yield results
        results.flush()
    finally:
        with suppress(OSError):
            os.dup2(results.fileno(), descriptor)
        with suppress(OSError, ValueError):
            results.close()


def _descriptor(stream: TextIO | None) -> int | None:
    if stream is sys.__stdout__ and stream is not None:
        with suppress(OSError, ValueError, AttributeError):
            return stream.fileno()
    return None


def _redirect(descriptor: int) -> None:
    try:
        os.dup2(2, descriptor)
    except OSError:  # standard error is closed
        to_nowhere(descriptor)


def to_nowhere(descriptor: int) -> None:
    """What is written to a file descriptor is lost from here on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
