"""A limit on the time that one item may take: a text, a recording, a row of a list."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

from vall_e_core import VallEError

if TYPE_CHECKING:
    from .decode import Progress

OVERTIME = 124
"""The exit code, as the command `timeout` has it."""


class TimeLimitError(VallEError):
    """An item wasn't finished within its time limit. Nothing of it is kept, and other items may go on."""

    exit_code: ClassVar[int] = OVERTIME


class Deadline:
    """When an item has to be done; counted from when this is made.

        deadline = Deadline(30.0, "the speech")
        engine.synthesize(text, progress=deadline.watch())
        deadline.check()
    """

    def __init__(self, seconds: float | None, what: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """
        Args:
            seconds: the limit; None for none.
            what: the item, as messages call it.
            clock: tells the seconds.
        """
        self.seconds, self.what, self._clock = seconds, what, clock
        self._end = None if seconds is None else clock() + seconds

    def error(self, cause: str | None = None) -> TimeLimitError | None:
        """What says that the time is over; None while there is some left. `cause`: how far the item has got."""
        if self._end is None or self._clock() <= self._end:
            return None
        return TimeLimitError(
            f"{self.what} wasn't finished within {self.seconds:g} s", cause=cause, try_="a larger --timeout"
        )

    def check(self, cause: str | None = None) -> None:
        """Raises TimeLimitError if the time is over. `cause`: how far the item has got."""
        error = self.error(cause)
        if error is not None:
            raise error

    def watch(self, progress: Progress | None = None) -> Progress:
        """What is called between steps: it ends the work when the time is over, and tells `progress` otherwise."""

        def step(stage: str, done: int, most: int) -> None:
            self.check(f"it was at step {done} of at most {most} ({stage})")
            if progress is not None:
                progress(stage, done, most)

        return step
