"""Ctrl-C, remembered until it has ended the run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """The interrupts of one call of the program.

    KeyboardInterrupt is raised in whatever code is running. Where that is a destructor, or Python called from C, it is
    printed at best and then forgotten, and the program goes on. So it is noted here too, and long work asks with
    `check`.
    """

    def __init__(self) -> None:
        self._came = False

    @contextmanager
    def remembered(self) -> Iterator[None]:
        """Within, SIGINT is noted and raised. Outside the main thread, or under another handler, nothing changes."""
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            yield
            return
        signal.signal(signal.SIGINT, self._handle)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt if there has been one; that this is reached means it was lost."""
        if self._came:
            raise KeyboardInterrupt
