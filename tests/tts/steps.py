"""Driving what is written as steps, where a test hasn't got anything to wait for."""

from __future__ import annotations

from vall_e_tts.synthesis.takes import Steps, T


def result_of(steps: Steps[T]) -> T:
    """What comes of it; whatever it waits for, it gets None."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
