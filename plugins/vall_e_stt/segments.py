"""A recording from its start to its end: where somebody speaks, and where nobody does."""

from __future__ import annotations

from collections.abc import Sequence

from .results import Heard

#: Stretches of speech that are nearer to each other than this are one; a shorter gap isn't told.
_TOGETHER_SECONDS = 0.05


def segments(heard: Sequence[Heard], seconds: float) -> list[dict[str, object]]:
    """Segments in order that together are the whole recording of `seconds`, those without speech marked `no_speech`."""
    spoken: list[tuple[float, float]] = []
    for each in heard:
        start, stop = max(0.0, each.start), min(seconds, each.start + each.seconds)
        if spoken and start - spoken[-1][1] < _TOGETHER_SECONDS:
            spoken[-1] = (spoken[-1][0], max(stop, spoken[-1][1]))
        else:
            spoken.append((start, stop))
    found: list[dict[str, object]] = []
    at = 0.0
    for start, stop in spoken:
        if start - at >= _TOGETHER_SECONDS:
            found.append(_segment(at, start, no_speech=True))
        found.append(_segment(start, stop, no_speech=False))
        at = stop
    if seconds - at >= _TOGETHER_SECONDS:
        found.append(_segment(at, seconds, no_speech=True))
    return found


def _segment(start: float, stop: float, *, no_speech: bool) -> dict[str, object]:
    return {"start": round(start, 6), "duration": round(stop - start, 6), "no_speech": no_speech}
