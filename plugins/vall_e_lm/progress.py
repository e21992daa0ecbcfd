"""A line on stderr that counts steps, for calls from Python."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vall_e_core import Console
from vall_e_core.console import Progress

if TYPE_CHECKING:
    from .decode import Progress as Watch


@contextmanager
def shown(progress: Watch | bool | None, label: str) -> Iterator[Watch | None]:
    """What is called between steps: `progress` itself, or for True a bar that is gone again at the end.

    It is drawn whether or not stderr is a terminal: that of a notebook isn't one, and shows it.
    """
    if progress is None or isinstance(progress, bool):
        if not progress:
            yield None
            return
        with Progress(Console(), label, None, "steps", True) as bar:

            def watch(stage: str, done: int, most: int) -> None:
                bar.to(done, f"{stage}, at most {most}")

            yield watch
        return
    yield progress
