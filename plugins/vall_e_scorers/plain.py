"""Scorers that need nothing but the take."""

from __future__ import annotations

import math

from vall_e_core import FinishedTake


class LengthModel:
    """How far the length is from the usual one, on a logarithmic scale."""

    def score(self, take: FinishedTake) -> float | None:
        """0 at the expected length, -0.69 at half or double; None where no length is expected."""
        if take.expected_seconds <= 0 or take.seconds <= 0:
            return None
        return -abs(math.log(take.seconds / take.expected_seconds))


class LogProbabilityModel:
    """The AR pass's own opinion."""

    def score(self, take: FinishedTake) -> float | None:
        """Log-probability of level 0 per step, the stop among them; None of a model that makes it otherwise."""
        if take.log_probability is None:
            return None
        return take.log_probability / (len(take.codes) + (take.stop_reason == "stop"))
