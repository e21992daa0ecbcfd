"""The program `vall-e`, also as `python -m vall_e_core`: a process of its own around the command line."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from .cli import main


def program() -> NoReturn:
    """Run the command line and end the process with its exit code."""
    leave(main())


def leave(code: int) -> NoReturn:
    """End the process without taking Python's objects apart one by one, which for torch's takes 0.3 s.

    What was registered for the exit is done, and what was written is written. While another thread is at work that has
    to be waited for, the process ends as usual.
    """
    others = (each for each in threading.enumerate() if each is not threading.main_thread())
    if any(not each.daemon for each in others):
        sys.exit(code)
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):  # closed, gone, or never there
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    program()
