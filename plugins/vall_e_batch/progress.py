"""The progress bar of a batch, and of whatever is made as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vall_e_core import Session

from .rows import RowResult
from .running import Tally

if TYPE_CHECKING:
    from typing_extensions import Self


class ShownTally:
    """The progress bar of a batch."""

    def __init__(self, session: Session, count: int, unit: str = "rows") -> None:
        """`count`: how many there are to be made, in what `unit`."""
        self._bar = session.progress("speaking", count, unit)
        self._done = 0

    def __enter__(self) -> Self:
        self._bar.__enter__()
        return self

    def __exit__(self, *ended: object) -> None:
        self._bar.__exit__(None, None, None)

    def watch(self) -> None:
        """Between two steps: an interrupt that was lost is raised here."""
        self._bar.to(self._done)

    def told(self, tally: Tally, result: RowResult) -> None:
        """Another row is over."""
        self._done = tally.done + tally.failed
        self._bar.to(self._done, note_of(tally))


def note_of(tally: Tally) -> str:
    """`3 failed, 1 loop, 4.2 × real time, 1:20:00 left`."""
    words = [f"{tally.failed} failed"] if tally.failed else []
    words += [f"{count} {name}" for name, count in tally.verdicts.items() if name != "ok"]
    words.append(f"{tally.speed:.1f} × real time")
    if tally.remaining is not None:
        words.append(f"{clock(tally.remaining)} left")
    return ", ".join(words)


def clock(seconds: float) -> str:
    """`1:05:00`, or `0:12`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
