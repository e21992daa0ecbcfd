"""How long an utterance may get, and how long it ought to be.

Two bounds hold at once: the user's (`--max-ar-steps 900`, or `12s`), and one from the text, so that a model which
misses its stop token is cut after two and a half times the usual length of such a text, not after the full 12 seconds.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from vall_e_core import UsageError

#: Seconds an IPA letter takes in ordinary reading (a diphthong is two letters): about 13 letters a second.
SECONDS_PER_LETTER = 0.075
#: What a reference's own pace may move the above to.
PACE_RANGE = (0.04, 0.18)
#: The bound is this many times the expected length, plus a second for pauses at both ends.
SLACK_FACTOR, SLACK_SECONDS = 2.5, 1.0
#: How long a part of a long text is made, unless the checkpoint advises otherwise.
USUAL_PART_SECONDS = 10.0
#: However short utterances may be, a text isn't cut into less than this.
LEAST_PART_SECONDS = 3.0
#: A bound below this many times the expected length cuts speech that is all right; parts are made as short as that.
ROOM = 1.5
#: Under this share of the expected length a result is reported as short.
SHORT_FACTOR = 0.55

_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0}


@dataclass(frozen=True)
class Bound:
    """An upper bound, in steps (codec frames) or in seconds; exactly one of the two is given."""

    steps: int | None = None
    seconds: float | None = None

    def frames(self, frame_rate: float) -> int:
        """The bound in frames, at least 1."""
        if self.steps is not None:
            return self.steps
        return max(1, round((self.seconds or 0.0) * frame_rate))

    def __str__(self) -> str:
        return str(self.steps) if self.steps is not None else f"{self.seconds:g}s"


def parse_bound(text: str) -> Bound:
    """`900` is a number of steps; `12s`, `800ms` and `1.5m` are durations. Raises UsageError for anything else."""
    word = text.strip().lower()
    number = word.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = word[len(number) :]
    hint = "a number of steps (900) or a duration (12s, 800ms, 1.5m)"
    try:
        value = float(number)
    except ValueError:
        raise UsageError(f"not a length: {text!r}", try_=hint) from None
    if not math.isfinite(value) or value <= 0:
        raise UsageError(f"a length must be above 0: {text!r}", try_=hint)
    if not unit:
        if value != int(value):
            raise UsageError(f"steps are whole: {text!r}", try_=f"{hint}; {number}s is a duration")
        return Bound(steps=int(value))
    if unit not in _UNITS:
        raise UsageError(f"unknown unit {unit!r} in {text!r}", try_=hint)
    return Bound(seconds=value * _UNITS[unit])


def letters(phonemes: str) -> int:
    """How many IPA letters sound: stress, length and punctuation marks don't count."""
    return sum(1 for char in phonemes if unicodedata.category(char) in ("Ll", "Lu", "Lo"))


def pace(phonemes: str | None, seconds: float) -> float:
    """Seconds per letter of a reference whose phonemes are known, within `PACE_RANGE`; the usual pace otherwise."""
    count = letters(phonemes) if phonemes else 0
    if count == 0:
        return SECONDS_PER_LETTER
    return min(max(seconds / count, PACE_RANGE[0]), PACE_RANGE[1])


def expected_seconds(phonemes: str, seconds_per_letter: float = SECONDS_PER_LETTER) -> float:
    """How long the text usually takes to say."""
    return letters(phonemes) * seconds_per_letter


def longest(
    phonemes: str, bound: Bound, frame_rate: float, seconds_per_letter: float = SECONDS_PER_LETTER, least: float = 0.0
) -> int:
    """The number of frames at which generation ends whether or not the model stopped: the tighter of the two bounds.

    `least` is how many seconds were asked for at least; the text sets no tighter bound than that.
    """
    from_text = max(expected_seconds(phonemes, seconds_per_letter) * SLACK_FACTOR, least) + SLACK_SECONDS
    return max(1, min(bound.frames(frame_rate), math.ceil(from_text * frame_rate)))
