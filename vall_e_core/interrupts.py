"""Ctrl-C and requests to end, remembered until they have ended the run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
"""The exit code after Ctrl-C, as a shell has it of a process that a signal ended."""
_ENDINGS = {
    number: handler
    for name, handler in (
        ("SIGINT", signal.default_int_handler), ("SIGTERM", signal.SIG_DFL), ("SIGHUP", signal.SIG_DFL)
    )
    if (number := getattr(signal, name, None)) is not None
}  # fmt: skip
"""Signals that end a run, as far as the platform knows them, and what handles them where nobody has said otherwise."""


class Interrupts:
    """The interrupts of one call of the program.

    All of them raise KeyboardInterrupt, so that whatever is under way is tidied up, in whatever code is running. Where
    that is a destructor, or Python called from C, it is printed at best and then forgotten, and the program goes on. So
    it is noted here too, and long work asks with `check`.
    """

    def __init__(self) -> None:
        self._came: int | None = None

    @property
    def exit_code(self) -> int:
        """That of the signal that came."""
        return INTERRUPTED if self._came is None else 128 + self._came

    @contextmanager
    def remembered(self) -> Iterator[None]:
        """Within, signals that end a run are noted and raised. Those under another handler, or ignored, stay as they
        are; outside the main thread all do."""
        ours = {}
        if threading.current_thread() is threading.main_thread():
            ours = {number: usual for number, usual in _ENDINGS.items() if signal.getsignal(number) is usual}
        for number in ours:
            signal.signal(number, self._handle)
        try:
            yield
        finally:
            for number, usual in ours.items():
                signal.signal(number, usual)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        self._came = number
        raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt if there has been one; that this is reached means it was lost."""
        if self._came is not None:
            raise KeyboardInterrupt
